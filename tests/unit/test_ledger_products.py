"""The ledger: futures, foreign currencies, and the fx trades that lead from one to another."""

from decimal import Decimal

import pytest

from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.orders import BUY, SELL, Reservation
from tidegate.totals import Totals

D = Decimal

FUTURE = Instrument("F", D("0.25"), D(1), D(50), "USD", "", "future")
EURUSD = Instrument("EURUSD", D("0.0001"), D(1), D(1), "USD", "", "fx", buys="EUR")
DAX = Instrument("DAX", D("0.01"), D(1), D(1), "EUR", "", "equity")
BUND = Instrument("BUND", D("0.01"), D(1), D(10), "EUR", "", "future")
COIN = Instrument("COIN", D("0.01"), D("0.00000001"), D(1), "USD", "", "crypto")

Fill = tuple[Instrument, str, str]


def ledger_after(fills: list[Fill], rate: str = "1.10", totals: Totals | None = None) -> Ledger:
    """Book fills without a fee, one after another, at marks of their prices; 10,000 dollars to begin with."""
    ledger = Ledger("USD", totals or Totals(), {"EUR": D(rate)})
    ledger.transfer(D(10_000))
    for instrument, quantity, price in fills:
        ledger.mark(instrument.symbol, D(price))
        ledger.fill(instrument, D(quantity), price=D(price), fee=D(0), mark=D(price))
    return ledger


def is_conserved(ledger: Ledger) -> bool:
    """Tell whether equity is capital and what was earned, in all currencies at their rates, to the last digit."""
    realised = ledger.realised_pnl + ledger.foreign_sum(lambda account: account.realised_pnl)
    fees = ledger.fees + ledger.foreign_sum(lambda account: account.fees)
    earned = realised + ledger.unrealised_pnl + ledger.exchange_pnl - fees
    return ledger.equity == ledger.capital + earned


@pytest.mark.parametrize(
    ("fills", "mark", "cash", "value", "exposure"),
    [
        pytest.param([(FUTURE, "2", "100")], "100", "10000", "0", "10000", id="costs nothing"),
        pytest.param([(FUTURE, "2", "100")], "101", "10000", "100", "10100", id="gains in value"),
        pytest.param([(FUTURE, "-2", "100")], "101", "10000", "-100", "10100", id="a short loses"),
        pytest.param([(FUTURE, "2", "100"), (FUTURE, "-1", "103")], "103", "10150", "150", "5150", id="closes a part"),
        pytest.param([(FUTURE, "2", "100"), (FUTURE, "-2", "99")], "99", "9900", "0", "0", id="closes at a loss"),
        pytest.param([(FUTURE, "2", "100"), (FUTURE, "-3", "103")], "105", "10300", "-100", "5250", id="flips"),
    ],
)
def test_a_future_moves_cash_by_what_it_gained_and_exposure_by_its_notional(
    fills: list[Fill], mark: str, cash: str, value: str, exposure: str
) -> None:
    """Pins variation against notional, long, short and across zero."""
    ledger = ledger_after(fills)
    ledger.mark("F", D(mark))
    assert (D(cash), D(value), D(exposure)) == (ledger.cash, ledger.market_value, ledger.gross_exposure)
    assert is_conserved(ledger)


def test_a_working_future_order_reserves_exposure_and_no_cash() -> None:
    """Pins that both sides of a future count at their notional, and a bad limit as a loss."""
    ledger = ledger_after([])
    ledger.reserve(FUTURE, BUY, Reservation(D(2), D(101), D(1)), D(100))
    ledger.reserve(FUTURE, SELL, Reservation(D(3), D(100), D(0)), D(100))
    assert (D(0), D(15_000), D(100)) == (ledger.reserved_cash, ledger.gross_exposure, ledger.reserved_loss)


@pytest.mark.parametrize(("mark", "owed"), [("99", "100"), ("100", "0"), ("101", "0")])
def test_a_loss_on_a_future_is_not_transferable_and_a_gain_is_no_cash(mark: str, owed: str) -> None:
    """Pins that what the broker will ask for stays."""
    ledger = ledger_after([(FUTURE, "2", "100")])
    ledger.mark("F", D(mark))
    assert D(owed) == ledger.not_transferable


def test_an_fx_fill_moves_the_cash_of_both_currencies() -> None:
    """Pins that dollars become euros at the price of the fill, and that the pair itself is worth nothing more."""
    ledger = ledger_after([(EURUSD, "1000", "1.10")])
    assert (D(8_900), D(1_000)) == (ledger.cash, ledger.foreign["EUR"].cash)
    assert (D(10_000), D(0), D(1_100)) == (ledger.equity, ledger.market_value, ledger.gross_exposure)


@pytest.mark.parametrize(("quantity", "earned"), [("1000", "20"), ("-1000", "-20")])
def test_what_a_rate_does_to_a_currency_is_profit_of_its_holder(quantity: str, earned: str) -> None:
    """Pins that the gain of a rate counts once, long and short, and that it is no capital."""
    ledger = ledger_after([(EURUSD, quantity, "1.10")])
    ledger.mark("EURUSD", D("1.12"))
    ledger.translate("EUR", D("1.12"))
    assert (D(10_000) + D(earned), D(earned)) == (ledger.equity, ledger.exchange_pnl)
    assert (D(10_000), D(0), D(0)) == (ledger.capital, ledger.realised_pnl, ledger.unrealised_pnl)
    assert is_conserved(ledger)


def test_a_foreign_position_is_kept_in_its_currency_and_counts_in_ours() -> None:
    """Pins cash, cost, value and exposure of a foreign stock, and a rate that moves them by their sums alone."""
    totals = Totals()
    ledger = ledger_after([(EURUSD, "1000", "1.10"), (DAX, "5", "100")], totals=totals)
    account = ledger.foreign["EUR"]
    assert (D(500), D(500), D(500)) == (account.cash, account.market_value, account.gross_exposure)
    assert (D(550), D(10_000)) == (ledger.market_value, ledger.equity)
    before = ledger.gross_exposure
    ledger.mark("DAX", D(120))
    ledger.translate("EUR", D("1.20"))
    assert (D(600) * D("1.2"), D(10_000) + D("220")) == (ledger.market_value, ledger.equity)
    assert before + D(720) - D(550) == ledger.gross_exposure == totals.gross_exposure
    assert totals.cash + totals.market_value == ledger.equity
    assert is_conserved(ledger)


def test_a_foreign_profit_is_realised_in_its_currency() -> None:
    """Pins that profit and fee stay euros, whatever the rate was meanwhile."""
    ledger = ledger_after([(DAX, "5", "100")])
    ledger.translate("EUR", D(2))
    ledger.fill(DAX, D(-5), price=D(110), fee=D(3), mark=D(110))
    account = ledger.foreign["EUR"]
    assert (D(50), D(3), D(47)) == (account.realised_pnl, account.fees, account.cash)
    assert (D(0), D(0), D(10_094)) == (ledger.realised_pnl, ledger.fees, ledger.equity)
    assert is_conserved(ledger)


def test_a_foreign_future_moves_foreign_cash_by_its_variation() -> None:
    """Pins both rules together."""
    ledger = ledger_after([(BUND, "2", "130"), (BUND, "-1", "131")])
    ledger.translate("EUR", D("1.5"))
    assert (D(10), D(10), D(10_000)) == (ledger.foreign["EUR"].cash, ledger.foreign["EUR"].market_value, ledger.cash)
    assert (D(10_030), D(1_965)) == (ledger.equity, ledger.gross_exposure)
    assert is_conserved(ledger)


def test_each_currency_reserves_its_own_cash() -> None:
    """Pins that a buy takes what it is priced in, and a sale of a currency that currency."""
    ledger = ledger_after([(EURUSD, "1000", "1.10")])
    ledger.reserve(DAX, BUY, Reservation(D(2), D(100), D(4)), D(96))
    ledger.reserve(EURUSD, SELL, Reservation(D(300), D("1.10"), D(0)), D("1.10"))
    ledger.reserve(EURUSD, BUY, Reservation(D(200), D("1.10"), D(0)), D("1.10"))
    assert (D(500), D(8_680)) == (ledger.free_cash("EUR"), ledger.free_cash("USD"))
    assert D("8.8") == ledger.reserved_loss
    assert D(0) == ledger.free_cash("GBP")


def test_a_currency_without_a_rate_counts_as_nothing_and_never_as_one() -> None:
    """Pins that equity leaves it out until its first rate, and then has all of it."""
    ledger = Ledger("USD")
    ledger.fill(DAX, D(5), price=D(100), fee=D(2), mark=D(100))
    ledger.mark("DAX", D(130))
    assert (D(0), D(0)) == (ledger.equity, ledger.gross_exposure)
    ledger.translate("EUR", D("1.1"))
    assert (D("162.8"), D(715)) == (ledger.equity, ledger.gross_exposure)
    assert is_conserved(ledger)


def test_a_debt_in_a_currency_keeps_cash_from_being_transferred() -> None:
    """Pins that borrowed euros are not turned into capital to take out."""
    ledger = ledger_after([(DAX, "5", "100")])
    assert D(550) == ledger.not_transferable
    assert (D(-500), "EUR") == ledger.lowest_cash()


def test_digests_differ_by_a_currency_and_not_by_its_rate() -> None:
    """Pins what two ledgers fed by the same events, and by different prices, are compared by."""
    one, other = ledger_after([(EURUSD, "10", "1.1")]), ledger_after([(EURUSD, "10", "1.1")], rate="1.3")
    for ledger in (one, other):
        ledger.reserve(DAX, BUY, Reservation(D(2), D(100), D(4)), D(96))
    assert one.digest() == other.digest()
    other.fill(DAX, D(1), price=D(100), fee=D(0), mark=D(100))
    other.fill(DAX, D(-1), price=D(100), fee=D(1), mark=D(100))
    assert one.digest() != other.digest()


def test_the_smallest_lot_of_a_coin_is_booked_exactly() -> None:
    """Pins a hundred-millionth at an odd price."""
    ledger = ledger_after([(COIN, "0.00000001", "43210.12345678")])
    assert D("0.0004321012345678") == D(10_000) - ledger.cash == ledger.market_value


def test_the_bound_on_exposures_holds_when_a_rate_rises() -> None:
    """Pins that it grows with the currency, and is never lowered by one."""
    totals = Totals()
    ledger = ledger_after([(DAX, "5", "100"), (BUND, "1", "130")], totals=totals)
    ledger.translate("EUR", D(3))
    assert totals.exposure_bound >= D(3_900)
    before = totals.exposure_bound
    ledger.translate("EUR", D(1))
    assert before == totals.exposure_bound
