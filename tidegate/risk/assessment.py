"""Running the checks: every violation of an order, and the largest part of it that has none."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from tidegate.instruments import Instrument
from tidegate.numbers import ZERO, plain
from tidegate.orders import Order
from tidegate.reasons import Reason
from tidegate.risk.book import Book
from tidegate.risk.checks import Checks, Scoped
from tidegate.risk.draft import Draft
from tidegate.risk.proposal import Ask, Proposal
from tidegate.risk.scopes import groups_of, instrument_scope, strategy_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2, orders_pb2

_REDUCE: Final = common_pb2.ACTION_REDUCE
_REJECT: Final = common_pb2.ACTION_REJECT
# What a smaller order is the more: the search for the largest that fits goes on without them.
_TOO_SMALL = frozenset({Reason.QUANTITY_TOO_SMALL, Reason.NOTIONAL_TOO_SMALL})


def assess(
    draft: Draft, request: orders_pb2.NewOrder, ask: Ask, replaced: Order | None = None
) -> tuple[list[Violation], Proposal | None]:
    """Run every check; without a strategy, an instrument, a route or a price there is nothing to run them on."""
    book = draft.book
    missing = _missing(book, ask, request.route)
    if missing is not None:
        return [missing], None
    proposal = Proposal(book, request, ask, draft.now_ns, replaced)
    # A limit that blocks the way out makes the loss.
    checks, reducing = draft.checks, proposal.reducing
    applied = checks.for_reducing if reducing else checks.for_all
    found = [violation for check in applied if (violation := check.check(proposal)) is not None]
    if checks.scoped:
        met = limits_met(checks, ask.strategy_id, proposal.instrument)
        limits = met.for_reducing if reducing else met.for_all
        found += [violation for limit in limits if (violation := limit.check(proposal)) is not None]
    return found, proposal


def limits_met(checks: Checks, strategy_id: str, instrument: Instrument) -> Scoped:
    """Return the limits of the scopes that a strategy's orders in an instrument are in, beside the portfolio."""
    place = (strategy_id, instrument.symbol)
    met = checks.met.get(place)
    if met is None:
        scopes = (strategy_scope(strategy_id), instrument_scope(instrument.symbol), *groups_of(instrument))
        parts = [part for scope in scopes if (part := checks.scoped.get(scope)) is not None]
        for_all = tuple(limit for part in parts for limit in part.for_all)
        met = checks.met[place] = Scoped(for_all, tuple(limit for part in parts for limit in part.for_reducing))
    return met


def _missing(book: Book, ask: Ask, route: str) -> Violation | None:
    if ask.strategy_id not in book.terms:
        text = f"no strategy is called {ask.strategy_id}"
        return Violation(Reason.STRATEGY_UNKNOWN, _REJECT, text, strategy_scope(ask.strategy_id))
    if ask.symbol not in book.instruments:
        text = f"instrument {ask.symbol} is not in the portfolio file"
        return Violation(Reason.INSTRUMENT_UNKNOWN, _REJECT, text, instrument_scope(ask.symbol))
    if route and route not in book.adapters:
        return Violation(Reason.ADAPTER_UNKNOWN, _REJECT, f"no adapter is called {route}")
    return _unpriced(book, ask.symbol)


def _unpriced(book: Book, symbol: str) -> Violation | None:
    """Say which price an instrument's value needs and nobody has published."""
    if symbol not in book.mark_times_ns:
        text = f"instrument {symbol} has no price yet"
        return Violation(Reason.PRICE_MISSING, _REJECT, text, instrument_scope(symbol))
    option = book.instruments[symbol].option
    if option is not None and option.underlying not in book.mark_times_ns:
        text = f"{option.underlying}, under {symbol}, has no price yet"
        return Violation(Reason.PRICE_MISSING, _REJECT, text, instrument_scope(option.underlying))
    for rate in book.currencies.needed.get(symbol, ()):
        if rate not in book.mark_times_ns:
            text = f"instrument {symbol} needs the rate {rate}, which has no price yet"
            return Violation(Reason.FX_RATE_MISSING, _REJECT, text, instrument_scope(rate))
    return None


def reduce_to_fit(
    draft: Draft, request: orders_pb2.NewOrder, ask: Ask, violations: list[Violation], proposal: Proposal | None
) -> tuple[Ask, list[Violation], Proposal | None]:
    """
    Do what a limit asks that wants a smaller order: take what fits if its sender accepts that, else name the figure.

    What a worse violation refuses anyway is left as it is.
    """
    if proposal is None or any(violation.action > _REDUCE for violation in violations):
        return ask, violations, proposal
    fits = _largest_that_fits(draft, request, ask, proposal.instrument.lot)
    if fits and request.accept_reduced:
        smaller = ask.sized(fits)
        return smaller, violations, Proposal(draft.book, request, smaller, draft.now_ns)
    return ask, refuse_instead(violations, f"; {plain(fits)} would pass"), proposal


def refuse_instead(violations: list[Violation], remark: str = "") -> list[Violation]:
    """Refuse where a limit asks to reduce."""
    return [replace(v, action=_REJECT, text=v.text + remark) if v.action == _REDUCE else v for v in violations]


def _largest_that_fits(draft: Draft, request: orders_pb2.NewOrder, ask: Ask, lot: Decimal) -> Decimal:
    """Find the largest number of whole lots that passes: what is not too small passes at each smaller size as well."""
    passes, fails = 0, int(ask.quantity // lot)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        found, _ = assess(draft, request, ask.sized(middle * lot))
        if any(violation.action >= _REDUCE and violation.reason not in _TOO_SMALL for violation in found):
            fails = middle
        else:
            passes = middle
    found, _ = assess(draft, request, ask.sized(passes * lot)) if passes else ([], None)
    return ZERO if any(violation.reason in _TOO_SMALL for violation in found) else passes * lot
