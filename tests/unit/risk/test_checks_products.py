"""Options through the gate: expiry, the underlying's price, exposure, and who may sell one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.builders import BUY, DAY_S, SELL, Desk, action, configuration, instrument, limit, stamp
from tidegate.v1 import common_pb2, instruments_pb2, journal_pb2, portfolio_pb2, risk_pb2


def configured(expiry_day: float = 366, **limits: str) -> journal_pb2.PortfolioConfigured:
    """Add a call and a put on A to the desk, a hundred units each, struck at 100."""
    message = configuration(**limits)
    for symbol, right in (("CALL", "call"), ("PUT", "put")):
        added = instrument(symbol, multiplier="100")
        added.asset_class = "option"
        terms = instruments_pb2.OptionTerms(
            underlying="A", strike="100", expiry=stamp(expiry_day), right=right, volatility="0.2", interest_rate="0.05"
        )
        added.option.CopyFrom(terms)
        message.instruments.append(added)
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the journal is."""
    return tmp_path / "journal.db"


@pytest.fixture
def desk(path: Path) -> Iterator[Desk]:
    """Open a desk on which everything has a price."""
    found = Desk(path, configured())
    found.bar(1, A="100", CALL="10", PUT="6")
    yield found
    found.gate.journal.close()


@pytest.mark.parametrize(("priced", "expected"), [({"CALL": "10"}, "REJECT PRICE_MISSING"), ({"A": "100"}, "ALLOW")])
def test_an_option_needs_its_underlying_s_price(path: Path, priced: dict[str, str], expected: str) -> None:
    """Pins that a premium alone says nothing about what is at risk."""
    desk = Desk(path, configured())
    desk.bar(1, **({"CALL": "10"} | priced))
    decision = desk.buy("margin", "1", "CALL")
    assert expected == action(decision)
    assert ("A," in decision.reason) is (expected != "ALLOW")


@pytest.mark.parametrize(("late_s", "expected"), [(0, "ALLOW"), (1, "REJECT PRICE_STALE")])
def test_an_underlying_s_price_must_be_fresh(desk: Desk, late_s: int, expected: str) -> None:
    """Pins exactly the limit and a second more; the premium is fresh."""
    desk.bar(4 + late_s / DAY_S, CALL="10")
    assert expected == action(desk.buy("margin", "1", "CALL"))


@pytest.mark.parametrize(("before_s", "expected"), [(1, "ALLOW"), (0, "REJECT OPTION_EXPIRED")])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_an_expired_option_is_not_traded(
    path: Path, before_s: int, expected: str, side: common_pb2.Side.ValueType
) -> None:
    """Pins a second before its expiry and the moment itself, to add and to reduce."""
    desk = Desk(path, configured(expiry_day=3))
    desk.bar(1, A="100", CALL="10")
    desk.hold("margin", "1", "10", "CALL")
    desk.bar(3 - before_s / DAY_S, A="100", CALL="10")
    assert expected == action(desk.submit(limit(desk.order("margin", side, "1", "CALL"), "10")))


@pytest.mark.parametrize(
    ("symbol", "side", "at_limit", "above"),
    [("CALL", BUY, "9", "10"), ("PUT", BUY, "16", "17"), ("CALL", SELL, "6", "7"), ("PUT", SELL, "6", "7")],
)
def test_exposure_is_delta_times_the_underlying_and_whole_when_sold(
    desk: Desk, symbol: str, side: common_pb2.Side.ValueType, at_limit: str, above: str
) -> None:
    """Pins 60,000 of exposure against 6,369 a call, 3,632 a put, and 10,000 of each that is sold."""
    assert "REJECT CAPITAL" == action(desk.submit(desk.order("margin", side, above, symbol)))
    assert "ALLOW" == action(desk.submit(desk.order("margin", side, at_limit, symbol)))


def test_working_orders_and_positions_add_up_to_what_the_gate_predicted(desk: Desk) -> None:
    """Pins that what an order was said to add is what the book has after it: long, short, flips and replacements."""
    desk.hold("margin", "2", "10", "CALL")
    orders = [desk.order("margin", side, quantity, "CALL") for side, quantity in ((BUY, "1"), (SELL, "3"), (SELL, "1"))]
    for order in orders:
        assert "ALLOW" == action(desk.submit(order))
    assert "ALLOW" == action(desk.replace(desk.replacement(orders[0], "2")))
    desk.price(1.1, A="104")
    for strategy in desk.book.strategies.values():
        for symbol, held in strategy.ledger.positions.items():
            assert held.exposure == desk.book.instrument_exposure(symbol) == desk.book.totals.gross_exposure


@pytest.mark.parametrize(("quantity", "expected"), [("8", "ALLOW"), ("9", "REJECT GROSS_EXPOSURE")])
def test_an_instrument_s_limit_is_on_its_delta_exposure(path: Path, quantity: str, expected: str) -> None:
    """Pins 50,952 to eight calls; and that a falling underlying makes room."""
    message = configured()
    further = message.further_limits.add(figure=risk_pb2.LIMIT_FIGURE_GROSS_EXPOSURE, limit="50952")
    further.scope.kind, further.scope.name = common_pb2.SCOPE_KIND_INSTRUMENT, "CALL"
    further.action = common_pb2.ACTION_REJECT
    desk = Desk(path, message)
    desk.bar(1, A="100", CALL="10")
    assert expected == action(desk.check(desk.order("margin", BUY, quantity, "CALL")))
    desk.bar(2, A="90")
    assert "ALLOW" == action(desk.check(desk.order("margin", BUY, quantity, "CALL")))


def test_a_cash_strategy_buys_options_with_cash_and_sells_none_it_has_not(desk: Desk) -> None:
    """Pins the premium, 1,000 each, and that writing one is a short sale."""
    assert "REJECT SHORT_SALE" == action(desk.sell("cash", "1", "CALL"))
    assert "REJECT CAPITAL" == action(desk.buy("cash", "51", "CALL"))
    assert "ALLOW" == action(desk.buy("cash", "50", "CALL"))


def test_a_restart_has_the_same_exposures_to_the_byte(desk: Desk) -> None:
    """Pins that replay equals live, deltas included."""
    desk.hold("margin", "3", "10", "CALL")
    desk.hold("margin", "-1", "6", "PUT")
    desk.price(1.5, A="97.77", PUT="7")
    before = desk.state()
    exposure = desk.book.totals.gross_exposure
    again = desk.restarted()
    assert (before, exposure) == (again.state(), again.book.totals.gross_exposure)
    shown = again.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)
    assert "0" == shown.conservation.difference
    again.gate.journal.close()
