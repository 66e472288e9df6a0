"""Whether a portfolio file still states what its journal was begun with, and what operators have changed since."""

from tidegate.risk.book import Book
from tidegate.v1 import journal_pb2


def as_begun(
    begun: journal_pb2.PortfolioConfigured, stated: journal_pb2.PortfolioConfigured, book: Book
) -> journal_pb2.PortfolioConfigured:
    """
    Return a file's configuration, with the instruments that operators changed as they were in the beginning.

    Of such an instrument the journal counts. The file may state it as it was begun with, as it is now, or, when it was
    added since, not at all; so may the lists of what strategies may trade. Anything else is left as it is stated.
    """
    known = journal_pb2.PortfolioConfigured.FromString(stated.SerializeToString())
    first = {instrument.symbol: instrument for instrument in begun.instruments}
    now = {symbol: event.instrument_upserted.instrument for symbol, event in book.upserted.items()}
    del known.instruments[:]
    for instrument in stated.instruments:
        symbol = instrument.symbol
        if now.get(symbol) != instrument:
            known.instruments.append(instrument)
        elif symbol in first:
            known.instruments.append(first[symbol])
    lists = {terms.strategy_id: terms.instruments for terms in begun.strategies}
    for terms in known.strategies:
        permitted = book.order_rules.permitted.get(terms.strategy_id)
        if terms.instruments and permitted == frozenset(terms.instruments):
            terms.instruments[:] = lists.get(terms.strategy_id, ())
    return known
