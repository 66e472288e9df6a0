"""The figures of the checks on products, currencies and held prices."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tidegate.instruments import BY_EXCHANGE
from tidegate.numbers import plain
from tidegate.orders import BUY
from tidegate.risk.checks.currency import CurrencyFunds, RateAge, RatesKnown
from tidegate.risk.checks.held_price import HeldPrice
from tidegate.risk.checks.products import MarginNeeded, OptionAlive
from tidegate.risk.figure import Figure
from tidegate.risk.proposal import Proposal
from tidegate.times import NS_PER_S, compact


def _held_price(_check: HeldPrice, proposal: Proposal) -> list[Figure]:
    held = proposal.book.held_prices.get(proposal.instrument.symbol)
    return [Figure("price that waits for its confirmation", "none" if held is None else plain(held[-1].price))]


def _margin_needed(_check: MarginNeeded, proposal: Proposal) -> list[Figure]:
    return [Figure("strategy", "margin" if proposal.terms.is_margin else "cash")]


def _option_alive(check: OptionAlive, proposal: Proposal) -> list[Figure]:
    option = proposal.instrument.option
    if option is None:
        return [Figure("option", "no")]
    age_ns = proposal.now_ns - proposal.book.mark_times_ns[option.underlying]
    return [
        Figure("time of the command, to be before", compact(proposal.now_ns), compact(option.expiry_ns)),
        Figure(f"age of the price of {option.underlying}, s", _seconds(age_ns), _seconds(check.limit_ns)),
    ]


def _rate_age(check: RateAge, proposal: Proposal) -> list[Figure]:
    book = proposal.book
    return [
        Figure(f"age of the rate {symbol}, s", _age(proposal, symbol), _seconds(check.limit_ns))
        for symbol in book.currencies.needed.get(proposal.instrument.symbol, ())
    ]


def _rates_known(_check: RatesKnown, proposal: Proposal) -> list[Figure]:
    book = proposal.book
    symbols = [book.currencies.symbols[currency] for currency in sorted(book.totals.currencies)]
    missing = [symbol for symbol in symbols if symbol not in book.mark_times_ns]
    return [Figure("rates without a price", ", ".join(missing) or "none")]


def _currency_funds(_check: CurrencyFunds, proposal: Proposal) -> list[Figure]:
    instrument, is_buy = proposal.instrument, proposal.sign == BUY
    if instrument.settlement != BY_EXCHANGE:
        return [Figure("exchange of currencies", "no")]
    currency = instrument.currency if is_buy else instrument.buys
    wanted = proposal.cost if is_buy else proposal.added_quantity
    return [Figure(f"{currency} that the order takes", plain(wanted), plain(proposal.ledger.free_cash(currency)))]


def _age(proposal: Proposal, symbol: str) -> str:
    known = proposal.book.mark_times_ns.get(symbol)
    return "no price" if known is None else _seconds(proposal.now_ns - known)


def _seconds(ns: int) -> str:
    return plain(Decimal(ns) / NS_PER_S)


PRODUCT_FIGURES: dict[type, Callable[[Any, Proposal], list[Figure]]] = {
    CurrencyFunds: _currency_funds,
    HeldPrice: _held_price,
    MarginNeeded: _margin_needed,
    OptionAlive: _option_alive,
    RateAge: _rate_age,
    RatesKnown: _rates_known,
}
