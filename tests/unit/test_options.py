"""Options: what a unit is exposed to, held and sold, and when that changes."""

from decimal import Decimal

import pytest

from tidegate import black_scholes
from tidegate.instruments import CALL, PUT, Instrument, OptionTerms
from tidegate.ledger import Ledger
from tidegate.numbers import ZERO
from tidegate.options import Options, delta_share
from tidegate.orders import BUY, SELL, Reservation
from tidegate.totals import Totals

D = Decimal

NS_PER_DAY = 86_400 * 10**9
NOW = 20_000 * NS_PER_DAY


def option(right: str = CALL, strike: str = "100", days: int = 365, currency: str = "USD") -> Instrument:
    """Describe an option on A, a hundred units each."""
    terms = OptionTerms("A", D(strike), NOW + days * NS_PER_DAY, right, D("0.2"), D("0.05"))
    return Instrument("O", D("0.01"), D(1), D(100), currency, "", "option", option=terms)


def ledger_of(instrument: Instrument, spot: str = "100") -> tuple[Ledger, Options]:
    """Open a ledger over an option whose underlying has a price."""
    options = Options().configure({"O": instrument})
    options.take("A", D(spot), NOW)
    ledger = Ledger("USD", Totals(), {"EUR": D(2)}, options)
    ledger.transfer(D(10_000))
    return ledger, options


def buy(ledger: Ledger, instrument: Instrument, quantity: str, price: str = "10") -> None:
    """Fill at the mark."""
    ledger.fill(instrument, D(quantity), price=D(price), fee=ZERO, mark=D(price))


@pytest.mark.parametrize(
    ("right", "strike", "days", "expected"),
    [
        pytest.param(CALL, "100", 365, "0.6369", id="at the money, the textbook's 0.6368 rounded up"),
        pytest.param(PUT, "100", 365, "0.3632", id="the put beside it"),
        pytest.param(CALL, "1", 365, "1", id="deep in the money"),
        pytest.param(PUT, "1", 365, "0", id="far out of the money"),
        pytest.param(CALL, "99", 0, "1", id="expired in the money"),
        pytest.param(CALL, "101", 0, "0", id="expired out of the money"),
        pytest.param(CALL, "101", -3, "0", id="long expired"),
    ],
)
def test_the_share_is_the_size_of_the_delta_rounded_up(right: str, strike: str, days: int, expected: str) -> None:
    """Pins four digits, never less than the delta and never over 1."""
    terms = option(right, strike, days).option
    assert terms is not None
    assert D(expected) == delta_share(terms, D(100), NOW)


def test_units_follow_the_underlying_and_nothing_else() -> None:
    """Pins that a price of the option itself, or of a stranger, changes no exposure."""
    instrument = option()
    options = Options().configure({"O": instrument})
    assert instrument.option is not None
    assert (D(10_000), D(10_000)) == options.units(instrument, instrument.option), "its strike, before any price"
    assert [instrument] == options.take("A", D(100), NOW)
    assert (D("6369"), D(10_000)) == options.units(instrument, instrument.option)
    assert [] == options.take("O", D(12), NOW)
    assert [] == options.take("B", D(12), NOW)
    options.take("A", D(200), NOW)
    held, sold = options.units(instrument, instrument.option)
    assert D(20_000) >= held > D(19_900)
    assert D(20_000) == sold


@pytest.mark.parametrize(
    ("held", "buys", "sells", "expected"),
    [
        ("2", "0", "0", "12738"),
        ("-2", "0", "0", "20000"),
        ("2", "1", "0", "19107"),
        ("2", "0", "2", "12738"),
        ("2", "0", "3", "12738"),
        ("2", "0", "4", "20000"),
        ("-1", "3", "0", "12738"),
        ("0", "1", "1", "10000"),
    ],
)
def test_the_worst_case_counts_what_is_held_by_delta_and_what_is_sold_whole(
    held: str, buys: str, sells: str, expected: str
) -> None:
    """Pins long, short, working orders of both sides, and a flip; running sums agree with the position."""
    instrument = option()
    ledger, _ = ledger_of(instrument)
    if held != "0":
        buy(ledger, instrument, held)
    for sign, quantity in ((BUY, buys), (SELL, sells)):
        if quantity != "0":
            ledger.reserve(instrument, sign, Reservation(D(quantity), D(10), ZERO), D(10))
    assert D(expected) == ledger.gross_exposure == ledger.totals.option_exposures["O"]
    assert ledger.totals.exposure_bound >= D(expected)
    for sign, quantity in ((BUY, buys), (SELL, sells)):
        if quantity != "0":
            ledger.reserve(instrument, sign, Reservation(-D(quantity), D(10), ZERO), D(10))
    if held != "0":
        buy(ledger, instrument, str(-D(held)))
    assert (ZERO, {}, {}) == (ledger.gross_exposure, ledger.totals.option_exposures, ledger.positions)


def test_the_premium_is_paid_and_is_its_value() -> None:
    """Pins that equity follows the premium, and exposure the underlying."""
    instrument = option(PUT)
    ledger, options = ledger_of(instrument)
    buy(ledger, instrument, "3", "7")
    assert (D(7_900), D(2_100), D(10_896)) == (ledger.cash, ledger.market_value, ledger.gross_exposure)
    ledger.mark("O", D(9))
    assert (D(2_700), D(10_896), D(-10_896)) == (
        ledger.market_value,
        ledger.gross_exposure,
        ledger.positions["O"].net_exposure,
    )
    options.take("A", D(80), NOW)
    ledger.weigh(instrument)
    assert D(2_700) == ledger.market_value
    share = delta_share(instrument.option, D(80), NOW) if instrument.option is not None else ZERO
    assert D(300) * 80 * share == ledger.gross_exposure == ledger.totals.gross_exposure


def test_a_foreign_option_is_exposed_in_our_currency() -> None:
    """Pins that its exposure is kept in its currency and counts at the rate, a new one as well."""
    instrument = option(currency="EUR")
    ledger, _ = ledger_of(instrument)
    buy(ledger, instrument, "-1")
    assert (D(20_000), D(10_000)) == (ledger.gross_exposure, ledger.totals.option_exposures["O"])
    ledger.translate("EUR", D(3))
    assert (D(30_000), D(10_000)) == (ledger.gross_exposure, ledger.totals.option_exposures["O"])


def test_the_delta_is_black_and_scholes() -> None:
    """Pins that calls and puts go to the formula with their own figures."""
    terms = option(PUT, "90", 73).option
    assert terms is not None
    exact = abs(black_scholes.delta("put", spot=100.0, strike=90.0, years=0.2, volatility=0.2, rate=0.05))
    assert 0 <= float(delta_share(terms, D(100), NOW)) - exact < 0.0001
