"""Why an order was decided as it was: recomputed from the journal, with every check's figures."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.builders import BUY, REPLACED, SELL, Desk, configuration, limit, stamp, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.errors import JournalError, RefusedError
from tidegate.explanation import Explanation, Wanted, differences, explain
from tidegate.past import Past, decided_in
from tidegate.reasons import Reason
from tidegate.risk.figure import Figure
from tidegate.risk.refusals import RECORDED_PER_S_MAX
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, risk_pb2


@pytest.fixture
def limited(open_desk: OpenDesk) -> Desk:
    """Open a desk whose every check is configured, with A at 100 and B at 50."""
    limits = {
        "max_leverage": "0.9",
        "warn_leverage": "0.5",
        "max_concentration": "0.6",
        "warn_concentration": "0.3",
        "halt_drawdown": "0.2",
        "warn_drawdown": "0.1",
        "max_order_notional": "60000",
        "max_order_quantity": "5000",
    }
    desk = open_desk(configuration(**limits))
    desk.bar(1, A="100", B="50")
    return desk


def explained(desk: Desk, order_id: str = "", client_order_id: str = "", strategy_id: str = "cash") -> Explanation:
    """Explain an order from the desk's journal."""
    wanted = Wanted(order_id) if order_id else Wanted("", strategy_id, client_order_id)
    return explain(desk.gate.journal.read(0), wanted)


def outcomes(explanation: Explanation) -> dict[str, str]:
    """Say in a word what each check came to."""
    return {
        result.name: "not held"
        if not result.is_held
        else "passed"
        if result.violation is None
        else result.violation.reason.value
        for result in explanation.checks
    }


@pytest.mark.control("explanation")
def test_an_allowed_order_shows_every_check_that_it_passed_with_its_figures(limited: Desk) -> None:
    """Nothing was violated, and still it is said what was looked at, and how near it came."""
    decision = limited.buy("cash", "100")
    found = explained(limited, decision.order_id)
    assert [] == found.differences
    assert decision == found.decision
    assert {"passed"} == set(outcomes(found).values())
    assert [
        "halt state",
        "price age",
        "increments",
        "reduce only",
        "order size",
        "drawdown",
        "leverage",
        "concentration",
        "capital",
    ] == [result.name for result in found.checks]
    shown = {result.name: result.figures for result in found.checks}
    assert Figure("gross exposure, to refuse above", "10000", "90000") in shown["leverage"]
    assert Figure("equity at worst, to halt below", "100000", "80000") in shown["drawdown"]
    assert Figure("value of the order", "10000", "60000") in shown["order size"]
    assert Figure("cost of the order", "10000", "50000") in shown["capital"]
    assert Figure("mark", "100") in found.inputs


def test_a_warned_order_names_the_warning_that_it_passed_with(limited: Desk) -> None:
    """The check warns, and the figures say of what."""
    decision = limited.buy("cash", "400")
    found = explained(limited, decision.order_id)
    assert common_pb2.ACTION_WARN == found.decision.action
    assert [] == found.differences
    assert "CONCENTRATION" == outcomes(found)["concentration"]
    assert "passed" == outcomes(found)["leverage"]


@pytest.mark.control("explanation")
@pytest.mark.parametrize("quantity", ["5001", "0.5", "601"])
def test_a_refused_order_is_explained_by_its_senders_id_and_by_its_event(limited: Desk, quantity: str) -> None:
    """It has no order id; its place in the journal and its sender's id name it."""
    decision = limited.buy("cash", quantity)
    assert not decision.order_id
    by_id = explained(limited, client_order_id="o1")
    assert by_id == explained(limited, str(decision.sequence))
    assert [] == by_id.differences
    assert [v.reason_code for v in decision.violations] == [
        result.violation.reason for result in by_id.checks if result.violation is not None
    ]


def test_an_order_that_only_reduces_is_not_held_against_what_limits_exposure(limited: Desk) -> None:
    """The checks that a way out passes are named as such, not as passed."""
    limited.hold("cash", "100", "100")
    found = explained(limited, limited.sell("cash", "100").order_id)
    assert [] == found.differences
    assert {"drawdown", "leverage", "concentration", "capital"} == {
        name for name, outcome in outcomes(found).items() if outcome == "not held"
    }


def test_a_replacement_is_explained_against_the_order_that_it_replaces(limited: Desk) -> None:
    """Accepted or refused, by any id that the order had."""
    order = limit(limited.order("cash", SELL, "10", "A"), "99")
    limited.hold("cash", "100", "100")
    order_id = limited.submit(order).order_id
    first = limited.replace(limited.replacement(order, "20", "98"))
    limited.report(limited.execution(order_id, REPLACED))
    limited.replace(limited.replacement(order, "101", "98"))
    accepted, refused = (explained(limited, client_order_id=name) for name in ("r4", "r6"))
    assert ([], [], first) == (accepted.differences, refused.differences, accepted.decision)
    assert ("20", "98") == (accepted.asked.quantity, accepted.asked.limit_price)
    assert "SHORT_SALE" == outcomes(refused)["capital"]


def test_what_names_nothing_known_has_one_line_instead_of_checks(limited: Desk) -> None:
    """There was nothing to run the checks on."""
    limited.buy("cash", "1", "F")
    found = explained(limited, client_order_id="o1")
    assert [Reason.PRICE_MISSING] == [result.violation.reason for result in found.checks if result.violation]
    assert ([], []) == (found.inputs, found.differences)


def test_the_halt_over_an_order_is_named_with_who_set_it(limited: Desk) -> None:
    """As it stood when the order came, also when it is over by now."""
    limited.halt()
    decision = limited.buy("cash", "1")
    found = explained(limited, str(decision.sequence))
    assert ["ann"] == [halt.operator for halt in found.halts]
    assert [] == found.differences
    shown = {result.name: result.figures for result in found.checks}
    assert Figure("halt level", "HALTED by ann (event 3)") in shown["halt state"]


def test_later_events_change_nothing_of_an_explanation(limited: Desk) -> None:
    """It is as of just before the decision, whatever became of the order."""
    decision = limited.buy("cash", "100")
    before = explained(limited, decision.order_id)
    limited.fill(decision.order_id, "100", "101")
    limited.bar(2, A="70", B="50")
    assert before == explained(limited, decision.order_id)


def _approve_more(event: journal_pb2.Event) -> None:
    event.order_decided.decision.approved_quantity = "500"


def _let_pass(event: journal_pb2.Event) -> None:
    decision = event.order_decided.decision
    decision.action, decision.order_id = common_pb2.ACTION_ALLOW, str(event.sequence)


def _forget_a_violation(event: journal_pb2.Event) -> None:
    del event.order_decided.decision.violations[:]


def _reserve_less(event: journal_pb2.Event) -> None:
    event.order_decided.valuation_price = "1"


@pytest.mark.control("explanation")
@pytest.mark.parametrize(
    ("tamper", "quantity", "fields"),
    [
        (_approve_more, "400", ["approved_quantity"]),
        (_forget_a_violation, "400", ["violations"]),
        (_reserve_less, "400", ["valuation_price"]),
        (_let_pass, "601", ["action", "order_id"]),
    ],
)
def test_a_tampered_decision_is_reported_field_by_field(
    limited: Desk, tamper: Callable[[journal_pb2.Event], None], quantity: str, fields: list[str]
) -> None:
    """A journal whose hash chain was forged with it still does not recompute."""
    sequence = limited.buy("cash", quantity).sequence
    events = limited.events()
    tamper(events[sequence - 1])
    events[sequence:] = []
    past = Past()
    for event in events[:-1]:
        past.apply(event)
    assert fields == [found.field for found in differences(past, events[-1])]


def test_a_tampered_limit_is_reported_by_the_decisions_that_it_bore_on(limited: Desk) -> None:
    """The inputs are part of the journal too: another limit gives another decision."""
    decision = limited.buy("cash", "601")
    events = limited.events()
    events[0].portfolio_configured.limits.max_order_notional = "1000000"
    events[0].portfolio_configured.limits.max_concentration = "1"
    found = explain(events, Wanted(str(decision.sequence)))
    assert "violations" in [difference.field for difference in found.differences]


def test_what_the_journal_does_not_hold_is_refused_in_one_line(limited: Desk) -> None:
    """An unknown order, an event that is none, an id of another strategy."""
    limited.buy("cash", "1")
    for wanted in (Wanted("2"), Wanted("99"), Wanted("", "margin", "o1"), Wanted("", "ghost", "o1")):
        with pytest.raises(RefusedError) as caught:
            explain(limited.gate.journal.read(0), wanted)
        assert Reason.ORDER_UNKNOWN == caught.value.reason
        assert f"events hold no decision on {wanted}" in caught.value.text


@pytest.mark.control("bounded-records")
def test_refusals_that_were_only_counted_are_said_to_be(limited: Desk) -> None:
    """What is in the journal as a number only cannot be recomputed, and nobody is told that it can."""
    for _ in range(RECORDED_PER_S_MAX + 3):
        limited.buy("cash", "601")
    limited.tick(after_s=1)
    decision = limited.buy("cash", "1")
    assert 3 == explained(limited, decision.order_id).counted
    assert 3 == explained(limited, client_order_id="o100").counted
    with pytest.raises(RefusedError, match="3 refusals are in it as a number only"):
        explained(limited, client_order_id="o102")


def test_a_journal_that_cannot_be_folded_says_where(limited: Desk) -> None:
    """An event is missing: the explanation ends there, and explains nothing."""
    decision = limited.buy("cash", "1")
    events = [event for event in limited.events() if event.sequence != 2]
    with pytest.raises(JournalError, match="cannot be replayed past event 1"):
        explain(events, Wanted(decision.order_id))


def test_nothing_is_read_that_comes_long_after_the_decision(limited: Desk) -> None:
    """An auditor of an early order does not wait for the whole journal."""
    decision = limited.buy("cash", "1")
    for day in range(2, 6):
        limited.bar(day, A="100", B="50")
    read: list[int] = []

    def watched() -> Iterator[journal_pb2.Event]:
        for event in limited.gate.journal.read(0):
            read.append(event.sequence)
            yield event

    explain(watched(), Wanted(decision.order_id))
    assert [1, 2, 3, 4] == read


def test_only_decisions_are_decided_again(limited: Desk) -> None:
    """A bar is no decision."""
    (bar,) = limited.events("bar_published")
    assert decided_in(bar) is None
    with pytest.raises(RefusedError):
        Past().decide_again(bar)


def test_an_order_that_was_made_smaller_is_recomputed_with_the_figures_of_what_was_asked(limited: Desk) -> None:
    """A limit of the strategy's own that an operator set for an hour asked for less; it is named with its operator."""
    change = risk_pb2.Limit(
        figure=risk_pb2.LIMIT_FIGURE_GROSS_EXPOSURE,
        scope=strategy_scope("cash"),
        limit="5000",
        action=common_pb2.ACTION_REDUCE,
    )
    request = admin_pb2.UpdateLimitsRequest(limits=[change], operator="ann", reason="quiet", expires=stamp(2))
    limited.ask("UpdateLimits", request, admin_pb2.UpdateLimitsResponse)
    order = limited.order("cash", BUY, "80", "A")
    order.accept_reduced = True
    decision = limited.submit(order)
    assert "50" == decision.approved_quantity
    found = explained(limited, decision.order_id)
    assert [] == found.differences
    assert Reason.GROSS_EXPOSURE == outcomes(found)["scoped limit"]
    shown = {result.name: result.figures for result in found.checks}
    assert [Figure("gross_exposure of the strategy cash, to reduce above", "8000", "5000")] == shown["scoped limit"]
    (temporary,) = [limit for limit in found.limits if limit.set_by.startswith("ann (quiet, until ")]
    assert ("gross_exposure of the strategy cash", 3) == (temporary.name, temporary.sequence)


def test_value_at_risk_is_explained_where_it_is_defined_and_where_it_is_not(open_desk: OpenDesk) -> None:
    """Undefined names the first instrument in the alphabet, whatever was held first, so that it follows again."""
    desk = open_desk(configuration())
    for day in range(1, 63):
        desk.bar(day, F=str(20 + day % 3))
    limit = risk_pb2.Limit(
        figure=risk_pb2.LIMIT_FIGURE_VALUE_AT_RISK, limit="0.05", confidence="0.95", on_undefined=common_pb2.ACTION_WARN
    )
    request = admin_pb2.UpdateLimitsRequest(limits=[limit], operator="ann", reason="quiet")
    desk.ask("UpdateLimits", request, admin_pb2.UpdateLimitsResponse)
    passed = explained(desk, desk.buy("margin", "1", "F").order_id)
    desk.bar(63, A="100", B="50", F="20")
    desk.hold("margin", "10", "50", "B")
    desk.hold("cash", "10", "100", "A")
    undefined = explained(desk, desk.buy("margin", "1", "F").order_id)
    assert ([], []) == (passed.differences, undefined.differences)
    shown = [{result.name: result.figures for result in found.checks} for found in (passed, undefined)]
    (figure,) = shown[0]["scenario limit"]
    assert ("value_at_risk of the portfolio, to refuse above", "5000") == (figure.name, figure.limit)
    assert [Figure("sessions of A, to be at least", "0", "60")] == shown[1]["scenario limit"]
    assert undefined.decision.reason.startswith("value at risk of a session is undefined: A has")
