"""Currencies: no decision on a rate that is missing or old, and no strategy of kind cash owes one."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.instruments import BY_EXCHANGE
from tidegate.numbers import ZERO, plain
from tidegate.orders import BUY
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope, strategy_scope
from tidegate.risk.violation import Violation
from tidegate.times import NS_PER_S
from tidegate.v1 import common_pb2

_REJECT = common_pb2.ACTION_REJECT


@dataclass(frozen=True, slots=True)
class RateAge(Check):
    """
    Refuse an order that a rate older than the limit would value.

    As with prices, a reducing order with a limit price of its own passes, and an emergency exit.
    """

    limit_ns: int

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; exactly at the limit passes."""
        book = proposal.book
        for symbol in book.currencies.needed.get(proposal.instrument.symbol, ()):
            age_ns = proposal.now_ns - book.mark_times_ns[symbol]
            if age_ns <= self.limit_ns or proposal.needs_no_mark:
                continue
            limit, actual = Decimal(self.limit_ns) / NS_PER_S, Decimal(age_ns) / NS_PER_S
            text = f"the rate {symbol} is {actual:.3f} s old, over the limit of {limit:.0f} s"
            return Violation(Reason.FX_RATE_STALE, _REJECT, text, instrument_scope(symbol), limit=limit, actual=actual)
        return None


class RatesKnown(Check):
    """Refuse added risk while anybody holds a currency that has no rate: equity and exposures are unknown."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None."""
        book = proposal.book
        for currency in sorted(book.totals.currencies):
            symbol = book.currencies.symbols[currency]
            if symbol not in book.mark_times_ns:
                text = f"the portfolio has to do with {currency}, and its rate {symbol} has no price yet"
                return Violation(Reason.FX_RATE_MISSING, _REJECT, text, instrument_scope(symbol))
        return None


class CurrencyFunds(Check):
    """
    Let a cash strategy exchange only currency that it has, also when that reduces a position.

    A buy takes the currency that the instrument is priced in, a sale the one that it buys.
    """

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; exactly what is there passes."""
        instrument = proposal.instrument
        if instrument.settlement != BY_EXCHANGE or proposal.terms.is_margin:
            return None
        is_buy = proposal.sign == BUY
        currency = instrument.currency if is_buy else instrument.buys
        wanted, free = proposal.cost if is_buy else proposal.added_quantity, proposal.ledger.free_cash(currency)
        if wanted <= max(free, ZERO):
            return None
        text = f"the order takes {plain(wanted)} {currency}, and {plain(max(free, ZERO))} of the strategy's is free"
        scope = strategy_scope(proposal.request.strategy_id)
        return Violation(Reason.CURRENCY_NOT_AVAILABLE, _REJECT, text, scope, limit=max(free, ZERO), actual=wanted)
