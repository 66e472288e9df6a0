"""Capital: a strategy trades with its own."""

from decimal import Decimal

from tidegate.instruments import IN_FULL
from tidegate.numbers import ZERO, plain
from tidegate.orders import BUY
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import strategy_scope
from tidegate.risk.violation import Violation, money
from tidegate.v1 import common_pb2


class Capital(Check):
    """
    Hold an order against its strategy's own capital.

    A cash strategy buys with cash that no working buy has reserved, and sells only what it has. A margin strategy's
    gross exposure, working orders at their worst, stays within its own multiple of its own equity. Neither adds risk
    while its own equity or the portfolio's is not above zero, whatever other limits are switched off.
    """

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None; exactly at the limit passes."""
        equity = min(proposal.equity, proposal.strategy_equity)
        if equity <= ZERO:
            text = f"equity {money(equity)}, the strategy's or the portfolio's, carries no order"
            return _violation(Reason.CAPITAL, proposal, text, ZERO, proposal.notional)
        if proposal.terms.is_margin:
            return _margin(proposal, proposal.terms.max_leverage)
        if proposal.instrument.settlement != IN_FULL:
            return None  # checks of their own: MarginNeeded, CurrencyFunds
        return _buy(proposal) if proposal.sign == BUY else _sell(proposal)


def _margin(proposal: Proposal, multiple: Decimal) -> Violation | None:
    exposure, limit = proposal.ledger.gross_exposure + proposal.added_exposure, multiple * proposal.strategy_equity
    if exposure <= limit:
        return None
    text = f"gross exposure {money(exposure)} is over {plain(multiple)} times the strategy's equity, {money(limit)}"
    return _violation(Reason.CAPITAL, proposal, text, limit, exposure)


def _buy(proposal: Proposal) -> Violation | None:
    limit = proposal.ledger.free_cash(proposal.instrument.currency)
    if proposal.cost <= limit:
        return None
    text = f"the order costs {money(proposal.cost)}, and {money(limit)} of the strategy's cash is free"
    return _violation(Reason.CAPITAL, proposal, text, limit, proposal.cost)


def _sell(proposal: Proposal) -> Violation | None:
    limit = max(proposal.position_quantity - proposal.working_sells, ZERO)
    text = f"the order sells {plain(proposal.leaves_quantity)}, and {plain(limit)} is left to sell"
    return _violation(Reason.SHORT_SALE, proposal, text, limit, proposal.leaves_quantity)


def _violation(reason: Reason, proposal: Proposal, text: str, limit: Decimal, actual: Decimal) -> Violation:
    scope = strategy_scope(proposal.request.strategy_id)
    return Violation(reason, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
