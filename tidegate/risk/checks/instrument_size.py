"""Instrument size: how little and how much of one instrument an order may ask for."""

from decimal import Decimal

from tidegate.instruments import Instrument
from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.risk.checks.check import Check
from tidegate.risk.proposal import Proposal
from tidegate.risk.scopes import instrument_scope
from tidegate.risk.violation import Violation, money
from tidegate.v1 import common_pb2


class InstrumentSize(Check):
    """
    Hold an order's quantity and value against its instrument's smallest and largest; exactly at each passes.

    Reducing orders too, but for the smallest value: what has lost its value must be sold all the same.
    """

    def check(self, proposal: Proposal) -> Violation | None:
        """Return the violation, or None; of two, the quantity's."""
        instrument, quantity, notional = proposal.instrument, proposal.quantity, proposal.notional
        least, most = instrument.min_quantity, instrument.max_quantity
        if least is not None and quantity < least:
            text = f"quantity {plain(quantity)} is below the smallest order of {instrument.symbol}, {plain(least)}"
            return _violation(Reason.QUANTITY_TOO_SMALL, instrument, text, least, quantity)
        if most is not None and quantity > most:
            text = f"quantity {plain(quantity)} is over the largest order of {instrument.symbol}, {plain(most)}"
            return _violation(Reason.ORDER_QUANTITY, instrument, text, most, quantity)
        least, most = instrument.min_notional, instrument.max_notional
        if least is not None and notional < least and not proposal.reducing:
            text = f"value {money(notional)} is below the smallest order of {instrument.symbol}, {money(least)}"
            return _violation(Reason.NOTIONAL_TOO_SMALL, instrument, text, least, notional)
        if most is not None and notional > most:
            text = f"value {money(notional)} is over the largest order of {instrument.symbol}, {money(most)}"
            return _violation(Reason.ORDER_NOTIONAL, instrument, text, most, notional)
        return None


def _violation(reason: Reason, instrument: Instrument, text: str, limit: Decimal, actual: Decimal) -> Violation:
    scope = instrument_scope(instrument.symbol)
    return Violation(reason, common_pb2.ACTION_REJECT, text, scope, limit=limit, actual=actual)
