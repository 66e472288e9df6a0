"""Order size: how much one order may ask for."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.violation import Violation, money
from tidegate.v1 import common_pb2


@dataclass(frozen=True, slots=True)
class OrderSize(Check):
    """Cap one order's quantity and value; exactly at a limit passes. Reducing orders are capped too."""

    quantity_limit: Decimal | None
    notional_limit: Decimal | None

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of two, the quantity's."""
        limit, quantity = self.quantity_limit, proposal.quantity
        if limit is not None and quantity > limit:
            text = f"quantity {plain(quantity)} is over the limit of one order, {plain(limit)}"
            return Violation(Reason.ORDER_QUANTITY, common_pb2.ACTION_REJECT, text, limit=limit, actual=quantity)
        limit, notional = self.notional_limit, proposal.notional
        if limit is not None and notional > limit:
            text = f"value {money(notional)} is over the limit of one order, {money(limit)}"
            return Violation(Reason.ORDER_NOTIONAL, common_pb2.ACTION_REJECT, text, limit=limit, actual=notional)
        return None
