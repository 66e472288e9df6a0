"""Currencies and futures through the gate: rates that are missing or old, cash of each currency, margin."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.builders import BUY, DAY_S, SELL, Desk, action, configuration, instrument, limit, strategy_scope
from tidegate.v1 import common_pb2, journal_pb2, portfolio_pb2, risk_pb2


def configured(**limits: str) -> journal_pb2.PortfolioConfigured:
    """Add to the desk's instruments euros, a stock and a future in them, francs, and a pair of both."""
    message = configuration(**limits)
    for symbol, currency, asset_class, buys in (
        ("EURUSD", "USD", "fx", "EUR"),
        ("CHFUSD", "USD", "fx", "CHF"),
        ("EURCHF", "CHF", "fx", "EUR"),
        ("DAX", "EUR", "equity", ""),
        ("BUND", "EUR", "future", ""),
    ):
        added = instrument(symbol)
        added.currency, added.asset_class, added.buys = currency, asset_class, buys
        added.tick = "0.0001"
        message.instruments.append(added)
    for currency in ("EUR", "CHF"):
        message.currency_rates.add(currency=currency, symbol=f"{currency}USD")
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the journal is."""
    return tmp_path / "journal.db"


@pytest.fixture
def desk(path: Path) -> Iterator[Desk]:
    """Open a desk on which everything has a price."""
    found = Desk(path, configured())
    found.bar(1, A="100", EURUSD="1.10", CHFUSD="1.20", EURCHF="0.9", DAX="100", BUND="130")
    yield found
    found.gate.journal.close()


def fill_unknown(desk: Desk, symbol: str, quantity: str, price: str) -> None:
    """Report a fill that the gate never decided on."""
    stray = desk.trade("", quantity, price)
    stray.symbol, stray.side = symbol, BUY
    desk.report(stray)


@pytest.mark.parametrize(
    ("priced", "symbol", "expected"),
    [
        (["DAX"], "DAX", "REJECT FX_RATE_MISSING"),
        (["DAX", "EURUSD"], "DAX", "ALLOW"),
        (["EURUSD"], "EURUSD", "ALLOW"),
        (["EURCHF", "EURUSD"], "EURCHF", "REJECT FX_RATE_MISSING"),
        (["EURCHF", "CHFUSD"], "EURCHF", "REJECT FX_RATE_MISSING"),
        (["EURCHF", "EURUSD", "CHFUSD"], "EURCHF", "ALLOW"),
        (["EURUSD"], "DAX", "REJECT PRICE_MISSING"),
        (["A"], "A", "ALLOW"),
    ],
)
def test_an_order_needs_the_rates_of_its_currencies(path: Path, priced: list[str], symbol: str, expected: str) -> None:
    """Pins that a missing rate refuses, and that it never counts as 1."""
    desk = Desk(path, configured())
    desk.bar(1, **dict.fromkeys(priced, "1"))
    assert expected == action(desk.buy("margin", "1", symbol))


@pytest.mark.parametrize(("late_s", "expected"), [(0, "ALLOW"), (1, "REJECT FX_RATE_STALE")])
def test_a_rate_older_than_the_limit_refuses(desk: Desk, late_s: int, expected: str) -> None:
    """Pins exactly the limit and a second more; the price itself is fresh."""
    desk.wait(3 * DAY_S + late_s)
    desk.bar(4 + late_s / DAY_S, DAX="100")
    assert expected == action(desk.buy("margin", "1", "DAX"))
    assert "ALLOW" == action(desk.buy("margin", "1", "A"))


def test_a_stale_rate_lets_a_reducing_limit_order_out(desk: Desk) -> None:
    """Pins the way out, as with stale prices: not at market, and for nothing that adds."""
    desk.hold("margin", "5", "100", "DAX")
    desk.wait(3 * DAY_S + 1)
    assert "REJECT FX_RATE_STALE" in {f"REJECT {v.reason_code}" for v in desk.sell("margin", "5", "DAX").violations}
    assert "ALLOW" == action(desk.submit(limit(desk.order("margin", SELL, "5", "DAX"), "100")))


def test_a_currency_in_suspense_without_a_rate_stops_all_added_risk(path: Path) -> None:
    """Pins that equity is unknown then: a way out stays, and the first rate ends it."""
    desk = Desk(path, configured())
    desk.bar(1, A="100", DAX="100")
    desk.hold("cash", "5", "100")
    fill_unknown(desk, "DAX", "5", "100")
    assert "REJECT FX_RATE_MISSING" == action(desk.buy("cash", "1"))
    assert "ALLOW" == action(desk.sell("cash", "1"))
    desk.bar(2, EURUSD="1.1")
    assert "ALLOW" == action(desk.buy("cash", "1"))


def test_a_cash_strategy_buys_foreign_with_foreign_cash_only(desk: Desk) -> None:
    """Pins that dollars do not count, that bought euros do to the last one, and what is left."""
    assert "REJECT CAPITAL" == action(desk.buy("cash", "1", "DAX"))
    desk.hold("cash", "1000", "1.10", "EURUSD")
    assert "REJECT CAPITAL" == action(desk.buy("cash", "11", "DAX"))
    assert "ALLOW" == action(desk.buy("cash", "10", "DAX"))
    assert "REJECT CAPITAL" == action(desk.buy("cash", "1", "DAX"))


@pytest.mark.parametrize(("quantity", "expected"), [("45454", "ALLOW"), ("45455", "REJECT CURRENCY_NOT_AVAILABLE")])
def test_a_cash_strategy_buys_a_currency_with_the_cash_that_it_has(desk: Desk, quantity: str, expected: str) -> None:
    """Pins 50,000 dollars at 1.10."""
    assert expected == action(desk.buy("cash", quantity, "EURUSD"))


def test_a_cash_strategy_sells_the_currency_that_it_has_and_no_more(desk: Desk) -> None:
    """Pins euros that are spent, reserved or never were there; also where the sale reduces what was exchanged."""
    assert "REJECT CURRENCY_NOT_AVAILABLE" == action(desk.sell("cash", "1", "EURUSD"))
    desk.hold("cash", "1000", "1.10", "EURUSD")
    desk.hold("cash", "4", "100", "DAX")
    desk.buy("cash", "1", "DAX")
    assert "REJECT CURRENCY_NOT_AVAILABLE" == action(desk.sell("cash", "501", "EURUSD"))
    first = desk.order("cash", SELL, "300", "EURUSD")
    assert "ALLOW" == action(desk.submit(first))
    assert "REJECT CURRENCY_NOT_AVAILABLE" == action(desk.sell("cash", "201", "EURUSD"))
    assert "REJECT CURRENCY_NOT_AVAILABLE" == action(desk.replace(desk.replacement(first, "501")))
    assert "ALLOW" == action(desk.replace(desk.replacement(first, "500")))


def test_a_cross_trade_turns_one_foreign_currency_into_another(desk: Desk) -> None:
    """Pins that neither is ours: francs are paid, euros come, and the fee is in francs."""
    desk.hold("cash", "1000", "1.20", "CHFUSD")
    decision = desk.buy("cash", "1000", "EURCHF")
    assert "ALLOW" == action(decision)
    desk.fill(decision.order_id, "1000", "0.9", fee="2")
    request = portfolio_pb2.GetStrategyRequest(strategy_id="cash")
    summary = desk.ask("GetStrategy", request, portfolio_pb2.GetStrategyResponse).strategy
    cash = {entry.currency: (entry.cash, entry.rate, entry.base_value) for entry in summary.cash_by_currency}
    assert {"USD": ("48800", "1", "48800"), "CHF": ("98", "1.2", "117.6"), "EUR": ("1000", "1.1", "1100")} == cash
    assert ("50017.6", "20", "2.4") == (summary.equity, summary.exchange_pnl, summary.fees)
    assert "0" == desk.conserved()


def test_a_foreign_fee_that_nothing_covers_is_a_breach(desk: Desk) -> None:
    """Pins that cash below zero is told of in each currency."""
    desk.hold("cash", "100", "1.10", "EURUSD")
    decision = desk.buy("cash", "1", "DAX")
    desk.fill(decision.order_id, "1", "100", fee="0.01")
    breach = desk.events("limit_breached")[-1].limit_breached.violation
    assert ("CASH_NEGATIVE", "-0.01", strategy_scope("cash")) == (breach.reason_code, breach.actual, breach.scope)
    assert "EUR" in breach.text


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_future_needs_a_margin_strategy(desk: Desk, side: common_pb2.Side.ValueType) -> None:
    """Pins that a strategy of kind cash may not open one, on either side, and a margin strategy may."""
    order = desk.order("cash", side, "1", "BUND")
    assert "REJECT MARGIN_NEEDED" == action(desk.submit(order))
    assert "ALLOW" == action(desk.submit(desk.order("margin", side, "1", "BUND")))


@pytest.mark.parametrize(
    ("symbol", "at_limit", "above"), [("DAX", "545", "546"), ("BUND", "419", "420"), ("EURUSD", "54545", "54546")]
)
@pytest.mark.parametrize("side", [BUY, SELL])
def test_margin_is_measured_in_our_currency(
    desk: Desk, symbol: str, at_limit: str, above: str, side: common_pb2.Side.ValueType
) -> None:
    """Pins 60,000 dollars of exposure at a rate of 1.10, of all kinds, long and short."""
    assert "REJECT CAPITAL" == action(desk.submit(desk.order("margin", side, above, symbol)))
    assert "ALLOW" == action(desk.submit(desk.order("margin", side, at_limit, symbol)))


@pytest.mark.parametrize(("quantity", "expected"), [("100", "ALLOW"), ("101", "REJECT ORDER_NOTIONAL")])
def test_an_order_s_value_is_limited_in_our_currency(path: Path, quantity: str, expected: str) -> None:
    """Pins 11,000 dollars, 10,000 euros."""
    desk = Desk(path, configured(max_order_notional="11000"))
    desk.bar(1, EURUSD="1.10", DAX="100")
    assert expected == action(desk.buy("margin", quantity, "DAX"))


def test_a_rate_alone_can_breach_and_halt(path: Path) -> None:
    """Pins that a new rate counts at once: in drawdown, in leverage, and in an instrument's share."""
    desk = Desk(path, configured(max_concentration="0.5", halt_drawdown="0.2", max_leverage="0.55"))
    desk.bar(1, EURUSD="1.10", DAX="100")
    desk.hold("margin", "450", "100", "DAX")
    desk.price(1.1, EURUSD="1.30")
    breached = {event.limit_breached.violation.reason_code for event in desk.events("limit_breached")}
    assert {"CONCENTRATION", "LEVERAGE"} <= breached
    desk.price(1.2, DAX="10", EURUSD="1.3")
    assert common_pb2.HALT_LEVEL_HALTED == desk.level()


def test_a_sector_s_limit_follows_a_rate(path: Path) -> None:
    """Pins that the sums of groups are moved by the rate, without a look at a position."""
    message = configured()
    message.instruments[6].sector = "europe"
    further = message.further_limits.add(figure=risk_pb2.LIMIT_FIGURE_GROSS_EXPOSURE, limit="10000")
    further.scope.kind, further.scope.name = common_pb2.SCOPE_KIND_SECTOR, "europe"
    further.action = common_pb2.ACTION_REJECT
    desk = Desk(path, message)
    desk.bar(1, EURUSD="1.00", DAX="100")
    desk.hold("margin", "95", "100", "DAX")
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, "5", "DAX")))
    desk.bar(2, EURUSD="1.01")
    assert "REJECT GROSS_EXPOSURE" == action(desk.check(desk.order("margin", BUY, "5", "DAX")))
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, "4", "DAX")))


def test_past_sessions_lose_foreign_money_at_the_rate_of_now(path: Path) -> None:
    """Pins that scenarios, in cents, follow a rate, for what is held and what is ordered, and after a restart."""
    desk = Desk(path, configured())
    for day in range(1, 64):
        desk.bar(day, EURUSD="1.5", A="100", DAX="100" if day % 2 else "90")
    desk.hold("margin", "100", "100", "DAX")
    desk.hold("margin", "10", "100")

    def worst(desk: Desk) -> tuple[float, float]:
        scenarios = desk.book.scenarios_needed()
        return min(scenarios.profits()), min(scenarios.profits_with("DAX", Decimal(10), 1))

    assert (-150_000, -165_000) == worst(desk)
    desk.price(63.5, EURUSD="2")
    assert (-200_000, -220_000) == worst(desk) == worst(desk.restarted())


def test_a_restart_has_the_same_currencies_to_the_byte(desk: Desk) -> None:
    """Pins that replay equals live: cash, reservations and rates of every currency."""
    desk.hold("cash", "1000", "1.10", "EURUSD")
    desk.hold("cash", "4", "100", "DAX")
    desk.hold("margin", "-3", "130.5", "BUND")
    fill_unknown(desk, "EURCHF", "7", "0.91")
    desk.submit(limit(desk.order("cash", BUY, "2", "DAX"), "101"))
    desk.price(1.5, EURUSD="1.1234", DAX="97.5")
    assert "0" == desk.conserved()
    before = desk.state()
    desk.gate.journal.close()
    again = desk.restarted()
    assert before == again.state()
    again.gate.journal.close()


def test_the_portfolio_shows_cash_by_currency_and_positions_in_both(desk: Desk) -> None:
    """Pins the reserve in ours, all ledgers together, and a position's value in its currency and in ours."""
    desk.hold("cash", "1000", "1.10", "EURUSD")
    desk.hold("margin", "4", "100", "DAX")
    shown = desk.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)
    assert [("USD", "98900"), ("EUR", "600")] == [(entry.currency, entry.cash) for entry in shown.cash_by_currency]
    request = portfolio_pb2.GetStrategyRequest(strategy_id="margin")
    (held,) = desk.ask("GetStrategy", request, portfolio_pb2.GetStrategyResponse).positions
    assert ("EUR", "400", "440") == (held.currency, held.market_value, held.base_value)
