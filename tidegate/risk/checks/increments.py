"""Increments: order prices in whole ticks, order quantities in whole lots."""

from decimal import Decimal

from tidegate.instruments import Instrument
from tidegate.numbers import is_multiple, plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation
from tidegate.v1 import common_pb2


class Increments(Check):
    """Refuse what the exchange would refuse: a quantity between lots, a price between ticks."""

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of two, the quantity's."""
        instrument = proposal.instrument
        if not is_multiple(proposal.quantity, instrument.lot):
            text = f"quantity {plain(proposal.quantity)} is not a multiple of the lot {plain(instrument.lot)}"
            return _violation(Reason.QUANTITY_OFF_LOT, instrument, text, instrument.lot, proposal.quantity)
        for price in (proposal.limit_price, proposal.stop_price):
            if price is None or is_multiple(price, instrument.tick):
                continue
            text = f"price {plain(price)} is not a multiple of the tick {plain(instrument.tick)}"
            return _violation(Reason.PRICE_OFF_TICK, instrument, text, instrument.tick, price)
        return None


def _violation(reason: Reason, instrument: Instrument, text: str, limit: Decimal, actual: Decimal) -> Violation:
    scope = instrument_scope(instrument.symbol)
    return Violation(reason, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
