"""What the instruments are, to whoever asks."""

from tidegate.risk.book import Book
from tidegate.v1 import instruments_pb2, portfolio_pb2


def instruments(book: Book) -> portfolio_pb2.ListInstrumentsResponse:
    """Show every instrument as it is now, and who made it so."""
    response = portfolio_pb2.ListInstrumentsResponse()
    for symbol, instrument in book.instruments.items():
        event = book.upserted.get(symbol)
        state = instruments_pb2.InstrumentState(instrument=instrument.to_wire(), sequence=1)
        if event is not None:
            upserted = event.instrument_upserted
            state.operator, state.reason, state.sequence = upserted.operator, upserted.reason, event.sequence
        response.instruments.append(state)
    return response
