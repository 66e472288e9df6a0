"""Increments: order prices in whole ticks, order quantities in whole lots."""

from tidegate.numbers import is_multiple, plain
from tidegate.reasons import Reason
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class Increments:
    """Refuse what the exchange would refuse: a quantity between lots, a price between ticks."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of two, the quantity's."""
        instrument, price = proposal.instrument, proposal.limit_price
        scope = instrument_scope(instrument.symbol)
        if not is_multiple(proposal.quantity, instrument.lot):
            text = f"quantity {plain(proposal.quantity)} is not a multiple of the lot {plain(instrument.lot)}"
            return Violation(
                Reason.QUANTITY_OFF_LOT,
                common_pb2.ACTION_REJECT,
                text,
                scope,
                limit=instrument.lot,
                actual=proposal.quantity,
            )
        if price is not None and not is_multiple(price, instrument.tick):
            text = f"price {plain(price)} is not a multiple of the tick {plain(instrument.tick)}"
            return Violation(
                Reason.PRICE_OFF_TICK, common_pb2.ACTION_REJECT, text, scope, limit=instrument.tick, actual=price
            )
        return None
