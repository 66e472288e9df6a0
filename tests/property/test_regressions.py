"""What the properties found, once and for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.property import wire
from tests.property.rig import CONFIGURATION, SYMBOLS, Rig, close_gate, request
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, market_data_pb2, orders_pb2

SECONDS = 1_000_000_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Open a gate and publish its first bar, in which everything gets a price."""
    found = Rig(tmp_path)
    bar = market_data_pb2.PublishBarsRequest(
        bars=[market_data_pb2.Bar(symbol=symbol, close=wire.FIRST_PRICES[symbol]) for symbol in SYMBOLS]
    )
    bar.time.seconds = SECONDS
    found.send(request("PublishBars", bar))
    yield found
    close_gate(found.gate)


def buy(rig: Rig, strategy_id: str, symbol: str, quantity: str, route: str = "") -> str:
    order = orders_pb2.NewOrder(
        strategy_id=strategy_id,
        client_order_id=f"{symbol}-{rig.gate.engine.book.sequence}",
        symbol=symbol,
        side=common_pb2.SIDE_BUY,
        order_type=common_pb2.ORDER_TYPE_MARKET,
        quantity=quantity,
        route=route,
    )
    (reply,) = rig.send(request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order)))
    order_id: str = orders_pb2.SubmitOrderResponse.FromString(reply.body).decision.order_id
    assert order_id
    return order_id


def fill(execution_id: str, order_id: str, quantity: str, price: str, fee: str = "") -> orders_pb2.Execution:
    return orders_pb2.Execution(
        execution_id=execution_id,
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        order_id=order_id,
        last_quantity=quantity,
        last_price=price,
        fee=fee,
    )


def test_a_bar_reaches_the_strategies_as_it_was_journaled(rig: Rig) -> None:
    """The bar's event keeps its own time, also when prices came after it."""
    prices = market_data_pb2.PublishPricesRequest(prices=[market_data_pb2.Price(symbol="ONE", price="101")])
    prices.prices[0].time.seconds = SECONDS + 5
    rig.send(request("PublishPrices", prices), wire.report([], 2))
    update = rig.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)
    assert update.bar == next(iter(rig.gate.journal.read(1, 1)))


def test_a_report_with_a_fill_that_cannot_be_placed_books_nothing(rig: Rig) -> None:
    """A fill of an unknown order without a symbol refuses the whole report, also what stands before it."""
    order_id = buy(rig, "saver", "ONE", "10")
    report = wire.report([fill("a", order_id, "10", "100"), fill("b", "12345", "1", "100")])
    (reply,) = rig.send(report)
    assert reply.reason == Reason.IDENTIFIER_INVALID
    assert reply.field == "executions[1].symbol"
    assert rig.gate.engine.book.orders[order_id].cumulative_quantity == 0


@pytest.mark.parametrize(("strategy_id", "reason"), [("", "raised"), ("ghost", "raised"), ("payer", "")])
def test_a_bar_with_a_fault_that_cannot_be_booked_changes_nothing(rig: Rig, strategy_id: str, reason: str) -> None:
    """A malformed fault refuses the completion of a bar before any other fault has paused a strategy."""
    message = actors_pb2.CompleteBarRequest(bar_sequence=2, seen_sequence=2)
    message.faults.add(strategy_id="saver", reason_code=Reason.STRATEGY_FAILED, reason="raised")
    message.faults.add(strategy_id=strategy_id, reason_code=Reason.STRATEGY_FAILED, reason=reason)
    (reply,) = rig.send(request("CompleteBar", message))
    assert reply.reason in {Reason.STRATEGY_UNKNOWN, Reason.TEXT_INVALID}
    assert not rig.gate.engine.book.pauses


def test_an_order_whose_cancel_was_rejected_is_not_claimed_in_a_halt(rig: Rig) -> None:
    """A halt outlasts the cancel that it asked for: nothing more is sent until it is reset."""
    order_id = buy(rig, "saver", "ONE", "10", route="paper")
    rig.send(request("Halt", admin_pb2.HaltRequest(operator="ann", reason="a look")))
    rejected = orders_pb2.Execution(
        execution_id="a", execution_type=orders_pb2.EXECUTION_TYPE_CANCEL_REJECTED, order_id=order_id
    )
    rig.send(wire.report([rejected]))
    claim = request("ClaimOrders", orders_pb2.ClaimOrdersRequest(adapter="paper", order_ids=[order_id]))
    (reply,) = rig.send(claim)
    (refused,) = orders_pb2.ClaimOrdersResponse.FromString(reply.body).claims
    assert refused.outcome == orders_pb2.CLAIM_OUTCOME_REFUSED
    assert refused.reason_code == Reason.TRADING_HALTED
    reset = admin_pb2.ResetHaltRequest(
        operator="ann", reason="seen", high_water_mark=admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
    )
    _, reply = rig.send(request("ResetHalt", reset), claim)
    (claimed,) = orders_pb2.ClaimOrdersResponse.FromString(reply.body).claims
    assert claimed.outcome == orders_pb2.CLAIM_OUTCOME_CLAIMED


def test_a_fee_that_breaches_another_instruments_limit_is_journaled(rig: Rig) -> None:
    """A fill lowers the equity that every instrument is measured by, not only its own."""
    share = CONFIGURATION.limits.max_concentration
    assert share == "0.4"
    large, small = buy(rig, "lever", "ONE", "3999"), buy(rig, "lever", "FUT", "1")
    rig.send(wire.report([fill("a", large, "3999", "100"), fill("b", small, "1", "400", fee="5000")]))
    assert [scope.name for _, scope in rig.gate.engine.book.breaches] == ["ONE"]
