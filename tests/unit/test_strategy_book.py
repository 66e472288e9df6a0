"""A strategy's book, as its own events tell."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, CANCELED, SELL, TRADE
from tidegate.errors import BookError
from tidegate.ledger import Ledger
from tidegate.strategy_book import StrategyBook, strategies_of
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, orders_pb2

D = Decimal


def decided(action: common_pb2.Action.ValueType = common_pb2.ACTION_ALLOW) -> journal_pb2.Event:
    """Record a decision on a buy of 10 at 100; only an accepted order has an id."""
    accepted = action < common_pb2.ACTION_REJECT
    return journal_pb2.Event(
        order_decided=journal_pb2.OrderDecided(
            order=orders_pb2.NewOrder(strategy_id="s", client_order_id="o1", symbol="A", side=BUY),
            decision=orders_pb2.Decision(
                action=action, order_id="2" if accepted else "", approved_quantity="10" if accepted else "0"
            ),
            valuation_price="100",
        )
    )


def booked(execution: orders_pb2.Execution, side: common_pb2.Side.ValueType = BUY) -> journal_pb2.Event:
    """Record an execution of this strategy."""
    return journal_pb2.Event(
        execution_booked=journal_pb2.ExecutionBooked(execution=execution, strategy_id="s", symbol="A", side=side)
    )


def trade(quantity: str, price: str, order_id: str = "2") -> orders_pb2.Execution:
    """Write a fill."""
    return orders_pb2.Execution(execution_type=TRADE, order_id=order_id, last_quantity=quantity, last_price=price)


@pytest.fixture
def book() -> StrategyBook:
    """Begin with 5,000, and an instrument that nobody configured."""
    book = StrategyBook("s", Ledger("USD"), {}, {"A": D(100)})
    book.ledger.transfer(D(5000))
    return book


def test_an_accepted_order_reserves_and_its_fill_releases_what_it_filled(book: StrategyBook) -> None:
    """Pins the reservation at the valuation price, whatever the fill's own price."""
    book.apply(decided())
    assert D(1000) == book.ledger.reserved_cash
    book.apply(booked(trade("4", "99")))
    assert (D(600), D(6)) == (book.ledger.reserved_cash, book.ledger.positions["A"].working_buys)
    book.apply(booked(trade("6", "101")))
    assert (D(0), {}, D(3998)) == (book.ledger.reserved_cash, book.orders, book.ledger.cash)


def test_a_refused_order_reserves_nothing(book: StrategyBook) -> None:
    """Pins that a rejection is a record only."""
    book.apply(decided(common_pb2.ACTION_REJECT))
    assert ({}, D(0)) == (book.orders, book.ledger.reserved_cash)


def test_an_overfill_releases_no_more_than_was_reserved(book: StrategyBook) -> None:
    """Pins that what the broker did too much is booked, and reservations end at zero."""
    book.apply(decided())
    book.apply(booked(trade("15", "100")))
    assert (D(0), D(15), D(0)) == (
        book.ledger.reserved_cash,
        book.ledger.positions["A"].quantity,
        book.ledger.positions["A"].working_buys,
    )


def test_a_fill_after_the_order_is_done_moves_the_position_only(book: StrategyBook) -> None:
    """Pins that a done order's reservation is not released twice."""
    book.apply(decided())
    book.apply(booked(orders_pb2.Execution(execution_type=CANCELED, order_id="2")))
    book.apply(booked(trade("3", "100")))
    assert (D(0), D(3)) == (book.ledger.reserved_cash, book.ledger.positions["A"].quantity)


def test_free_cash_leaves_out_reservations_and_short_proceeds(book: StrategyBook) -> None:
    """Pins what a transfer may take."""
    book.apply(decided())
    assert D(4000) == book.cash_available
    book.apply(booked(trade("20", "100", order_id="9"), SELL))
    assert D(4000) == book.cash_available


@pytest.mark.parametrize(("source", "target", "expected"), [("s", "", 4900), ("", "s", 5100), ("t", "s", 5100)])
def test_a_transfer_goes_out_of_one_side_and_into_the_other(
    book: StrategyBook, source: str, target: str, expected: int
) -> None:
    """Pins the sign of a transfer, and that it is capital."""
    transfer = admin_pb2.TransferCapitalRequest(from_strategy_id=source, to_strategy_id=target, amount="100")
    event = journal_pb2.Event(capital_transferred=transfer)
    book.apply(event)
    assert expected == book.ledger.cash == book.ledger.capital
    assert tuple(s for s in (source, target) if s) == strategies_of(event)


def test_an_event_about_no_strategy_is_refused_and_concerns_none(book: StrategyBook) -> None:
    """Pins that bars do not reach a strategy's book by accident."""
    event = journal_pb2.Event(bar_published=market_data_pb2.PublishBarsRequest())
    assert () == strategies_of(event)
    with pytest.raises(BookError, match="not about a strategy"):
        book.apply(event)


def test_a_fill_without_an_owner_concerns_no_strategy() -> None:
    """Pins that the suspense ledger is nobody's."""
    assert () == strategies_of(journal_pb2.Event(execution_booked=journal_pb2.ExecutionBooked(symbol="A")))
