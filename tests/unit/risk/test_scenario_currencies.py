"""Scenarios of what is in a foreign currency: prices and rates of the same session, positions and balances."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from tests.unit.builders import BUY, CANCELED, SELL, Desk, action, configuration, instrument
from tests.unit.builders import limit as limit_order
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_limits import WARN, limit, states
from tests.unit.risk.test_scenario_limits import ZIGZAG
from tidegate.instruments import BY_EXCHANGE
from tidegate.risk.scenarios import Scenarios
from tidegate.v1 import risk_pb2

RATE, OTHER_WAY = ("2", "1.98"), ("1.98", "2")


def priced(
    open_desk: OpenDesk,
    *limits: risk_pb2.Limit,
    dax: Sequence[str] = ZIGZAG,
    rate: Sequence[str] = RATE,
    days: int = 61,
) -> Desk:
    """Open a desk on which a stock and a future in euros, and the euro itself, have had so many sessions."""
    configured = configuration()
    for symbol, currency, asset_class, buys in (
        ("EURUSD", "USD", "fx", "EUR"),
        ("DAX", "EUR", "equity", ""),
        ("BUND", "EUR", "future", ""),
    ):
        added = instrument(symbol)
        added.currency, added.asset_class, added.buys = currency, asset_class, buys
        configured.instruments.append(added)
    configured.currency_rates.add(currency="EUR", symbol="EURUSD")
    configured.strategies[1].max_leverage = "6"
    configured.further_limits.extend(limits or [limit("VALUE_AT_RISK", limit="0.9")])
    desk = open_desk(configured)
    for day in range(1, days + 1):
        desk.bar(day, A=ZIGZAG[day % 2], DAX=dax[day % 2], BUND=dax[day % 2], EURUSD=rate[day % 2])
    desk.bar(days + 1, A="100", DAX="100", BUND="100", EURUSD="2")
    return desk


def value_at_risk(desk: Desk) -> str:
    """Ask what a bad session may lose."""
    return states(desk)[0].actual


@pytest.mark.control("var")
def test_what_is_bought_on_credit_in_a_currency_loses_its_own_return_at_the_rate_that_comes_of_it(
    open_desk: OpenDesk,
) -> None:
    """Pins 20,000 dollars of a stock, for as many borrowed euros: 1% of them, at a rate that is 1% lower."""
    desk = priced(open_desk)
    desk.hold("margin", "100", "100", "DAX")
    assert "198" == value_at_risk(desk)


@pytest.mark.control("var")
@pytest.mark.parametrize(("rate", "expected"), [(RATE, "398"), (OTHER_WAY, "0")])
def test_what_is_bought_with_euros_loses_with_both_together(
    open_desk: OpenDesk, rate: Sequence[str], expected: str
) -> None:
    """Pins joint sessions: 1.99% where price and rate fall together; nothing where the one makes up for the other."""
    desk = priced(open_desk, rate=rate)
    desk.hold("margin", "10000", "2", "EURUSD")
    desk.hold("margin", "100", "100", "DAX")
    assert float(expected) == pytest.approx(float(value_at_risk(desk)), abs=0.02)


def test_a_balance_alone_is_at_risk_and_an_exchange_is_counted_once(open_desk: OpenDesk) -> None:
    """Pins 10,000 euros: while the order works, when it is filled, and when another one is sold back."""
    desk = priced(open_desk)
    order_id = desk.move("margin", "10000", "EURUSD").order_id
    assert "200" == value_at_risk(desk)
    desk.fill(order_id, "4000", "2")
    assert "200" == value_at_risk(desk)
    desk.fill(order_id, "6000", "2")
    assert "200" == value_at_risk(desk)
    desk.hold("margin", "-10000", "2", "EURUSD")
    assert "0" == value_at_risk(desk)


def test_a_future_in_euros_moves_with_the_rate_only_in_what_it_gained(open_desk: OpenDesk) -> None:
    """Pins that nothing was paid for it: 1% of its notional at the new rate, and the rate on its gain of 1,000."""
    desk = priced(open_desk)
    desk.hold("margin", "100", "90", "BUND")
    assert "218" == value_at_risk(desk)


def test_exactly_at_the_limit_passes_in_dollars(open_desk: OpenDesk) -> None:
    """Pins that the order's own part is in the portfolio's currency as well: 0.99% of 101,010.00 dollars."""
    desk = priced(open_desk, limit("VALUE_AT_RISK", limit="0.01"))
    assert "REJECT VALUE_AT_RISK" == action(desk.move("margin", "506", "DAX"))
    assert "ALLOW" == action(desk.move("margin", "505", "DAX"))


@pytest.mark.parametrize(("bars", "expected"), [(58, "WARN RISK_UNDEFINED"), (59, "ALLOW")])
def test_a_rate_with_too_few_sessions_makes_the_figure_undefined(open_desk: OpenDesk, bars: int, expected: str) -> None:
    """Pins 59 and 60 returns of the rate: for an order, for a balance, and no more when the balance is gone."""
    desk = priced(open_desk, limit("VALUE_AT_RISK", limit="0.9", on_undefined=WARN), days=1)
    for day in range(3, 5 + bars):
        desk.bar(day, A="100", DAX="100", **({"EURUSD": "2"} if day < 3 + bars else {}))
    bought = desk.move("margin", "1", "DAX")
    assert expected == action(bought)
    assert (expected != "ALLOW") is ("EURUSD has fewer than 60 sessions" in bought.reason)
    desk.hold("cash", "10", "2", "EURUSD")
    assert expected == action(desk.buy("cash", "1"))
    desk.report(desk.execution(bought.order_id, CANCELED))
    desk.hold("cash", "-10", "2", "EURUSD")
    assert "ALLOW" == action(desk.buy("cash", "1"))


def worst_of(desk: Desk) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Work every scenario out by itself, in plain numbers: both ends of each position, and what is in euros."""
    book = desk.book
    sessions = book.history.sessions - 1
    moves = {
        symbol: np.array([one or 0.0 for one in known])[-sessions:] for symbol, known in book.history.returns.items()
    }
    moves = {symbol: np.pad(one, (sessions - len(one), 0)) for symbol, one in moves.items()}
    total = np.zeros(sessions)
    for strategy in book.strategies.values():
        for symbol, position in strategy.ledger.positions.items():
            is_foreign = book.instruments[symbol].currency == "EUR"
            held = 0.0 if position.settlement == BY_EXCHANGE else float(position.quantity)
            ends = held + float(position.working_buys), held - float(position.working_sells)
            made = [end * float(book.marks[symbol]) * moves[symbol] for end in ends]
            rates = float(book.rate("EUR")) * (1 + moves["EURUSD"]) if is_foreign else 1.0
            total += np.minimum(*made) * rates
        account = strategy.ledger.foreign.get("EUR")
        if account is not None:
            total += float(account.cash + account.market_value) * moves["EURUSD"] * float(book.rate("EUR"))
    return total


@pytest.mark.parametrize("seed", range(4))
def test_sums_kept_up_to_date_are_those_worked_out_anew_and_those_of_plain_arithmetic(
    open_desk: OpenDesk, seed: int
) -> None:
    """Pins that nothing drifts and nothing is forgotten: random orders, fills, fees, prices, rates, sessions."""
    dice = random.Random(seed)  # noqa: S311 -- seeded
    desk = priced(open_desk, limit("VALUE_AT_RISK", limit="0.9"))
    working: list[str] = []
    for step in range(50):
        symbol = dice.choice(["A", "DAX", "BUND", "EURUSD"])
        near = 2 if symbol == "EURUSD" else 100
        match dice.randrange(4):
            case 0 | 1:
                order = desk.order("margin", dice.choice([BUY, SELL]), str(dice.randrange(1, 60)), symbol)
                decision = desk.submit(limit_order(order, f"{near * dice.uniform(0.9, 1.1):.2f}"))
                working += [decision.order_id] if decision.order_id else []
            case 2 if working:
                desk.fill(
                    working.pop(dice.randrange(len(working))), "1", f"{near * dice.uniform(0.9, 1.1):.2f}", fee="1"
                )
            case _:
                closes = {name: f"{100 * dice.uniform(0.9, 1.1):.2f}" for name in ("A", "DAX", "BUND")}
                rate = f"{dice.uniform(1.8, 2.2):.2f}"
                desk.bar(62.5 + step / 7, **{symbol: rate if symbol == "EURUSD" else closes[symbol]})
        kept = desk.book.scenarios_needed().profits()
        assert kept.tobytes() == Scenarios(desk.book, desk.book.history).profits().tobytes()
        assert kept / 100 == pytest.approx(worst_of(desk), abs=0.2)
    assert kept.tobytes() == desk.restarted().book.scenarios_needed().profits().tobytes()
