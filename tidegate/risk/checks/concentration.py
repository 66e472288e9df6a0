"""Concentration: how much of the portfolio one instrument may be."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation, money, percent
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class Concentration(Check):
    """
    Cap one instrument's gross exposure over all strategies as a share of the portfolio's equity.

    Strict: an order that lands exactly on the limit passes.
    """

    warn: Decimal | None
    limit: Decimal | None

    def check(self, proposal: Proposal) -> Violation | None:
        """Return what the order would violate, or None."""
        return self.assess(proposal.instrument.symbol, proposal.instrument_exposure, proposal.equity)

    def assess(self, symbol: str, exposure: Decimal, equity: Decimal) -> Violation | None:
        """Hold an instrument's exposure against the equity; a product, so that equity <= 0 never passes."""
        if self.limit is not None and exposure > self.limit * equity:
            return _violation(common_pb2.ACTION_REJECT, symbol, self.limit, exposure, equity)
        if self.warn is not None and exposure > self.warn * equity:
            return _violation(common_pb2.ACTION_WARN, symbol, self.warn, exposure, equity)
        return None


def _violation(
    action: common_pb2.Action.ValueType, symbol: str, limit: Decimal, exposure: Decimal, equity: Decimal
) -> Violation:
    text = f"exposure to {symbol} {money(exposure)} is over {percent(limit)} of equity, {money(limit * equity)}"
    scope = instrument_scope(symbol)
    return Violation(Reason.CONCENTRATION, action, text, scope, limit=limit * equity, actual=exposure)
