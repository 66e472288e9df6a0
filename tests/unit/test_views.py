"""The views: what is told of a durable state."""

import pytest

from tests.unit.builders import BUY, Desk, configuration, stamp
from tests.unit.conftest import OpenDesk
from tidegate.v1 import common_pb2, orders_pb2, portfolio_pb2, risk_pb2


def page(desk: Desk, size: int = 0, token: str = "", strategy_id: str = "") -> orders_pb2.ListOrdersResponse:
    """Ask for one page of working orders."""
    request = orders_pb2.ListOrdersRequest(page_size=size, page_token=token, strategy_id=strategy_id)
    return desk.ask("ListOrders", request, orders_pb2.ListOrdersResponse)


def test_working_orders_come_page_by_page_oldest_first(desk: Desk) -> None:
    """Pins that pages follow each other without gap, also when orders end and begin in between."""
    ids = [desk.buy("cash", "1").order_id for _ in range(5)]
    first = page(desk, 2)
    assert (ids[:2], ids[1]) == ([order.order_id for order in first.orders], first.next_page_token)
    desk.fill(ids[1], "1", "100")
    ids.append(desk.buy("cash", "1").order_id)
    second = page(desk, 2, first.next_page_token)
    assert ids[2:4] == [order.order_id for order in second.orders]
    last = page(desk, 2, second.next_page_token)
    assert (ids[4:], "") == ([order.order_id for order in last.orders], last.next_page_token)


def test_a_page_may_be_of_one_strategy(desk: Desk) -> None:
    """Pins the filter, and that a strategy without orders has an empty page."""
    desk.buy("cash", "1")
    mine = desk.buy("margin", "1").order_id
    assert [mine] == [order.order_id for order in page(desk, 1, strategy_id="margin").orders]
    assert 0 == len(page(desk, strategy_id="nobody").orders)


@pytest.mark.parametrize(("size", "expected"), [(0, 100), (1_000, 1_000), (4_000_000_000, 1_000)])
def test_a_page_is_bounded(desk: Desk, size: int, expected: int) -> None:
    """Pins the default and the largest page."""
    desk.bar(2, B="1")
    for count in (1_000, 1):
        request = orders_pb2.SubmitOrdersRequest(orders=[desk.order("cash", BUY, "1", "B") for _ in range(count)])
        desk.ask("SubmitOrders", request, orders_pb2.SubmitOrdersResponse)
    assert (expected, 1_001) == (len(page(desk, size).orders), len(desk.book.orders))


@pytest.mark.parametrize("token", ["x", "-1", "1.5", "٣", "9" * 21, "9" * 5_000])
def test_a_page_token_that_was_never_given_out_is_refused(desk: Desk, token: str) -> None:
    """Pins that a token of any length is harmless."""
    assert "PAGE_TOKEN_INVALID" == desk.refusal("ListOrders", orders_pb2.ListOrdersRequest(page_token=token))


@pytest.mark.parametrize("by", ["client_order_id", "order_id"])
def test_an_order_is_found_while_it_works_and_after_it_is_done(desk: Desk, by: str) -> None:
    """Pins both ways to ask, and that the archive tells the same as the book did."""
    order = desk.order("cash", BUY, "10", "A")
    decision = desk.submit(order)
    request = orders_pb2.GetOrderRequest(strategy_id="cash", client_order_id=order.client_order_id)
    if by == "order_id":
        request = orders_pb2.GetOrderRequest(order_id=decision.order_id)
    desk.fill(decision.order_id, "4", "100")
    found = desk.ask("GetOrder", request, orders_pb2.GetOrderResponse)
    assert (decision, order, "6") == (found.decision, found.order.order, found.order.leaves_quantity)
    desk.fill(decision.order_id, "6", "101")
    done = desk.ask("GetOrder", request, orders_pb2.GetOrderResponse).order
    assert (common_pb2.ORDER_STATUS_FILLED, "100.6") == (done.status, done.average_price)
    assert done == desk.restarted().ask("GetOrder", request, orders_pb2.GetOrderResponse).order


def test_a_refused_order_has_a_decision_and_no_order(desk: Desk) -> None:
    """Pins that a rejection can be asked for later."""
    order = desk.order("cash", BUY, "9999", "A")
    decision = desk.submit(order)
    request = orders_pb2.GetOrderRequest(strategy_id="cash", client_order_id=order.client_order_id)
    found = desk.ask("GetOrder", request, orders_pb2.GetOrderResponse)
    assert (decision, False) == (found.decision, found.HasField("order"))


@pytest.mark.parametrize("fields", [{}, {"order_id": "999"}, {"order_id": "x" * 5_000}, {"client_order_id": "o1"}])
def test_an_order_that_does_not_exist_is_refused(desk: Desk, fields: dict[str, str]) -> None:
    """Pins what is said of an unknown order, whatever the id."""
    assert "ORDER_UNKNOWN" == desk.refusal("GetOrder", orders_pb2.GetOrderRequest(**fields))


@pytest.mark.control("conservation")
def test_capital_is_conserved_to_the_last_digit(desk: Desk) -> None:
    """Pins a difference of exactly 0 with fees, partial closes, a flip, suspense and odd prices."""
    desk.hold("cash", "100", "99.97")
    desk.fill(desk.sell("cash", "33").order_id, "33", "100.33333333", fee="0.12345678")
    desk.hold("margin", "-70", "101.01")
    desk.hold("margin", "100", "98.76543219")
    orphan = desk.trade("", "2.5", "19.5", fee="-0.01")
    orphan.symbol, orphan.side = "Z", BUY
    desk.report(orphan)
    desk.bar(2, A="97.12345678")
    found = desk.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)
    assert ("0", "100000", "20000") == (
        found.conservation.difference,
        found.conservation.capital,
        found.conservation.reserve,
    )
    assert ("0.11345678", "0.01") == (found.conservation.fees, found.conservation.suspense)
    assert str(desk.book.equity.normalize()) == found.equity


def test_metrics_show_how_near_the_limits_are(open_desk: OpenDesk) -> None:
    """Pins every figure of a long, a short and a working order, and the breach."""
    desk = open_desk(configuration(max_concentration="0.3"))
    desk.bar(1, A="100", B="50")
    desk.hold("cash", "200", "100", "A")
    desk.hold("margin", "-100", "50", "B")
    desk.buy("cash", "50", "A")
    desk.bar(2, A="90", B="150")
    found = desk.ask("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest(), risk_pb2.GetRiskMetricsResponse)
    assert ("88000", "100000", "-0.12") == (found.equity, found.high_water_mark, found.drawdown)
    assert ("37500", "3000", "0.42613636") == (found.gross_exposure, found.net_exposure, found.leverage)
    assert ("A", "22500", 1) == (found.largest_symbol, found.largest_exposure, found.working_orders)
    assert ([], stamp(2)) == (list(found.breaches), found.time)
    desk.bar(3, A="111", B="150")
    found = desk.ask("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest(), risk_pb2.GetRiskMetricsResponse)
    assert [("CONCENTRATION", "A")] == [(breach.reason_code, breach.scope.name) for breach in found.breaches]


def test_a_share_of_no_equity_is_left_empty(desk: Desk) -> None:
    """Pins that leverage is not shown where it would be meaningless."""
    desk.hold("margin", "-500", "100")
    desk.bar(2, A="300")
    found = desk.ask("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest(), risk_pb2.GetRiskMetricsResponse)
    assert ("0", "", "-1") == (found.equity, found.leverage, found.drawdown)


def test_a_strategy_shows_its_positions(desk: Desk) -> None:
    """Pins a position's figures, and that an unknown strategy has none."""
    desk.hold("margin", "3", "100")
    desk.hold("margin", "1", "101")
    desk.sell("margin", "2")
    desk.bar(2, A="110")
    request = portfolio_pb2.GetStrategyRequest(strategy_id="margin")
    found = desk.ask("GetStrategy", request, portfolio_pb2.GetStrategyResponse)
    expected = portfolio_pb2.Position(
        symbol="A",
        quantity="4",
        average_cost="100.25",
        mark="110",
        market_value="440",
        unrealised_pnl="39",
        working_buys="0",
        working_sells="2",
        currency="USD",
        base_value="440",
    )
    assert [expected] == list(found.positions)
    summary = found.strategy
    assert ("margin", "30000", "30039", "29599") == (summary.kind, summary.capital, summary.equity, summary.cash)
    assert "STRATEGY_UNKNOWN" == desk.refusal("GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id=""))
