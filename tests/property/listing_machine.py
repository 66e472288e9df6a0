"""A gate's life in which instruments are changed while orders work and positions are held."""

from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.property.adapter_machine import AdapterMachine
from tests.property.rig import request
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, instruments_pb2

CHANGED = ("LOT", "FUT", "COIN", "FOR")
TICKS, LOTS, MULTIPLIERS = ("0.01", "0.05", "0.25"), ("0.001", "1", "10"), ("", "", "7", "0.5")


class ListingMachine(AdapterMachine):
    """The rig goes on comparing, with the terms that were recorded; the rule adds what may change, and what may not."""

    @rule(
        symbol=st.sampled_from(CHANGED),
        tick=st.sampled_from(TICKS),
        lot=st.sampled_from(LOTS),
        multiplier=st.sampled_from(MULTIPLIERS),
        sector=st.sampled_from(["", "tech"]),
    )
    def change_instrument(self, symbol: str, tick: str, lot: str, multiplier: str, sector: str) -> None:
        """Change an instrument; another multiplier is refused once it was filled, and while an order works."""
        naive, book = self.rig.naive, self.rig.gate.engine.book
        terms = instruments_pb2.Instrument.FromString(naive.instruments[symbol].SerializeToString())
        is_other = bool(multiplier) and Decimal(multiplier) != Decimal(terms.multiplier)
        terms.tick, terms.sector, terms.multiplier = tick, sector, multiplier or terms.multiplier
        if not book.flattenings:  # what is closed in whole lots would be done or not by another measure
            terms.lot = lot
        works = any(naive.working(owner, symbol, buys=buys) for owner in naive.owners for buys in (True, False))
        filled = any(
            event.execution_booked.symbol == symbol and event.execution_booked.execution.last_price
            for event in self.rig.gate.journal.read(0)
            if event.HasField("execution_booked")
        )
        message = admin_pb2.UpsertInstrumentsRequest(instruments=[terms], operator="ann", reason="listed")
        (reply,) = self.rig.send(request("UpsertInstruments", message))
        assert reply.reason == (Reason.INSTRUMENT_IN_USE if is_other and (works or filled) else "")
