"""The end of a session: the book as it was before the next day's first mark, read off a journal."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, SELL, TRADE, Desk, configuration, instrument
from tests.unit.conftest import OpenDesk
from tidegate.portfolio.session_end import FollowedBook, SessionEnd
from tidegate.v1 import orders_pb2, risk_pb2


def ends(desk: Desk) -> list[SessionEnd]:
    """Read every session's end off the desk's journal."""
    followed = FollowedBook()
    return [end for event in desk.gate.journal.read(0) if (end := followed.take(event)) is not None]


def held(end: SessionEnd) -> set[tuple[str, str, str, Decimal]]:
    """Return what was held at the end of a session, each with its sector and its value in its own currency."""
    return {
        (
            one.strategy_id,
            one.instrument.symbol,
            one.instrument.sector,
            one.quantity * one.price * one.instrument.multiplier,
        )
        for one in end.state.held
    }


def test_a_session_ends_before_the_mark_of_the_next_day_counts(desk: Desk) -> None:
    """Pins equity, positions and the event; a price of the same day ends nothing, and neither does a quiet night."""
    desk.hold("cash", "100", "100")
    desk.price(1.2, A="104")
    desk.price(1.4, A="103")
    assert [] == ends(desk)
    ended_by = desk.bar(2, A="90")
    (end,) = ends(desk)
    assert (ended_by, Decimal(100_300), Decimal(100_400)) == (
        end.end_sequence,
        end.state.equity,
        end.state.high_water_mark,
    )
    assert {("cash", "A", "", Decimal(10_300))} == held(end)
    assert (desk.book.history.day - 1) * 86_400_000_000_000 == end.session_ns
    assert end.session_ns < end.state.time_ns < end.session_ns + 86_400_000_000_000


def test_values_are_signed_and_have_multiplier_and_sector_and_the_suspense_ledger_is_in_it(open_desk: OpenDesk) -> None:
    """Pins a short future, and a fill of an order never seen."""
    configured = configuration()
    configured.instruments[2].sector = "rates"
    desk = open_desk(configured)
    desk.bar(1, A="100", F="20")
    desk.hold("margin", "-3", "20", "F")
    desk.report(
        orders_pb2.Execution(
            execution_id="odd", execution_type=TRADE, symbol="A", side=SELL, last_quantity="2", last_price="100"
        )
    )
    desk.bar(2, A="100")
    (end,) = ends(desk)
    assert {("margin", "F", "rates", Decimal(-600)), ("suspense", "A", "", Decimal(-200))} == held(end)


def test_what_is_foreign_comes_with_its_rate_and_what_nobody_configured_is_in_the_portfolios_currency(
    open_desk: OpenDesk,
) -> None:
    """Pins the rate of the end and not of the next day, a currency that has none, and a fill of an unknown symbol."""
    configured = configuration()
    for symbol, currency, buys in (
        ("E", "EUR", ""),
        ("S", "CHF", ""),
        ("EURUSD", "USD", "EUR"),
        ("CHFUSD", "USD", "CHF"),
    ):
        added = instrument(symbol)
        added.currency, added.buys, added.asset_class = currency, buys, "fx" if buys else "equity"
        configured.instruments.append(added)
    for currency in ("EUR", "CHF"):
        configured.currency_rates.add(currency=currency, symbol=f"{currency}USD")
    desk = open_desk(configured)
    desk.bar(1, A="100", E="10", S="20", EURUSD="1.1")
    desk.price(1.2, EURUSD="1.2")
    for symbol in ("E", "S", "ODD"):
        stray = desk.trade("", "2", "30")
        stray.symbol, stray.side = symbol, BUY
        desk.report(stray)
    desk.bar(2, A="100", EURUSD="1.5", CHFUSD="1")
    (end,) = ends(desk)
    state = end.state
    assert ("USD", {"EUR": Decimal("1.2")}) == (state.currency, state.rates)
    assert {"EUR": "EURUSD", "CHF": "CHFUSD"} == state.rate_symbols
    currencies = {one.instrument.symbol: one.instrument.currency for one in state.held}
    assert {"E": "EUR", "S": "CHF", "ODD": "USD"} == currencies
    assert "CHF" == state.instruments["S"].currency
    assert (Decimal(20), Decimal(60)) == tuple(
        one.quantity * one.price for one in state.held if one.instrument.symbol in {"E", "ODD"}
    )


def test_what_is_put_in_is_nothing_that_the_portfolio_made(desk: Desk) -> None:
    """Pins the portfolio's returns around a deposit, and the worst drawdown at the end of any session."""
    desk.hold("cash", "100", "100")
    desk.bar(2, A="110")
    desk.bar(3, A="90")
    desk.deposit("50000")
    desk.bar(4, A="100")
    desk.bar(5, A="100")
    *_, last = ends(desk)
    # What came in during the third session is in the fourth's base.
    made = [101_000 / 100_000 - 1, 99_000 / 101_000 - 1, 150_000 / 149_000 - 1]
    assert made == pytest.approx(list(last.portfolio_returns))
    assert float(last.max_drawdown) == pytest.approx(99_000 / 101_000 - 1, abs=1e-7)
    assert {"A", "B", "F"} >= set(last.returns)
    assert [0.1, 90 / 110 - 1, 100 / 90 - 1] == pytest.approx([one for one in last.returns["A"] if one is not None])
    assert 3 == len(last.strategy_returns["cash"])


def test_a_price_that_is_held_ends_no_session_and_limits_are_as_they_were(open_desk: OpenDesk) -> None:
    """Pins that only a mark does, and that the headroom is that of the session's end."""
    configured = configuration(max_leverage="2")
    configured.price_bands.add(band="0.1", confirmations=1)
    desk = open_desk(configured)
    desk.bar(1, A="100")
    desk.hold("cash", "100", "100")
    desk.price(2, A="150")
    assert [] == ends(desk)
    desk.price(2.1, A="151")
    (end,) = ends(desk)
    assert Decimal(100_000) == end.state.equity
    (state,) = end.state.limits
    assert (risk_pb2.LIMIT_FIGURE_LEVERAGE, "10000", "190000") == (state.limit.figure, state.actual, state.headroom)
