"""The book takes events in their order only, and keeps its sums right."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, Desk
from tidegate.errors import BookError
from tidegate.v1 import journal_pb2


@pytest.mark.parametrize(
    ("ahead", "event"),
    [
        (0, journal_pb2.Event(bar_completed=journal_pb2.BarCompleted())),
        (2, journal_pb2.Event(bar_completed=journal_pb2.BarCompleted())),
        (1, journal_pb2.Event(portfolio_configured=journal_pb2.PortfolioConfigured())),
        (1, journal_pb2.Event()),
    ],
    ids=["repeated", "gap", "configured twice", "empty"],
)
def test_an_event_that_has_no_place_is_refused(desk: Desk, ahead: int, event: journal_pb2.Event) -> None:
    """Pins that a wrong journal is never folded silently."""
    event.sequence = desk.book.sequence + ahead
    with pytest.raises(BookError, match="event"):
        desk.book.apply(event, event.WhichOneof("body"))


def test_the_sums_over_strategies_equal_recomputed_sums(desk: Desk) -> None:
    """Pins equity, gross exposure and worst quantities with positions on both sides, working orders and suspense."""
    desk.hold("cash", "100", "99.5")
    desk.hold("margin", "-150", "100.5")
    desk.sell("cash", "40")
    desk.buy("margin", "200")
    desk.buy("cash", "7.5", "F")
    orphan = desk.trade("", "3", "101")
    orphan.symbol, orphan.side = "A", BUY
    desk.report(orphan)
    desk.bar(2, A="97.77", B="51", F="21.5")
    book = desk.book
    held = [(symbol, p) for s in book.strategies.values() for symbol, p in s.ledger.positions.items()]
    assert sum(s.ledger.equity for s in book.strategies.values()) + book.reserve == book.equity
    assert sum(p.worst_quantity * p.mark * p.multiplier for _, p in held) == book.totals.gross_exposure
    for symbol in ("A", "F"):
        worst = sum((p.worst_quantity for name, p in held if name == symbol), Decimal(0))
        assert worst == book.totals.worst_quantities[symbol]
    assert {order_id for s in book.strategies.values() for order_id in s.orders} == set(book.orders)


def test_the_time_never_goes_back(desk: Desk) -> None:
    """Pins that a mark of an earlier time does not turn the book's clock back."""
    before = desk.bar(2, A="100"), desk.book.time_ns
    desk.price(1.5, B="49")
    assert before == (desk.book.last_bar_sequence, desk.book.time_ns)
