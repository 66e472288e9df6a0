"""The checker finds what is planted: a checker that cannot fail is worth nothing."""

import ast
from copy import deepcopy
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from chaos import checker
from chaos.chain import Link
from chaos.records import DEPOSIT, EXECUTION, HALT, ORDER, READ, TRANSFER, WITHDRAWAL, Log, Record, read_log
from tests.chaos.doctored import Healthy
from tests.unit.test_floors import imports
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2, portfolio_pb2, risk_pb2

_SEED = 6


@cache
def _lived() -> Healthy:
    return Healthy(_SEED)


@pytest.fixture
def healthy() -> Healthy:
    """Take a copy of a history in which nothing is wrong."""
    return deepcopy(_lived())


def is_accepted(event: journal_pb2.Event) -> bool:
    return bool(event.order_decided.decision.order_id)


def is_fill(event: journal_pb2.Event) -> bool:
    return event.execution_booked.execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE


def acknowledged(healthy: Healthy, kind: str) -> tuple[int, Record]:
    """Find the first acknowledgement of a kind that names a place in the journal."""
    return next((i, r) for i, r in enumerate(healthy.records) if r.is_answer and r.kind == kind and r.sequence)


def test_a_healthy_history_has_no_finding_and_is_not_empty(healthy: Healthy) -> None:
    """Everything that is doctored below is there: accepted orders, fills, halts, resets, transfers, kills."""
    kinds = {event.WhichOneof("body") for event in healthy.events}
    assert {"order_decided", "execution_booked", "trading_halted", "halt_reset", "order_claimed"} <= kinds
    assert {ORDER, EXECUTION, HALT, TRANSFER, DEPOSIT, WITHDRAWAL, READ} <= {record.kind for record in healthy.records}
    assert healthy.links[-1].epoch > 1
    assert [] == healthy.check()


def test_a_changed_byte_breaks_the_chain(healthy: Healthy) -> None:
    """One byte of one event."""
    link = healthy.links[2]
    (sequence, body), *rest = link.events
    changed = body.replace(b"2", b"3", 1) if b"2" in body else body + b"\x00"
    healthy.links[2] = Link(link.epoch, link.hash, [(sequence, changed), *rest])
    assert "the chain breaks in the batch that begins with event" in healthy.check()[0].text


@pytest.mark.parametrize("lost", ["a batch in the middle", "the last batch"])
def test_a_lost_batch_is_found(healthy: Healthy, lost: str) -> None:
    """A middle one breaks the chain; the last one leaves acknowledgements of what is not there."""
    del healthy.links[2 if lost == "a batch in the middle" else -1]
    assert ("chain" if lost == "a batch in the middle" else "state") in healthy.promises()


def test_a_zombies_batch_after_a_newer_writers_is_found(healthy: Healthy) -> None:
    """The chain may be whole: an older epoch must not come after a newer one."""
    healthy.rewrite(lambda _events: None)
    (link,) = healthy.links
    healthy.links = [Link(2, link.hash, link.events), Link(1, bytes(32), [])]
    assert any("epoch 1 wrote" in finding.text for finding in healthy.check())


def test_a_lost_order_is_found(healthy: Healthy) -> None:
    """An acknowledged order is taken out of the journal, which hangs together without it."""
    place = healthy.first(is_accepted) - 1
    healthy.rewrite(lambda events: events.__delitem__(place))
    assert "acknowledged" in healthy.promises()


def test_an_order_with_other_content_is_found(healthy: Healthy) -> None:
    """The journal has it with one unit more than its sender was told."""

    def change(events: list[journal_pb2.Event]) -> None:
        decided = events[healthy.first(is_accepted) - 1].order_decided
        decided.order.quantity = str(int(decided.order.quantity) + 1)

    healthy.rewrite(change)
    assert any("decides on another order" in finding.text for finding in healthy.check())


def test_another_decision_than_was_answered_is_found(healthy: Healthy) -> None:
    """The sender was told another reason."""
    index, record = acknowledged(healthy, ORDER)
    decision = orders_pb2.Decision.FromString(record.answer)
    decision.reason = "it was said otherwise"
    healthy.records[index] = record._replace(answer=decision.SerializeToString())
    assert any("decides otherwise" in finding.text for finding in healthy.check())


@pytest.mark.parametrize("kind", [DEPOSIT, WITHDRAWAL])
def test_capital_that_moved_the_other_way_is_found(healthy: Healthy, kind: str) -> None:
    """A deposit is in the journal as a withdrawal of as much, or the other way round."""
    _, record = acknowledged(healthy, kind)

    def change(events: list[journal_pb2.Event]) -> None:
        moved = events[record.sequence - 1].capital_moved
        moved.amount = str(-Decimal(moved.amount))

    healthy.rewrite(change)
    assert any("moves something else" in finding.text for finding in healthy.check())


def test_an_acceptance_without_a_place_is_found(healthy: Healthy) -> None:
    """What is not in the journal was not accepted, whatever a client was told."""
    index, record = acknowledged(healthy, ORDER)
    decision = orders_pb2.Decision(order_id="9", approved_quantity="1")
    healthy.records[index] = record._replace(sequence=0, answer=decision.SerializeToString())
    assert any("has no place in the journal" in finding.text for finding in healthy.check())


def test_a_doubled_fill_is_found(healthy: Healthy) -> None:
    """The same execution_id of the same account, a second time."""
    place = healthy.first(is_fill) - 1
    healthy.rewrite(lambda events: events.insert(place, deepcopy(events[place])))
    found = healthy.check()
    assert any("execution main" in finding.text and "second time" in finding.text for finding in found)
    assert "capital" in {finding.promise for finding in found}


def test_a_doubled_order_is_found(healthy: Healthy) -> None:
    """One client_order_id was decided twice."""
    place = healthy.first(is_accepted) - 1
    healthy.rewrite(lambda events: events.insert(place, deepcopy(events[place])))
    assert any("order" in finding.text and "second time" in finding.text for finding in healthy.check())


def test_a_fill_that_nobody_reported_is_found(healthy: Healthy) -> None:
    """The journal must not make up what a broker did."""

    def change(events: list[journal_pb2.Event]) -> None:
        invented = deepcopy(events[healthy.first(is_fill) - 1])
        invented.execution_booked.execution.execution_id = "invented"
        events.append(invented)

    healthy.rewrite(change)
    assert any("nobody reported execution invented" in finding.text for finding in healthy.check())


def test_an_acceptance_after_a_halt_is_found(healthy: Healthy) -> None:
    """The whole portfolio is halted just before the first order that was accepted."""

    def change(events: list[journal_pb2.Event]) -> None:
        place = healthy.first(is_accepted) - 1
        halted = journal_pb2.Event(time=events[place].time)
        halted.trading_halted.level = common_pb2.HALT_LEVEL_HALTED
        halted.trading_halted.scope.kind = common_pb2.SCOPE_KIND_PORTFOLIO
        events.insert(place, halted)

    healthy.rewrite(change)
    assert any("after a halt and before its reset" in finding.text for finding in healthy.check())


def test_a_forgotten_halt_is_found(healthy: Healthy) -> None:
    """A halt that was acknowledged is not in the journal; the gate no longer shows it either."""
    place = healthy.first(lambda event: event.HasField("trading_halted")) - 1
    healthy.rewrite(lambda events: events.__delitem__(place))
    assert "acknowledged" in healthy.promises()


def test_an_answer_that_is_older_than_the_question_is_found(healthy: Healthy) -> None:
    """An order that was asked for after a halt had returned stands before it in the journal."""
    _, halted = acknowledged(healthy, HALT)
    index, record = next(
        (i, r)
        for i, r in enumerate(healthy.records)
        if r.is_answer and r.kind == ORDER and 0 < r.sequence < halted.sequence
    )
    late = halted.time_ns + 1
    healthy.records = [
        one._replace(time_ns=late) if (one.kind, one.key) == (record.kind, record.key) else one
        for one in healthy.records
    ]
    assert healthy.records[index].time_ns == late
    assert "order in time" in healthy.promises()


def test_a_missing_cent_is_found_in_every_figure(healthy: Healthy) -> None:
    """A cent less in what the gate says of one strategy's cash, of the reserve, of the equity."""
    for method, response, path in (
        ("ListStrategies", portfolio_pb2.ListStrategiesResponse, "cash"),
        ("GetPortfolio", portfolio_pb2.GetPortfolioResponse, "reserve"),
        ("GetRiskMetrics", risk_pb2.GetRiskMetricsResponse, "high_water_mark"),
    ):
        one = deepcopy(healthy)
        message = response.FromString(one.live[method][0])
        holder = {"cash": lambda m: m.strategies[0], "reserve": lambda m: m.conservation}.get(path, lambda m: m)(
            message
        )
        setattr(holder, path, str(Decimal(getattr(holder, path)) - Decimal("0.01")))
        one.live[method] = [message.SerializeToString()]
        one.replayed = one.live
        assert {"capital"} == one.promises(), path


def test_a_fill_at_another_price_is_found(healthy: Healthy) -> None:
    """The chain is forged: it is the broker's own report that differs, and the capital."""

    def change(events: list[journal_pb2.Event]) -> None:
        taken_back = {event.execution_booked.execution.reference_execution_id for event in events}
        fills = (event.execution_booked.execution for event in events if is_fill(event))
        execution = next(fill for fill in fills if fill.execution_id not in taken_back)
        execution.last_price = str(Decimal(execution.last_price) + Decimal("0.01"))

    healthy.rewrite(change)
    assert {"acknowledged", "capital"} <= healthy.promises()


@pytest.mark.parametrize(
    ("share", "text"),
    [
        ("max_leverage", "gross exposure"),
        ("max_concentration", "exposure to"),
        ("max_order_quantity", "an order of"),
        ("max_price_age_s", "stale price"),
    ],
)
def test_a_limit_that_was_not_kept_is_found(healthy: Healthy, share: str, text: str) -> None:
    """The configuration of the journal is rewritten: what was accepted is over its limits now, at some prefix."""

    def change(events: list[journal_pb2.Event]) -> None:
        limits = events[0].portfolio_configured.limits
        setattr(limits, share, 0 if share == "max_price_age_s" else "0.0001")
        for event in events:
            event.time.nanos += 1

    healthy.rewrite(change)
    found = [finding.text for finding in healthy.check() if finding.promise == "every prefix"]
    assert any(text in one for one in found), found


def test_cash_that_is_spent_twice_is_found(healthy: Healthy) -> None:
    """The cash strategy began with next to nothing: its buys take what it has not."""

    def change(events: list[journal_pb2.Event]) -> None:
        next(t for t in events[0].portfolio_configured.strategies if t.kind == "cash").capital = "5"

    healthy.rewrite(change)
    assert any("buys may take" in finding.text for finding in healthy.check())


def test_a_claim_of_a_canceled_order_and_a_second_claim_are_found(healthy: Healthy) -> None:
    """An order is sent to the broker once, and not when it is to be canceled."""

    def change(events: list[journal_pb2.Event]) -> None:
        claim = events[healthy.first(lambda event: event.HasField("order_claimed")) - 1]
        cancel = journal_pb2.Event(time=events[-1].time)
        cancel.cancel_requested.order_id = claim.order_claimed.order_id
        again = deepcopy(claim)
        again.time.CopyFrom(events[-1].time)
        events += [cancel, again]

    healthy.rewrite(change)
    texts = " ".join(finding.text for finding in healthy.check())
    assert "was claimed twice" in texts
    assert "it is canceled or done" in texts


def test_a_replay_that_differs_is_found(healthy: Healthy) -> None:
    """By one byte of one answer."""
    answers = dict(healthy.replayed)
    answers["GetLimits"] = [answers["GetLimits"][0] + b"\x00"]
    healthy.replayed = answers
    assert {"replay"} == healthy.promises()


def test_an_order_that_the_gate_forgot_is_found(healthy: Healthy) -> None:
    """A working order is missing in the list, here and in the replay alike."""
    pages = [orders_pb2.ListOrdersResponse.FromString(page) for page in healthy.live["ListOrders"]]
    assert pages[0].orders
    del pages[0].orders[0]
    healthy.live["ListOrders"] = [page.SerializeToString() for page in pages]
    healthy.replayed = healthy.live
    assert {"state"} == healthy.promises()


def test_an_event_that_the_checker_does_not_know_is_not_passed_over(healthy: Healthy) -> None:
    """A new kind of event has to be taught to the checker."""

    def change(events: list[journal_pb2.Event]) -> None:
        events.append(journal_pb2.Event(time=events[-1].time, limit_changed=risk_pb2.Limit()))

    healthy.rewrite(change)
    assert any("does not know limit_changed" in finding.text for finding in healthy.check())


@pytest.mark.parametrize("kind", ["risk_reported", "positions_reconciled"])
def test_reports_and_statements_move_nothing(healthy: Healthy, kind: str) -> None:
    """What a reporter or a broker's statement records is no finding."""

    def change(events: list[journal_pb2.Event]) -> None:
        events.append(journal_pb2.Event(time=events[-1].time))
        getattr(events[-1], kind).SetInParent()

    healthy.rewrite(change)
    assert not any("does not know" in finding.text for finding in healthy.check())


def test_the_checker_knows_nothing_of_the_engine() -> None:
    """Of ours it imports the messages of the wire, and its own modules; those that it needs the same."""
    folder = Path(checker.__file__).parent
    todo, seen = ["checker"], set[str]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        module = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        for imported in imports(module):
            root, _, rest = imported.partition(".")
            assert root not in {"actors", "gateway", "tests"}, (name, imported)
            assert root != "tidegate" or rest.startswith("v1"), (name, imported)
            if root == "chaos" and (folder / f"{rest.split('.')[0]}.py").exists():
                todo.append(rest.split(".")[0])
    assert {"checker", "chain", "sums", "rules", "acknowledged", "answers", "records"} == seen


def test_a_log_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """What was written whole is read again; what was cut off was never acted upon."""
    log = Log(tmp_path / "client.log")
    log.asked([(ORDER, "saver 1")])
    log.answered([(ORDER, "saver 1", 5, b"asked", b"answer")])
    whole = (tmp_path / "client.log").read_bytes()
    (tmp_path / "client.log").write_bytes(whole + whole[:20])
    asked, answered = read_log(tmp_path / "client.log")
    assert (False, ORDER, "saver 1") == asked[:3]
    assert (True, ORDER, "saver 1", 5, b"asked", b"answer") == (*answered[:3], *answered[4:])
    assert asked.time_ns <= answered.time_ns
