"""The gate: what arrives is refused or decided, made durable, and only then answered."""

from decimal import Decimal

import pytest
from google.protobuf.message import Message

from tests.callers import caller_of
from tests.unit.builders import BUY, Desk, action, bar, configuration, limit
from tests.unit.sources import NEEDS_SOURCES
from tidegate import views
from tidegate.errors import ConfigurationError
from tidegate.gate import Request
from tidegate.risk.checks.capital import Capital
from tidegate.risk.engine import Engine
from tidegate.risk.proposal import Proposal
from tidegate.v1 import actors_pb2, orders_pb2, portfolio_pb2


@pytest.mark.parametrize("method", ["SubmitOrder", "SubmitOrders", "PublishBars", "Halt", "GetOrder", "ListOrders"])
@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe" * 100], ids=["tag", "cut off", "text"])
def test_bytes_that_are_no_message_are_refused(desk: Desk, method: str, body: bytes) -> None:
    """Pins that garbage has a code, and leaves nothing behind."""
    before = desk.state()
    (reply,) = desk.gate.process([Request(method, body)]).replies
    assert ("MESSAGE_MALFORMED", b"") == (reply.reason, reply.body)
    assert before == desk.state()


def test_an_unknown_method_is_refused(desk: Desk) -> None:
    """Pins that the gate names what it does not have."""
    (reply,) = desk.gate.process([Request("DropTables", b"")]).replies
    assert "METHOD_UNKNOWN" == reply.reason


def test_an_unknown_field_is_not_recorded(desk: Desk) -> None:
    """Pins that a newer client's field neither changes an order nor makes a retry another one."""
    order = desk.order("cash", BUY, "1", "A")
    newer = orders_pb2.NewOrder.FromString(order.SerializeToString() + b"\xfa\x3e\x03abc")
    assert order != newer
    first = desk.submit(newer)
    assert order == desk.events("order_decided")[0].order_decided.order
    assert first == desk.submit(order)


@pytest.mark.control("well-formed")
@pytest.mark.parametrize("number", ["", "0", "-1", "NaN", "Infinity", "1e400", "9" * 40, "0." + "1" * 40, "1 ", "x"])
@pytest.mark.parametrize(("field", "expected"), [("quantity", "QUANTITY_INVALID"), ("limit_price", "PRICE_INVALID")])
def test_a_malformed_figure_is_refused_alike_alone_and_in_a_batch(
    desk: Desk, field: str, number: str, expected: str
) -> None:
    """Pins the reason on both paths, and that nothing malformed is recorded."""
    order = limit(desk.order("cash", BUY, "1", "A"), "100")
    setattr(order, field, number)
    refuse_alike(desk, order, expected, f"order.{field}")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("client_order_id", "", "IDENTIFIER_INVALID"),
        ("client_order_id", "x" * 65, "IDENTIFIER_INVALID"),
        ("client_order_id", "a b", "IDENTIFIER_INVALID"),
        ("client_order_id", "ö", "IDENTIFIER_INVALID"),
        ("client_order_id", "a\x00", "IDENTIFIER_INVALID"),
        ("strategy_id", "", "IDENTIFIER_INVALID"),
        ("symbol", "", "IDENTIFIER_INVALID"),
        ("route", "a b", "IDENTIFIER_INVALID"),
        ("side", 0, "SIDE_INVALID"),
        ("side", 99, "SIDE_INVALID"),
        ("order_type", 0, "ORDER_TYPE_INVALID"),
        ("order_type", 99, "ORDER_TYPE_INVALID"),
        ("time_in_force", 99, "TIME_IN_FORCE_INVALID"),
        ("limit_price", "100", "PRICE_INVALID"),
    ],
)
def test_a_malformed_order_is_refused_alike_alone_and_in_a_batch(
    desk: Desk, field: str, value: str | int, expected: str
) -> None:
    """Pins ids and enum values; a market order has no price."""
    order = desk.order("cash", BUY, "1", "A")
    setattr(order, field, value)
    refuse_alike(desk, order, expected, f"order.{field}")


def refuse_alike(desk: Desk, order: orders_pb2.NewOrder, expected: str, field: str) -> None:
    """Send an order alone, and between two good ones."""
    recorded = len(desk.events())
    alone = desk.reply("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))
    assert (expected, field, recorded) == (alone.reason, alone.field, len(desk.events()))
    good = [desk.order("cash", BUY, "1", "A") for _ in range(2)]
    request = orders_pb2.SubmitOrdersRequest(orders=[good[0], order, good[1]])
    decisions = desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse).decisions
    assert ["ALLOW", f"REJECT {expected}", "ALLOW"] == [action(decision) for decision in decisions]
    assert (0, "0", alone.text) == (decisions[1].sequence, decisions[1].approved_quantity, decisions[1].reason)
    assert recorded + 2 == len(desk.events())


def test_an_order_that_is_not_there_is_refused(desk: Desk) -> None:
    """Pins an empty request."""
    assert "IDENTIFIER_INVALID" == desk.refusal("SubmitOrder", orders_pb2.SubmitOrderRequest())


def test_a_huge_text_is_refused_with_a_short_answer(desk: Desk) -> None:
    """Pins that a message of 10 MB is not echoed."""
    order = desk.order("cash", BUY, "9" * 10_000_000, "A")
    reply = desk.reply("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))
    assert "QUANTITY_INVALID" == reply.reason
    assert len(reply.text) < 200


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=[orders_pb2.NewOrder()] * 1_001)),
        ("ClaimOrders", orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=["1"] * 1_001)),
        (
            "ReportExecutions",
            orders_pb2.ReportExecutionsRequest(
                account="u1", adapter="paper", executions=[orders_pb2.Execution()] * 1_001
            ),
        ),
    ],
    ids=["orders", "claims", "executions"],
)
def test_a_batch_has_a_largest_size(desk: Desk, method: str, request_: Message) -> None:
    """Pins that one entry too many refuses the whole batch."""
    assert "BATCH_TOO_LARGE" == desk.refusal(method, request_)


def test_each_order_of_a_batch_sees_the_book_that_the_one_before_left(desk: Desk) -> None:
    """Pins that two orders do not spend the same cash."""
    request = orders_pb2.SubmitOrdersRequest(orders=[desk.order("cash", BUY, "300", "A") for _ in range(2)])
    decisions = desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse).decisions
    assert ["ALLOW", "REJECT CAPITAL"] == [action(decision) for decision in decisions]


def test_the_same_id_twice_in_a_batch_is_decided_once(desk: Desk) -> None:
    """Pins that a retry finds its first answer before it is durable."""
    order = desk.order("cash", BUY, "300", "A")
    request = orders_pb2.SubmitOrdersRequest(orders=[order, order])
    first, second = desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse).decisions
    assert (first, 1) == (second, len(desk.events("order_decided")))


def test_reads_see_the_end_of_the_batch(desk: Desk) -> None:
    """Pins that a read is answered after the commands that stand behind it in the batch."""
    order = desk.order("cash", BUY, "1", "A")
    requests = [
        Request("GetPortfolio", b""),
        Request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order).SerializeToString()),
        Request("PublishBars", bar(2, A="110").SerializeToString()),
    ]
    replies = desk.gate.process(requests).replies
    answer = portfolio_pb2.GetPortfolioResponse.FromString(replies[0].body)
    assert desk.book.sequence == answer.sequence == desk.gate.journal.head().sequence


@NEEDS_SOURCES
@pytest.mark.parametrize("method", ["SubmitOrder", "SubmitOrders", "CompleteBar"])
def test_a_command_that_fails_inside_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Pins INTERNAL, the alert and the failure to log on every path; the id is still free afterwards."""

    def fail(_check: Capital, _proposal: Proposal) -> None:
        raise ZeroDivisionError

    order, before = desk.order("cash", BUY, "1", "A"), desk.book.strategies["cash"].ledger.digest()
    requests: dict[str, Message] = {
        "SubmitOrder": orders_pb2.SubmitOrderRequest(order=order),
        "SubmitOrders": orders_pb2.SubmitOrdersRequest(orders=[order]),
        "CompleteBar": actors_pb2.CompleteBarRequest(bar_sequence=desk.book.last_bar_sequence, orders=[order]),
    }
    with monkeypatch.context() as patch:
        patch.setattr(Capital, "check", fail)
        body = requests[method].SerializeToString()
        batch = desk.gate.process([Request(method, body, caller_of(method))])
    assert [ZeroDivisionError] == [type(failure) for failure in batch.failures]
    assert ("INTERNAL" if method == "SubmitOrder" else "") == batch.replies[0].reason
    assert "INTERNAL" == desk.events("alert_raised")[0].alert_raised.reason_code
    assert ([], before) == (desk.events("order_decided"), desk.book.strategies["cash"].ledger.digest())
    assert ("ALLOW", []) == (action(desk.submit(order)), desk.gate.process([]).failures)


@NEEDS_SOURCES
def test_a_read_that_fails_is_refused_and_ends_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins INTERNAL and the failure to log, and that the commands and reads beside it are answered."""

    def fail(_engine: Engine) -> None:
        raise ZeroDivisionError

    order = desk.order("cash", BUY, "1", "A")
    requests = [
        Request("GetPortfolio", b""),
        Request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order).SerializeToString()),
        Request("ListOrders", b""),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(views, "portfolio", fail)
        batch = desk.gate.process(requests)
    assert ["INTERNAL", "", ""] == [reply.reason for reply in batch.replies]
    assert [ZeroDivisionError] == [type(failure) for failure in batch.failures]
    assert (1, []) == (len(desk.events("order_decided")), desk.events("alert_raised"))
    assert desk.gate.process([]).failures == []


@pytest.mark.parametrize(
    ("capital", "limits", "route_within_s", "names"),
    [
        ("100001", {}, 30, "capital"),
        ("100000", {"max_leverage": "3"}, 31, "limits, route_within_s"),
    ],
)
def test_a_journal_begun_with_another_configuration_is_refused(
    desk: Desk, capital: str, limits: dict[str, str], route_within_s: int, names: str
) -> None:
    """Pins that the error names what differs, and the journal stays as it was."""
    head = desk.gate.journal.head()
    other = configuration(**limits)
    other.capital, other.route_within_s = capital, route_within_s
    with pytest.raises(ConfigurationError, match=f"with other {names} than"):
        Desk(desk.path, other)
    assert head == desk.restarted().gate.journal.head()


def test_the_configuration_is_the_first_event(desk: Desk) -> None:
    """Pins what every journal begins with, once."""
    (first,) = desk.events("portfolio_configured")
    assert (1, configuration()) == (first.sequence, first.portfolio_configured)
    assert Decimal(20_000) == desk.book.reserve
