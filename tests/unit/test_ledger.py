"""The ledger: cash, positions, profit and loss, exact to the last digit."""

from decimal import Decimal

import pytest

from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.orders import BUY, SELL, Reservation
from tidegate.totals import Totals

D = Decimal

STOCK = Instrument("A", D("0.01"), D(1), D(1), "USD", "", "equity")
FIFTY = Instrument("F", D("0.25"), D(1), D(50), "USD", "", "bond")

Fill = tuple[str, str, str]


def of(quantity: Decimal, price: str, loss: str = "0") -> Reservation:
    """Write what an order reserves, at a price and with a loss against the mark."""
    return Reservation(quantity, D(price), D(loss))


def ledger_after(fills: list[Fill], instrument: Instrument = STOCK) -> Ledger:
    """Fill (quantity, price, fee) after another, from 10,000 in cash."""
    ledger = Ledger("USD")
    ledger.transfer(D(10_000))
    for quantity, price, fee in fills:
        ledger.mark(instrument.symbol, D(price))
        ledger.fill(instrument, D(quantity), price=D(price), fee=D(fee), mark=D(price))
    return ledger


@pytest.mark.parametrize(
    ("fills", "quantity", "cost", "cash", "realised"),
    [
        pytest.param([("10", "100", "0")], "10", "1000", "9000", "0", id="long"),
        pytest.param([("-10", "100", "0")], "-10", "-1000", "11000", "0", id="short"),
        pytest.param([("10", "100", "0"), ("10", "110", "0")], "20", "2100", "7900", "0", id="adds"),
        pytest.param([("10", "100", "0"), ("-4", "110", "0")], "6", "600", "9440", "40", id="closes a part"),
        pytest.param([("-10", "100", "0"), ("4", "90", "0")], "-6", "-600", "10640", "40", id="covers a part"),
        pytest.param([("10", "100", "0"), ("-15", "110", "0")], "-5", "-550", "10650", "100", id="flips to short"),
        pytest.param([("-10", "100", "0"), ("15", "110", "0")], "5", "550", "9350", "-100", id="flips to long"),
        pytest.param([("10", "100", "1.5"), ("-4", "110", "-0.5")], "6", "600", "9439", "40", id="fee and rebate"),
    ],
)
def test_a_fill_is_booked_at_its_price(fills: list[Fill], quantity: str, cost: str, cash: str, realised: str) -> None:
    """Pins quantity, total cost, cash and realised profit, long, short and across zero."""
    ledger = ledger_after(fills)
    held = ledger.positions["A"]
    assert (D(quantity), D(cost), D(cash), D(realised)) == (held.quantity, held.cost, ledger.cash, ledger.realised_pnl)


def test_a_multiplier_scales_cash_cost_value_and_profit() -> None:
    """Pins that one point is worth its multiplier everywhere."""
    ledger = ledger_after([("2", "100", "0"), ("-1", "101", "0")], FIFTY)
    held = ledger.positions["F"]
    assert (D(50), D(5000), D(5050)) == (ledger.realised_pnl, held.cost, ledger.market_value)
    assert (D(5050), D(100), D(50)) == (ledger.cash, held.average_cost, held.unrealised_pnl)


def test_the_last_slice_takes_what_rounding_left_over() -> None:
    """Pins that a cost of 100 in three slices is released whole: 33.33, 33.34, then the rest."""
    ledger = ledger_after([("1", "33", "0"), ("2", "33.5", "0")])
    released, realised = [], D(0)
    for _ in range(3):
        ledger.fill(STOCK, D(-1), price=D(40), fee=D(0), mark=D(40))
        released.append(D(40) - (ledger.realised_pnl - realised))
        realised = ledger.realised_pnl
    assert [D("33.33"), D("33.34"), D("33.33")] == released
    assert {} == ledger.positions
    assert D(20) == ledger.realised_pnl
    assert D(10_020) == ledger.cash


@pytest.mark.parametrize("closing", ["-3", "-5"], ids=["closes", "flips"])
def test_a_full_close_releases_the_cost_to_the_last_digit(closing: str) -> None:
    """Pins that a cost of 99.999 is not rounded when nothing of it stays."""
    ledger = ledger_after([("3", "33.333", "0"), (closing, "40", "0")])
    assert D("20.001") == ledger.realised_pnl
    assert ledger.capital + ledger.realised_pnl + ledger.unrealised_pnl == ledger.equity


def test_fees_are_kept_apart_from_profit() -> None:
    """Pins that a fee takes cash and nothing else."""
    ledger = ledger_after([("10", "100", "1.25"), ("-10", "100", "1.25")])
    assert (D("2.5"), D(0), D("9997.5")) == (ledger.fees, ledger.realised_pnl, ledger.cash)


@pytest.mark.parametrize(
    ("held", "buys", "sells", "expected"),
    [
        ("0", "0", "0", "0"),
        ("10", "5", "0", "15"),
        ("10", "0", "4", "10"),
        ("10", "0", "25", "15"),
        ("10", "2", "30", "20"),
        ("-10", "0", "5", "15"),
        ("-10", "30", "5", "20"),
        ("0", "3", "7", "7"),
    ],
)
def test_the_worst_quantity_is_the_larger_side_of_all_working_orders(
    held: str, buys: str, sells: str, expected: str
) -> None:
    """Pins max(|position + buys|, |position - sells|), and that exposure follows it."""
    ledger = ledger_after([(held, "100", "0")] if held != "0" else [])
    for quantity, buy in ((buys, True), (sells, False)):
        if quantity != "0":
            ledger.reserve(STOCK, BUY if buy else SELL, of(D(quantity), "100"), D(100))
    assert D(expected) == ledger.worst_quantity("A")
    assert D(expected) * 100 == ledger.gross_exposure


def test_a_reserved_buy_takes_cash_at_its_own_price_and_gives_it_back() -> None:
    """Pins that a limit above the mark reserves the limit, counts exposure at the mark, and is released whole."""
    ledger = ledger_after([])
    ledger.reserve(STOCK, BUY, of(D(10), "105"), D(100))
    assert (D(1050), D(1000)) == (ledger.reserved_cash, ledger.gross_exposure)
    ledger.reserve(STOCK, BUY, of(D(-10), "105"), D(100))
    assert (D(0), D(0), {}) == (ledger.reserved_cash, ledger.gross_exposure, ledger.positions)


def test_an_order_at_a_bad_limit_reserves_what_it_could_lose_and_gives_it_back() -> None:
    """Pins the loss against the mark, multiplier included, for both sides together."""
    ledger = ledger_after([])
    ledger.reserve(STOCK, BUY, of(D(10), "105", "5"), D(100))
    ledger.reserve(FIFTY, SELL, of(D(2), "70", "0.5"), D("70.5"))
    assert D(100) == ledger.reserved_loss
    ledger.reserve(STOCK, BUY, of(D(-10), "105", "5"), D(100))
    assert D(50) == ledger.reserved_loss


def test_running_sums_equal_recomputed_sums() -> None:
    """Pins equity, exposure and the ledger's identity after fills, reservations and marks of several instruments."""
    ledger = ledger_after([("10", "100.01", "1"), ("-3", "99.37", "1"), ("-12", "101.5", "-0.2")])
    ledger.fill(FIFTY, D(-1), price=D("70.25"), fee=D(2), mark=D("70.5"))
    ledger.reserve(STOCK, BUY, of(D(7), "103.2"), D("101.5"))
    ledger.reserve(FIFTY, SELL, of(D(3), "70.5"), D("70.5"))
    ledger.mark("A", D("97.77"))
    ledger.mark("F", D("71.75"))
    ledger.mark("unheld", D(1))
    held = ledger.positions.values()
    assert sum(p.market_value for p in held) == ledger.market_value
    assert sum(p.worst_quantity * p.mark * p.multiplier for p in held) == ledger.gross_exposure
    assert ledger.capital + ledger.realised_pnl + ledger.unrealised_pnl - ledger.fees == ledger.equity


def test_no_exposure_is_above_the_bound_that_all_ledgers_share() -> None:
    """Pins that growth by an order, a fill or a price raises it, over all ledgers, and that nothing lowers it here."""
    totals = Totals()
    one, other = Ledger("USD", totals), Ledger("USD", totals)
    bounds = []
    one.fill(STOCK, D(10), price=D(99), fee=D(0), mark=D(100))
    bounds.append(totals.exposure_bound)
    other.reserve(STOCK, SELL, of(D(5), "100"), D(100))
    bounds.append(totals.exposure_bound)
    one.fill(FIFTY, D(-2), price=D(10), fee=D(0), mark=D(10))
    bounds.append(totals.exposure_bound)
    for ledger in (one, other):
        ledger.mark("A", D(120))
    bounds.append(totals.exposure_bound)
    for ledger in (one, other):
        ledger.mark("A", D(50))
    other.reserve(STOCK, SELL, of(D(-5), "100"), D(50))
    bounds.append(totals.exposure_bound)
    one.mark("F", D(21))
    bounds.append(totals.exposure_bound)
    assert [D(n) for n in (1000, 1500, 1500, 1800, 1800, 2100)] == bounds


def test_what_shorts_were_sold_for_is_not_transferable() -> None:
    """Pins that longs and marks do not count."""
    ledger = ledger_after([("-10", "100", "0")])
    ledger.fill(FIFTY, D(1), price=D(10), fee=D(0), mark=D(10))
    ledger.mark("A", D(150))
    assert D(1000) == ledger.not_transferable


def test_the_digest_depends_on_holdings_and_not_on_marks() -> None:
    """Pins what two ledgers fed by the same events are compared by."""
    one, other = ledger_after([("10", "100", "0")]), ledger_after([("10", "100.00", "0.0")])
    other.mark("A", D(150))
    assert one.digest() == other.digest()
    other.fill(STOCK, D(1), price=D(100), fee=D(0), mark=D(150))
    assert one.digest() != other.digest()
