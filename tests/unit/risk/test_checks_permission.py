"""Permission checks: they look at every order, the reducing ones too."""

import pytest

from tests.unit.builders import (
    BUY,
    PORTFOLIO,
    SELL,
    Desk,
    action,
    configuration,
    instrument_scope,
    limit,
    strategy_scope,
)
from tests.unit.conftest import OpenDesk
from tidegate.v1 import admin_pb2, common_pb2

REDUCE_ONLY = common_pb2.HALT_LEVEL_REDUCE_ONLY
HALTED = common_pb2.HALT_LEVEL_HALTED
SECOND = 1 / 86_400


@pytest.mark.control("kill-switch")
@pytest.mark.parametrize(
    ("scope", "level", "adding", "reducing"),
    [
        (PORTFOLIO, HALTED, "HALT TRADING_HALTED", "HALT TRADING_HALTED"),
        (strategy_scope("cash"), HALTED, "HALT TRADING_HALTED", "HALT TRADING_HALTED"),
        (instrument_scope("A"), HALTED, "HALT TRADING_HALTED", "HALT TRADING_HALTED"),
        (PORTFOLIO, REDUCE_ONLY, "REJECT REDUCE_ONLY", "ALLOW"),
        (strategy_scope("cash"), REDUCE_ONLY, "REJECT REDUCE_ONLY", "ALLOW"),
        (instrument_scope("A"), REDUCE_ONLY, "REJECT REDUCE_ONLY", "ALLOW"),
        (strategy_scope("margin"), HALTED, "ALLOW", "ALLOW"),
        (instrument_scope("B"), HALTED, "ALLOW", "ALLOW"),
    ],
)
def test_a_halt_stops_its_scope_at_its_level(
    desk: Desk, scope: common_pb2.Scope, level: common_pb2.HaltLevel.ValueType, adding: str, reducing: str
) -> None:
    """Pins each scope and level, for an order that adds and one that reduces."""
    desk.hold("cash", "10", "100")
    desk.halt(scope, level)
    assert adding == action(desk.buy("cash", "1"))
    assert reducing == action(desk.sell("cash", "10"))


def test_of_several_halts_the_most_severe_is_named(desk: Desk) -> None:
    """Pins that a mild wide halt does not hide a severe narrow one."""
    desk.halt(PORTFOLIO, REDUCE_ONLY)
    desk.halt(instrument_scope("A"), HALTED)
    (violation,) = desk.buy("cash", "1").violations
    assert ("TRADING_HALTED", instrument_scope("A")) == (violation.reason_code, violation.scope)


def test_a_paused_strategy_may_only_reduce(desk: Desk) -> None:
    """Pins that a pause stops code, not the way out."""
    desk.hold("cash", "10", "100")
    request = admin_pb2.PauseStrategyRequest(strategy_id="cash", operator="ann", reason="odd")
    desk.ask("PauseStrategy", request, admin_pb2.PauseStrategyResponse)
    assert "REJECT STRATEGY_PAUSED" == action(desk.buy("cash", "1"))
    assert "ALLOW" == action(desk.sell("cash", "10"))
    assert "ALLOW" == action(desk.buy("margin", "1"))


@pytest.mark.control("increments")
@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("1", "99.99", "ALLOW"),
        ("1", "99.995", "REJECT PRICE_OFF_TICK"),
        ("1.5", "99.99", "REJECT QUANTITY_OFF_LOT"),
        ("0.5", "99.995", "REJECT QUANTITY_OFF_LOT"),
    ],
)
@pytest.mark.parametrize("side", [BUY, SELL])
def test_prices_come_in_ticks_and_quantities_in_lots(
    desk: Desk, side: common_pb2.Side.ValueType, quantity: str, price: str, expected: str
) -> None:
    """Pins both increments, also for the sell that reduces."""
    desk.hold("cash", "10", "100")
    assert expected == action(desk.submit(limit(desk.order("cash", side, quantity, "A"), price)))


@pytest.mark.control("order-size")
@pytest.mark.parametrize(
    ("side", "quantity", "symbol", "expected"),
    [
        (BUY, "100", "B", "ALLOW"),
        (BUY, "101", "B", "REJECT ORDER_QUANTITY"),
        (SELL, "101", "B", "REJECT ORDER_QUANTITY"),
        (BUY, "80", "A", "ALLOW"),
        (BUY, "81", "A", "REJECT ORDER_NOTIONAL"),
        (SELL, "81", "A", "REJECT ORDER_NOTIONAL"),
        (BUY, "40", "F", "ALLOW"),
        (BUY, "40.5", "F", "REJECT ORDER_NOTIONAL"),
    ],
)
def test_one_order_has_a_largest_quantity_and_value(
    open_desk: OpenDesk, side: common_pb2.Side.ValueType, quantity: str, symbol: str, expected: str
) -> None:
    """Pins both limits at and above the boundary; a reducing order is capped too."""
    desk = open_desk(configuration(max_order_quantity="100", max_order_notional="8000"))
    desk.bar(1, A="100", B="50", F="20")
    for symbol_held, price in (("A", "100"), ("B", "50")):
        desk.hold("cash", "80", price, symbol_held)
        desk.hold("cash", "40", price, symbol_held)
    assert expected == action(desk.submit(desk.order("cash", side, quantity, symbol)))


@pytest.mark.parametrize(
    ("held", "working", "quantity", "expected"),
    [
        ("10", "", "-10", "ALLOW"),
        ("10", "", "-11", "REJECT NOT_REDUCING"),
        ("10", "", "1", "REJECT NOT_REDUCING"),
        ("10", "-4", "-6", "ALLOW"),
        ("10", "-4", "-7", "REJECT NOT_REDUCING"),
        ("-10", "", "10", "ALLOW"),
        ("-10", "", "11", "REJECT NOT_REDUCING"),
        ("-10", "4", "7", "REJECT NOT_REDUCING"),
        ("", "", "1", "REJECT NOT_REDUCING"),
    ],
)
def test_a_reduce_only_order_reduces_what_working_orders_leave(
    desk: Desk, held: str, working: str, quantity: str, expected: str
) -> None:
    """Pins what reducing means, long and short; a flip is not reducing."""
    if held:
        desk.hold("margin", held, "100")
    if working:
        desk.move("margin", working)
    order = desk.order("margin", SELL if quantity.startswith("-") else BUY, quantity.lstrip("-"), "A")
    order.reduce_only = True
    assert expected == action(desk.submit(order))


@pytest.mark.control("price-age")
@pytest.mark.parametrize(("day", "expected"), [(4, "ALLOW"), (4 + SECOND, "REJECT PRICE_STALE")])
def test_a_price_exactly_as_old_as_the_limit_is_fresh(desk: Desk, day: float, expected: str) -> None:
    """Pins three days, and one second more."""
    desk.bar(day, B="50")
    assert expected == action(desk.buy("cash", "1", "A"))


@pytest.mark.control("price-age", "way-out")
def test_with_a_stale_price_only_a_reducing_limit_order_passes(desk: Desk) -> None:
    """Pins that a dead feed does not lock a position in, and lets no market order out."""
    desk.hold("cash", "10", "100")
    desk.bar(9, B="50")
    assert "REJECT PRICE_STALE" == action(desk.sell("cash", "10"))
    assert "REJECT PRICE_STALE" == action(desk.submit(limit(desk.order("cash", BUY, "1", "A"), "99")))
    assert "ALLOW" == action(desk.submit(limit(desk.order("cash", SELL, "10", "A"), "99")))
