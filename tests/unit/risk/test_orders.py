"""Deciding on orders: once, with every violation; cancels and claims."""

import pytest

from tests.unit.builders import (
    BUY,
    CANCEL_REJECTED,
    CANCELED,
    NEW,
    REPLACE_REJECTED,
    SELL,
    Desk,
    action,
    configuration,
    instrument_scope,
    limit,
)
from tests.unit.conftest import OpenDesk
from tidegate.v1 import common_pb2, orders_pb2


@pytest.mark.control("duplicate-ids")
@pytest.mark.parametrize("quantity", ["10", "501"], ids=["accepted", "refused"])
def test_a_retry_gets_the_first_answer_and_records_nothing(desk: Desk, quantity: str) -> None:
    """Pins once per client_order_id, whatever happened since, also over a restart."""
    order = desk.order("cash", BUY, quantity, "A")
    first = desk.submit(order)
    desk.bar(2, A="400")
    recorded = len(desk.events())
    assert first == desk.submit(order)
    assert first == desk.restarted().submit(order)
    assert recorded == len(desk.events())


@pytest.mark.control("duplicate-ids")
@pytest.mark.parametrize("field", ["quantity", "symbol", "route"])
def test_the_same_id_with_other_content_is_an_error_of_its_own(desk: Desk, field: str) -> None:
    """Pins that an id never stands for two orders, that the first one stays, and that the journal tells."""
    order = desk.order("cash", BUY, "10", "A")
    desk.submit(order)
    setattr(order, field, {"quantity": "11", "symbol": "B", "route": "other"}[field])
    assert "CLIENT_ORDER_ID_REUSED" == desk.refusal("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))
    assert "CLIENT_ORDER_ID_REUSED" == desk.events("command_refused")[-1].command_refused.reason_code
    assert 1 == len(desk.events("order_decided"))


def test_two_strategies_may_use_the_same_id(desk: Desk) -> None:
    """Pins that ids are unique per strategy."""
    one, other = desk.order("cash", BUY, "1", "A"), desk.order("margin", BUY, "1", "A")
    other.client_order_id = one.client_order_id
    assert desk.submit(one).order_id != desk.submit(other).order_id


def test_the_worst_action_wins_and_every_violation_is_listed(open_desk: OpenDesk) -> None:
    """Pins severity before order, and the first among equals."""
    desk = open_desk(configuration(warn_leverage="0.1", max_concentration="0.5", max_order_quantity="100"))
    desk.bar(1, A="100")
    decision = desk.buy("cash", "501.5")
    assert "REJECT QUANTITY_OFF_LOT" == action(decision)
    codes = [violation.reason_code for violation in decision.violations]
    assert ["QUANTITY_OFF_LOT", "ORDER_QUANTITY", "LEVERAGE", "CONCENTRATION", "CAPITAL"] == codes
    assert ("0", "", False) == (decision.approved_quantity, decision.order_id, decision.HasField("route_by"))


@pytest.mark.control("permitted-instruments", "records")
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("strategy_id", "nobody", "STRATEGY_UNKNOWN"),
        ("symbol", "Z", "INSTRUMENT_UNKNOWN"),
        ("route", "nowhere", "ADAPTER_UNKNOWN"),
        ("symbol", "F", "PRICE_MISSING"),
    ],
)
def test_an_order_about_something_unknown_is_refused_and_recorded(
    open_desk: OpenDesk, field: str, value: str, expected: str
) -> None:
    """Pins that without a strategy, an instrument, a route or a price the answer is REJECT, and stays so."""
    desk = open_desk(configuration())
    desk.bar(1, A="100")
    order = desk.order("cash", BUY, "1", "A")
    setattr(order, field, value)
    decision = desk.submit(order)
    assert f"REJECT {expected}" == action(decision)
    assert decision == desk.events("order_decided")[-1].order_decided.decision
    assert decision == desk.restarted().submit(order)


def test_a_submitter_that_routes_itself_gets_a_deadline(desk: Desk) -> None:
    """Pins route_by for orders without a route, and for those only."""
    order = desk.order("cash", BUY, "1", "A")
    order.route = ""
    assert desk.submit(order).route_by.seconds == desk.events("bar_published")[0].time.seconds + 30
    assert not desk.buy("cash", "1").HasField("route_by")


def test_a_cancel_marks_the_order_once_and_releases_nothing(desk: Desk) -> None:
    """Pins that only the broker's report ends an order."""
    order = desk.order("cash", BUY, "10", "A")
    desk.submit(order)
    assert common_pb2.ORDER_STATUS_PENDING_CANCEL == desk.cancel(order).status
    assert common_pb2.ORDER_STATUS_PENDING_CANCEL == desk.cancel(order).status
    assert 1 == len(desk.events("cancel_requested"))
    assert 1000 == desk.book.strategies["cash"].ledger.reserved_cash


@pytest.mark.parametrize(
    ("state", "expected"), [("unseen", "ORDER_UNKNOWN"), ("refused", "ORDER_UNKNOWN"), ("done", "ORDER_DONE")]
)
def test_an_order_that_does_not_work_cannot_be_canceled(desk: Desk, state: str, expected: str) -> None:
    """Pins the reasons, and that an understood refusal is recorded."""
    order = desk.order("cash", BUY, "9999" if state == "refused" else "10", "A")
    if state != "unseen":
        order_id = desk.submit(order).order_id
        if state == "done":
            desk.fill(order_id, "10", "100")
    request = orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id=order.client_order_id)
    assert expected == desk.refusal("CancelOrder", request)
    assert expected == desk.events("command_refused")[-1].command_refused.reason_code


def test_a_claim_is_won_by_one_adapter_once(desk: Desk) -> None:
    """Pins compare-and-set: the second claim of the same adapter says that the order may have been sent."""
    order_id = desk.buy("cash", "10").order_id
    outcomes = [desk.claim(order_id).outcome, desk.claim(order_id).outcome]
    assert [orders_pb2.CLAIM_OUTCOME_CLAIMED, orders_pb2.CLAIM_OUTCOME_ALREADY_CLAIMED] == outcomes
    assert 1 == len(desk.events("order_claimed"))
    assert "paper" == desk.restarted().book.orders[order_id].claimed_by


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("routed elsewhere", "ORDER_NOT_ROUTED_HERE"),
        ("canceled", "ORDER_PENDING_CANCEL"),
        ("halted", "ORDER_PENDING_CANCEL"),
        ("halted, and the cancel rejected", "TRADING_HALTED"),
        ("filled", "ORDER_DONE"),
        ("unknown", "ORDER_UNKNOWN"),
        ("no number", "ORDER_UNKNOWN"),
    ],
)
def test_a_claim_is_refused_with_its_reason(desk: Desk, state: str, expected: str) -> None:
    """Pins that nothing is sent after a halt or a cancel, nor by the wrong adapter."""
    order = desk.order("cash", BUY, "10", "A")
    order_id = desk.submit(order).order_id
    adapter = "other" if state == "routed elsewhere" else "paper"
    if state == "canceled":
        desk.cancel(order)
    elif state.startswith("halted"):
        desk.halt(instrument_scope("A"))
        desk.report(*([desk.execution(order_id, CANCEL_REJECTED)] if "rejected" in state else []))
    elif state == "filled":
        desk.fill(order_id, "10", "100")
    claim = desk.claim({"unknown": "999", "no number": "9" * 64}.get(state, order_id), adapter)
    assert (orders_pb2.CLAIM_OUTCOME_REFUSED, expected) == (claim.outcome, claim.reason_code)
    assert expected == desk.events("command_refused")[-1].command_refused.reason_code


def test_an_unknown_adapter_claims_nothing(desk: Desk) -> None:
    """Pins that an adapter has to be configured."""
    request = orders_pb2.ClaimOrdersRequest(adapter="stranger", order_ids=[desk.buy("cash", "1").order_id])
    assert "ADAPTER_UNKNOWN" == desk.refusal("ClaimOrders", request)


@pytest.mark.control("order-counts-when-sent")
@pytest.mark.parametrize(
    ("kind", "expected"), [(CANCELED, "ALLOW"), (NEW, "REJECT CAPITAL"), (CANCEL_REJECTED, "REJECT CAPITAL")]
)
def test_only_the_brokers_end_of_an_order_frees_its_cash(
    desk: Desk, kind: orders_pb2.ExecutionType.ValueType, expected: str
) -> None:
    """Pins what a cancel frees before and after the broker's word."""
    order = limit(desk.order("cash", BUY, "500", "A"), "99")
    order_id = desk.submit(order).order_id
    desk.cancel(order)
    desk.report(desk.execution(order_id, kind))
    assert expected == action(desk.buy("cash", "1"))


def test_reduce_only_lets_no_two_claims_together_flip_a_position(desk: Desk) -> None:
    """Pins that what is at the broker already counts: the second of two sells that fit only alone stays unsent."""
    desk.hold("margin", "100", "100")
    first, second = (desk.sell("margin", "100").order_id for _ in range(2))
    desk.halt(level=common_pb2.HALT_LEVEL_REDUCE_ONLY)
    outcomes = [desk.claim(order_id) for order_id in (first, second)]
    assert [(orders_pb2.CLAIM_OUTCOME_CLAIMED, ""), (orders_pb2.CLAIM_OUTCOME_REFUSED, "REDUCE_ONLY")] == [
        (claim.outcome, claim.reason_code) for claim in outcomes
    ]


@pytest.mark.parametrize("replaced", [0, 1], ids=["claimed before", "claimed now"])
def test_reduce_only_counts_what_a_pending_replacement_may_add(desk: Desk, replaced: int) -> None:
    """Pins that of 100 held two sells of 50 fit, but not when one of them may become 60."""
    desk.hold("margin", "100", "100")
    orders = [desk.order("margin", SELL, "50", "A") for _ in range(2)]
    order_ids = [desk.submit(order).order_id for order in orders]
    desk.replace(desk.replacement(orders[replaced], "60"))
    desk.halt(level=common_pb2.HALT_LEVEL_REDUCE_ONLY)
    assert ["", "REDUCE_ONLY"] == [desk.claim(order_id).reason_code for order_id in order_ids]
    desk.report(desk.execution(order_ids[replaced], REPLACE_REJECTED))
    assert "" == desk.claim(order_ids[1]).reason_code


@pytest.mark.parametrize(("side", "price"), [(BUY, "150"), (SELL, "50")], ids=["buy", "sell"])
def test_an_order_counts_what_it_loses_when_filled_at_a_bad_limit(
    open_desk: OpenDesk, side: common_pb2.Side.ValueType, price: str
) -> None:
    """Pins the worst case: 300 at 50 off the mark cost 15,000 of the strategy's 30,000, and carry 30,000 at most."""
    desk = open_desk(configuration())
    desk.bar(1, A="100")
    fits, over = (limit(desk.order("margin", side, quantity, "A"), price) for quantity in ("300", "301"))
    assert "REJECT CAPITAL" == action(desk.submit(over))
    assert "ALLOW" == action(desk.submit(fits)).strip()
    assert "REJECT CAPITAL" == action(desk.submit(desk.order("margin", side, "1", "A")))


@pytest.mark.control("drawdown")
def test_an_order_that_could_halt_at_its_limit_is_refused_and_halts_nothing(open_desk: OpenDesk) -> None:
    """Pins that only what has happened halts."""
    desk = open_desk(configuration(halt_drawdown="0.1"))
    desk.bar(1, A="100")
    assert "REJECT DRAWDOWN" in action(desk.submit(limit(desk.order("margin", BUY, "101", "A"), "200")))
    assert common_pb2.HALT_LEVEL_ACTIVE == desk.level()
