"""Limits of any scope: exactly at, one unit above; longs, shorts, flips, working orders; changes by a named person."""

import pytest

from tests.unit.builders import BUY, Desk, action, configuration, instrument_scope, stamp, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.v1 import admin_pb2, common_pb2, risk_pb2

WARN, REDUCE, REJECT, HALT = (
    common_pb2.Action.Value(f"ACTION_{word}") for word in ("WARN", "REDUCE", "REJECT", "HALT")
)
CASH, MARGIN = strategy_scope("cash"), strategy_scope("margin")
TECH = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_SECTOR, name="tech")
EQUITY = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_ASSET_CLASS, name="equity")
EVERYTHING = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)


def limit(figure: str, scope: common_pb2.Scope = EVERYTHING, **fields: object) -> risk_pb2.Limit:
    """Write a limit."""
    return risk_pb2.Limit(figure=risk_pb2.LimitFigure.Value(f"LIMIT_FIGURE_{figure}"), scope=scope, **fields)  # type: ignore[arg-type]


def limited(open_desk: OpenDesk, *limits: risk_pb2.Limit) -> Desk:
    """Open a desk with these limits and no others; A and F are tech, all are priced at 100."""
    configured = configuration()
    configured.instruments[0].sector = configured.instruments[2].sector = "tech"
    configured.strategies[1].max_leverage = "6"
    configured.further_limits.extend(limits)
    desk = open_desk(configured)
    desk.bar(1, A="100", B="100", F="100")
    return desk


def update(desk: Desk, *limits: risk_pb2.Limit, expires: float | None = None, reason: str = "quiet week") -> str:
    """Change limits in an operator's name; return the reason of a refusal."""
    request = admin_pb2.UpdateLimitsRequest(limits=limits, operator="ann", reason=reason)
    if expires is not None:
        request.expires.CopyFrom(stamp(expires))
    return desk.refusal("UpdateLimits", request)


def in_force(desk: Desk) -> list[risk_pb2.Limit]:
    """Ask which limits are in force."""
    return [state.limit for state in states(desk)]


def states(desk: Desk) -> list[risk_pb2.LimitState]:
    """Ask how near the book is to its limits."""
    return list(desk.ask("GetLimits", risk_pb2.GetLimitsRequest(), risk_pb2.GetLimitsResponse).in_force)


@pytest.mark.control("sector-exposure", "gross-exposure")
@pytest.mark.parametrize(
    ("scope", "symbol", "at_limit", "above"),
    [
        (EVERYTHING, "A", "100", "101"),
        (MARGIN, "A", "100", "101"),
        (MARGIN, "A", "-100", "-101"),
        (instrument_scope("A"), "A", "100", "101"),
        (TECH, "A", "100", "101"),
        (TECH, "F", "10", "10.5"),
        (EQUITY, "B", "-100", "-101"),
    ],
)
def test_gross_exposure_of_each_scope_passes_exactly_at_its_limit(
    open_desk: OpenDesk, scope: common_pb2.Scope, symbol: str, at_limit: str, above: str
) -> None:
    """Pins 10,000 of a scope, long and short, with and without a multiplier, and what the violation says."""
    desk = limited(open_desk, limit("GROSS_EXPOSURE", scope, limit="10000"))
    refused = desk.move("margin", above, symbol)
    assert "REJECT GROSS_EXPOSURE" == action(refused)
    (violation,) = refused.violations
    assert ("10000", scope) == (violation.limit, violation.scope)
    assert "ALLOW" == action(desk.move("margin", at_limit, symbol))


@pytest.mark.parametrize(
    "scope", [MARGIN, instrument_scope("B"), common_pb2.Scope(kind=common_pb2.SCOPE_KIND_SECTOR, name="energy")]
)
def test_a_limit_of_another_scope_is_not_asked(open_desk: OpenDesk, scope: common_pb2.Scope) -> None:
    """Pins that an order meets the limits of its own scopes only."""
    desk = limited(open_desk, limit("GROSS_EXPOSURE", scope, limit="1"))
    assert "ALLOW" == action(desk.buy("cash", "10"))


@pytest.mark.control("sector-exposure")
def test_working_orders_of_both_strategies_count_in_a_sector(open_desk: OpenDesk) -> None:
    """Pins the worst case: 60 working of one strategy and 40 of the other fill a sector's 10,000."""
    desk = limited(open_desk, limit("GROSS_EXPOSURE", TECH, limit="10000"))
    desk.buy("cash", "60")
    assert "REJECT GROSS_EXPOSURE" == action(desk.move("margin", "-41"))
    assert "ALLOW" == action(desk.move("margin", "-40"))


def test_a_flip_counts_with_what_it_opens(open_desk: OpenDesk) -> None:
    """Pins that 50 long may become 100 short, and not one more."""
    desk = limited(open_desk, limit("GROSS_EXPOSURE", MARGIN, limit="10000"))
    desk.hold("margin", "50", "100")
    assert "REJECT GROSS_EXPOSURE" == action(desk.move("margin", "-151"))
    assert "ALLOW" == action(desk.move("margin", "-150"))


def test_a_reducing_order_passes_an_exposure_limit_and_no_limit_of_one_order(open_desk: OpenDesk) -> None:
    """Pins the way out, and that a fat finger is caught on the way out as well."""
    desk = limited(
        open_desk,
        limit("GROSS_EXPOSURE", CASH, limit="40000"),
        limit("ORDER_QUANTITY", instrument_scope("A"), limit="300"),
    )
    desk.hold("cash", "300", "100")
    desk.bar(2, A="200", B="100", F="100")
    assert "REJECT GROSS_EXPOSURE" == action(desk.buy("cash", "1"))
    assert "ALLOW" == action(desk.sell("cash", "300"))
    assert "REJECT ORDER_QUANTITY" == action(desk.move("margin", "301"))


@pytest.mark.parametrize(
    ("figure", "scope", "at_limit", "above"),
    [
        ("LEVERAGE", MARGIN, "450", "451"),
        ("CONCENTRATION", TECH, "300", "301"),
        ("CONCENTRATION", instrument_scope("A"), "300", "301"),
        ("CONCENTRATION", MARGIN, "300", "301"),
        ("ORDER_NOTIONAL", MARGIN, "3", "4"),
        ("ORDER_QUANTITY", MARGIN, "3", "4"),
    ],
)
def test_each_figure_passes_exactly_at_its_limit(
    open_desk: OpenDesk, figure: str, scope: common_pb2.Scope, at_limit: str, above: str
) -> None:
    """Pins multiples of the strategy's 30,000, shares of the portfolio's 100,000, and bounds on one order."""
    bound = {"LEVERAGE": "1.5", "CONCENTRATION": "0.3", "ORDER_NOTIONAL": "300", "ORDER_QUANTITY": "3"}[figure]
    desk = limited(open_desk, limit(figure, scope, limit=bound))
    assert f"REJECT {figure}" == action(desk.move("margin", above))
    assert "ALLOW" == action(desk.move("margin", at_limit))


def test_above_the_warning_an_order_is_allowed_and_the_tightest_limit_is_named(open_desk: OpenDesk) -> None:
    """Pins that every limit over is listed, and that the worst action and its first limit lead."""
    desk = limited(
        open_desk,
        limit("GROSS_EXPOSURE", MARGIN, warn="5000", limit="10000"),
        limit("GROSS_EXPOSURE", TECH, limit="8000"),
        limit("GROSS_EXPOSURE", EVERYTHING, warn="1000", limit="20000"),
    )
    assert "ALLOW" == action(desk.move("margin", "10"))
    assert "WARN GROSS_EXPOSURE" == action(desk.move("margin", "50"))
    refused = desk.move("margin", "25")
    assert ("REJECT GROSS_EXPOSURE", "8000") == (action(refused), refused.violations[2].limit)
    assert [EVERYTHING, MARGIN, TECH] == [violation.scope for violation in refused.violations]
    assert "sector tech" in refused.reason


@pytest.mark.parametrize("lowest", ["70.1", "70"])
def test_a_strategys_drawdown_refuses_its_own_orders_and_nobody_elses(open_desk: OpenDesk, lowest: str) -> None:
    """Pins 30% of a strategy's high-water mark of 30,000: exactly at it passes, a cent of the price below does not."""
    desk = limited(open_desk, limit("DRAWDOWN", MARGIN, limit="0.3"))
    desk.hold("margin", "300", "100")
    desk.bar(2, A=lowest, B="100", F="100")
    assert "ALLOW" == action(desk.buy("margin", "1", "B"))
    desk.bar(3, A="69.99", B="100", F="100")
    assert "REJECT DRAWDOWN" == action(desk.buy("margin", "1", "B"))
    assert ("ALLOW", "ALLOW") == (action(desk.buy("cash", "1", "B")), action(desk.sell("margin", "300")))


def test_a_transfer_is_no_drawdown_and_no_loss_of_the_day(open_desk: OpenDesk) -> None:
    """Pins that a strategy that gives half of its capital away may go on, and that its drawdown stays what it was."""
    desk = limited(open_desk, limit("DRAWDOWN", MARGIN, limit="0.3"), limit("DAILY_LOSS", MARGIN, limit="0.3"))
    desk.hold("margin", "60", "100")
    desk.bar(2, A="75", B="100", F="100")  # a loss of 1,500, 5%
    request = admin_pb2.TransferCapitalRequest(
        transfer_id="t", from_strategy_id="margin", amount="12000", operator="ann", reason="out"
    )
    assert "" == desk.refusal("TransferCapital", request)
    assert "ALLOW" == action(desk.buy("margin", "1", "B"))
    desk.price(2.1, A="1")
    assert "REJECT DRAWDOWN" == action(desk.buy("margin", "1", "B"))


@pytest.mark.control("daily-loss", "kill-automatic")
@pytest.mark.parametrize(("scope", "quantity"), [(MARGIN, "300"), (EVERYTHING, "1000")])
def test_a_loss_of_the_day_halts_its_scope_and_yesterdays_does_not_count(
    open_desk: OpenDesk, scope: common_pb2.Scope, quantity: str
) -> None:
    """Pins 20% of what was there when the UTC day began: exactly at it passes, a cent below halts the scope alone."""
    desk = limited(open_desk, limit("DAILY_LOSS", scope, limit="0.2", action=HALT))
    desk.hold("margin", quantity, "100")
    for day, price in ((2.2, "80"), (3.2, "64")):
        desk.bar(day, A=price, B="100", F="100")
    assert [] == desk.events("trading_halted")
    desk.price(3.3, A="63.99")
    (halted,) = desk.events("trading_halted")
    assert (scope, "DAILY_LOSS") == (halted.trading_halted.scope, halted.trading_halted.reason_code)
    desk.bar(4.2, A="63.99", B="100", F="100")
    assert "DAILY_LOSS" not in {reason for reason, _ in desk.book.breaches}
    assert desk.book.halts.keys() == desk.restarted().book.halts.keys()


@pytest.mark.control("daily-loss")
def test_an_order_that_could_lose_too_much_is_refused_and_halts_nobody(open_desk: OpenDesk) -> None:
    """Pins that only what has happened halts: a buy far above the mark only could."""
    desk = limited(open_desk, limit("DAILY_LOSS", MARGIN, limit="0.1", action=HALT))
    order = desk.order("margin", BUY, "100", "B")
    order.order_type, order.limit_price = common_pb2.ORDER_TYPE_LIMIT, "131"
    assert "REJECT DAILY_LOSS" == action(desk.submit(order))
    assert [] == desk.events("trading_halted")


@pytest.mark.parametrize("expected", [("REDUCE", "37"), ("REJECT", "0")])
def test_reduce_answers_with_the_largest_quantity_that_passes(open_desk: OpenDesk, expected: tuple[str, str]) -> None:
    """Pins whole lots under two limits at once, taken only by a sender that accepts it, else named in the refusal."""
    desk = limited(
        open_desk,
        limit("GROSS_EXPOSURE", MARGIN, limit="3799.99", action=REDUCE),
        limit("ORDER_QUANTITY", instrument_scope("A"), limit="60", action=REDUCE),
    )
    order = desk.order("margin", BUY, "100", "A")
    order.accept_reduced = expected[0] == "REDUCE"
    decision = desk.submit(order)
    word = common_pb2.Action.Name(decision.action).removeprefix("ACTION_")
    assert (*expected, "GROSS_EXPOSURE") == (word, decision.approved_quantity, decision.violations[0].reason_code)
    if order.accept_reduced:
        working = desk.book.orders[decision.order_id]
        assert ("37", "37") == (str(working.leaves_quantity), working.to_wire().order.quantity)
        assert decision == desk.submit(order)
    else:
        assert decision.reason.endswith("; 37 would pass")


def test_reduce_to_nothing_is_a_refusal_and_a_worse_limit_is_not_reduced(open_desk: OpenDesk) -> None:
    """Pins that nothing that fits is nothing accepted, and that a limit that refuses goes first."""
    desk = limited(
        open_desk, limit("GROSS_EXPOSURE", MARGIN, limit="99", action=REDUCE), limit("ORDER_QUANTITY", limit="5")
    )
    order = desk.order("margin", BUY, "2", "A")
    order.accept_reduced = True
    assert "REJECT GROSS_EXPOSURE" == action(desk.submit(order))
    larger = desk.order("margin", BUY, "6", "A")
    larger.accept_reduced = True
    assert "REJECT ORDER_QUANTITY" == action(desk.submit(larger))


@pytest.mark.control("limit-changes")
def test_a_changed_limit_holds_at_once_says_who_set_it_and_survives_a_restart(open_desk: OpenDesk) -> None:
    """Pins UpdateLimits: lowered, raised, taken away."""
    desk = limited(open_desk)
    assert "" == update(desk, limit("GROSS_EXPOSURE", MARGIN, limit="1000", warn="500"))
    assert "REJECT GROSS_EXPOSURE" == action(desk.move("margin", "11"))
    desk = desk.restarted()
    (found,) = in_force(desk)
    assert ("ann", "quiet week", "1000", REJECT) == (found.operator, found.reason, found.limit, found.action)
    assert "" == update(desk, limit("GROSS_EXPOSURE", MARGIN, limit="1100"))
    assert "ALLOW" == action(desk.move("margin", "11"))
    assert "" == update(desk, limit("GROSS_EXPOSURE", MARGIN))
    assert [] == in_force(desk)


def test_the_portfolios_own_limits_can_be_changed_too(open_desk: OpenDesk) -> None:
    """Pins that those of the portfolio file stand in the same table, halting drawdown included."""
    desk = open_desk(configuration(max_leverage="2", halt_drawdown="0.2"))
    desk.bar(1, A="100")
    assert 2 == len(in_force(desk))
    assert "" == update(desk, limit("LEVERAGE", limit="0.1"), limit("DRAWDOWN", limit="0.05", action=HALT))
    assert "REJECT LEVERAGE" == action(desk.buy("cash", "101"))
    desk.hold("cash", "100", "100")
    desk.bar(2, A="49.99")
    assert common_pb2.HALT_LEVEL_HALTED == desk.level()


@pytest.mark.control("breaches")
def test_a_limit_lowered_below_what_is_held_is_a_breach_with_its_cause_and_ends_with_the_limit(
    open_desk: OpenDesk,
) -> None:
    """Pins that the change itself is the cause, in the same batch, and that no breach outlives its limit."""
    desk = limited(open_desk)
    desk.hold("margin", "20", "100")
    update(desk, limit("GROSS_EXPOSURE", TECH, limit="1999.99"))
    (changed,), (breached,) = desk.events("limit_changed"), desk.events("limit_breached")
    assert (changed.sequence, "GROSS_EXPOSURE") == (
        breached.limit_breached.cause_sequence,
        breached.limit_breached.violation.reason_code,
    )
    update(desk, limit("GROSS_EXPOSURE", TECH))
    assert ({}, 1) == (desk.book.breaches, len(desk.events("limit_restored")))


@pytest.mark.control("limit-changes")
def test_a_temporary_limit_goes_back_by_itself(open_desk: OpenDesk) -> None:
    """Pins a limit raised for a time, and one taken away for a time: at their time what stood before is back."""
    desk = limited(open_desk, limit("GROSS_EXPOSURE", MARGIN, limit="1000"), limit("ORDER_QUANTITY", limit="50"))
    update(desk, limit("GROSS_EXPOSURE", MARGIN, limit="5000"), limit("ORDER_QUANTITY"), expires=1.5)
    desk.hold("margin", "50", "100")
    assert [] == desk.tick(43_199)
    desk = desk.restarted()
    assert ["limit_expired", "limit_expired", "limit_breached"] == [e.WhichOneof("body") for e in desk.tick(1)]
    assert ["1000", "50"] == [found.limit for found in in_force(desk)]
    assert "REJECT ORDER_QUANTITY" == action(desk.move("margin", "51", "B"))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (limit("DRAWDOWN", TECH, limit="0.1"), "LIMIT_INVALID"),
        (limit("DRAWDOWN", limit="1.01"), "LIMIT_INVALID"),
        (limit("LEVERAGE", limit="6.01"), "LIMIT_INVALID"),
        (limit("LEVERAGE", limit="0"), "LIMIT_INVALID"),
        (limit("LEVERAGE", limit="-1"), "LIMIT_INVALID"),
        (limit("LEVERAGE", limit="1e1"), "LIMIT_INVALID"),
        (limit("GROSS_EXPOSURE", limit="5", warn="6"), "LIMIT_INVALID"),
        (limit("GROSS_EXPOSURE", TECH, limit="5", action=HALT), "LIMIT_INVALID"),
        (limit("GROSS_EXPOSURE", limit="5", action=common_pb2.ACTION_ALLOW), "LIMIT_INVALID"),
        (limit("UNSPECIFIED", limit="5"), "LIMIT_INVALID"),
        (limit("GROSS_EXPOSURE", strategy_scope("nobody"), limit="5"), "SCOPE_INVALID"),
        (
            limit("GROSS_EXPOSURE", common_pb2.Scope(kind=common_pb2.SCOPE_KIND_SECTOR, name="energy"), limit="5"),
            "SCOPE_INVALID",
        ),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_and_with_it_all_of_its_request(
    open_desk: OpenDesk, wrong: risk_pb2.Limit, reason: str
) -> None:
    """Pins all or none, with nothing recorded."""
    desk = limited(open_desk)
    before = desk.book.sequence
    assert reason == update(desk, limit("GROSS_EXPOSURE", limit="5"), wrong)
    assert (before, []) == (desk.book.sequence, in_force(desk))


def test_a_change_needs_a_reason_and_an_end_in_the_future(open_desk: OpenDesk) -> None:
    """Pins who and why, and that no change ends before it begins."""
    desk = limited(open_desk)
    assert "TEXT_INVALID" == update(desk, limit("LEVERAGE", limit="1"), reason=" ")
    assert "TIME_INVALID" == update(desk, limit("LEVERAGE", limit="1"), expires=1)


def test_a_strategys_halt_is_reset_only_when_it_would_not_halt_again(open_desk: OpenDesk) -> None:
    """Pins that a reset that keeps the mark is refused, and one that re-bases it lets the strategy go on."""
    desk = limited(open_desk, limit("DRAWDOWN", MARGIN, limit="0.1", action=HALT))
    desk.hold("margin", "100", "100")
    desk.bar(2, A="69", B="100", F="100")
    reset = admin_pb2.ResetHaltRequest(scope=MARGIN, operator="ann", reason="seen")
    assert "RESET_WOULD_HALT_AGAIN" == desk.refusal("ResetHalt", reset)
    reset.high_water_mark = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
    assert "" == desk.refusal("ResetHalt", reset)
    assert "ALLOW" == action(desk.buy("margin", "1", "B"))


def test_every_limit_says_what_is_left_of_it(open_desk: OpenDesk) -> None:
    """Pins actual, bound and headroom of money, multiples and shares, also below zero and without a figure."""
    desk = limited(
        open_desk,
        limit("LEVERAGE", MARGIN, limit="1.5"),
        limit("CONCENTRATION", limit="0.05"),
        limit("DRAWDOWN", MARGIN, limit="0.1"),
        limit("GROSS_EXPOSURE", TECH, warn="9000"),
        limit("ORDER_QUANTITY", limit="600"),
    )
    desk.hold("margin", "50", "100")
    desk.bar(2, A="120", B="100", F="100")
    assert [
        ("6000", "46500", "40500"),
        ("6000", "5050", "-950"),
        ("0", "3100", "3100"),
        ("6000", "9000", "3000"),
        ("", "", ""),
    ] == [(state.actual, state.bound, state.headroom) for state in states(desk)]


@pytest.mark.parametrize("scope", [EVERYTHING, instrument_scope("A")])
@pytest.mark.parametrize("word", ["WARN", "REDUCE", "HALT"])
def test_whatever_a_limit_does_the_book_over_it_is_a_breach_and_exactly_at_it_is_not(
    open_desk: OpenDesk, word: str, scope: common_pb2.Scope
) -> None:
    """Pins that a price takes an instrument over its share: alerted by each action, halted by HALT alone."""
    wanted = common_pb2.Action.Value(f"ACTION_{word}")
    desk = limited(open_desk, limit("CONCENTRATION", scope, limit="0.3", action=wanted))
    desk.hold("margin", "-300", "100")
    assert [] == desk.events("limit_breached")
    desk.price(1.1, A="100.01")
    (breached,) = desk.events("limit_breached")
    assert (wanted, instrument_scope("A")) == (
        breached.limit_breached.violation.action,
        breached.limit_breached.violation.scope,
    )
    halts = [event.trading_halted.scope for event in desk.events("trading_halted")]
    assert ([instrument_scope("A")] if word == "HALT" else []) == halts
    desk.price(1.2, A="99")
    assert {} == desk.book.breaches


def test_an_instruments_halt_is_reset_only_when_it_would_not_halt_again(open_desk: OpenDesk) -> None:
    """Pins that a reset that nothing would come of is refused with its reason."""
    desk = limited(open_desk, limit("GROSS_EXPOSURE", instrument_scope("A"), limit="30000", action=HALT))
    desk.hold("margin", "-300", "100")
    desk.price(1.1, A="100.01")
    reset = admin_pb2.ResetHaltRequest(scope=instrument_scope("A"), operator="ann", reason="seen")
    assert "RESET_WOULD_HALT_AGAIN" == desk.refusal("ResetHalt", reset)
    desk.price(1.2, A="100")
    assert "" == desk.refusal("ResetHalt", reset)
