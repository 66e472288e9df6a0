"""
The checker: reads a journal's batches, the clients' logs and the last answers, and names what must not be.

It shares nothing with the engine but the messages on the wire: every sum is its own, in decimals that may not round.
"""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, localcontext
from typing import NamedTuple

from chaos.acknowledged import check_acknowledged, check_order_in_time
from chaos.answers import Answers, check_capital, check_replay, check_state
from chaos.chain import Link, check_chain
from chaos.records import Record
from chaos.rules import Rules
from chaos.sums import Sums
from tidegate.v1 import journal_pb2, portfolio_pb2

_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, DivisionByZero])
_EQUITIES = ("", "equity", "etf", "fund", "bond", "crypto")


class Finding(NamedTuple):
    """What must not be, under the name of the promise that it breaks."""

    promise: str
    text: str


def check(
    links: Iterable[Link], records: Sequence[Record], live: Answers | None = None, replayed: Answers | None = None
) -> list[Finding]:
    """
    Check one journal with the logs of everybody who was answered from it.

    live: what the gate that wrote last answered at the end, at one place of the journal; replayed: what one says that
    only read the journal, up to there.
    """
    events, broken = check_chain(links)
    findings = [Finding("chain", text) for text in broken]
    with localcontext(_EXACT):
        findings += [Finding("acknowledged", text) for text in check_acknowledged(events, records)]
        findings += [Finding("order in time", text) for text in check_order_in_time(events, records)]
        if not events or not events[0].HasField("portfolio_configured"):
            return [*findings, Finding("chain", "the journal does not begin with a configuration")]
        configured = events[0].portfolio_configured
        findings += [Finding("checker", text) for text in _beyond(configured)]
        sums = Sums(configured)
        rules = Rules(sums)
        shown = portfolio_pb2.GetPortfolioResponse.FromString(live["GetPortfolio"][0]).sequence if live else 0
        if shown > len(events):
            findings.append(Finding("state", f"the gate stands at event {shown}, the journal ends at {len(events)}"))
        for event in events:
            try:
                findings += [Finding("every prefix", text) for text in rules.take(event)]
            except (KeyError, ArithmeticError) as error:
                text = f"event {event.sequence} does not add up with those before it: {error!r}"
                return [*findings, Finding("every prefix", text)]
            if live is not None and event.sequence == shown:
                findings += [Finding("capital", text) for text in check_capital(sums, live)]
                findings += [Finding("state", text) for text in check_state(sums, live)]
    if live is not None and replayed is not None:
        findings += [Finding("replay", text) for text in check_replay(live, replayed)]
    return findings


def _beyond(configured: journal_pb2.PortfolioConfigured) -> Iterable[str]:
    """Name what this checker cannot add up, so that it does not pass for right."""
    for one in configured.instruments:
        if one.currency != configured.currency or one.asset_class not in _EQUITIES:
            yield f"{one.symbol}: the checker adds up what is paid in full, in the portfolio's currency"
    if configured.further_limits or Decimal(configured.order_rules.collar or 0):
        yield "the checker knows the portfolio's own limits only, and no collar"
