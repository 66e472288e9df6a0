"""The Python SDK as a user has it: one call after the other, and halts while others load the gateway."""

import time
from statistics import median, quantiles
from typing import NamedTuple

from bench import flow
from bench.errors import BenchError, refusals_end_it
from gateway.client import Client
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2, risk_pb2

# What a halt finds working in its strategy, and asks the broker to cancel.
WORKING_ORDERS = 10
_WARM_UP = 20
_OPERATOR = "bench"
_TIMEOUT_S = 10.0


class Latency(NamedTuple):
    """Of calls one after the other; orders: how many were sent, with those that warmed up."""

    p50_ms: float
    p99_ms: float
    orders: int


class Halts(NamedTuple):
    """Each halt, from call to return; working_orders: in the whole book, after the last one."""

    times_ms: list[float]
    orders: int
    working_orders: int


def alone(address: str, prefix: str, count: int) -> Latency:
    """Submit orders one by one; nothing else runs."""
    times_ms = []
    with refusals_end_it(), Client(address, timeout_s=_TIMEOUT_S) as client:
        for number in range(_WARM_UP + count):
            order = flow.order(prefix, number)
            began = time.perf_counter()
            decision = client.submit_order(order)
            times_ms.append((time.perf_counter() - began) * 1e3)
            if decision.action != common_pb2.ACTION_ALLOW:
                message = f"an order was not allowed: {decision.reason_code} {decision.reason}"
                raise BenchError(message)
    counted = times_ms[_WARM_UP:]
    return Latency(median(counted), quantiles(counted, n=100, method="inclusive")[98], len(times_ms))


def publish_prices(address: str) -> None:
    """Let every price be of now."""
    with refusals_end_it(), Client(address, timeout_s=_TIMEOUT_S) as client:
        client.market_data.PublishPrices(flow.prices())


def halts(address: str, count: int) -> Halts:
    """
    Halt a strategy with ten working orders, and reset it, again and again.

    Raises:
        BenchError: a halt did not find the orders, so that it was not the one that the figure speaks of.
    """
    scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=flow.HALTED_STRATEGY)
    halt = admin_pb2.HaltRequest(scope=scope, operator=_OPERATOR, reason="measured")
    reset = admin_pb2.ResetHaltRequest(scope=scope, operator=_OPERATOR, reason="measured")
    times_ms = []
    with refusals_end_it(), Client(address, timeout_s=_TIMEOUT_S) as client:
        for number in range(count):
            numbers = range(number * WORKING_ORDERS, (number + 1) * WORKING_ORDERS)
            orders = [flow.order("halted", n, strategy_id=flow.HALTED_STRATEGY) for n in numbers]
            client.orders.SubmitOrders(orders_pb2.SubmitOrdersRequest(orders=orders))
            began = time.perf_counter()
            response = client.admin.Halt(halt)
            times_ms.append((time.perf_counter() - began) * 1e3)
            if response.cancels_requested != WORKING_ORDERS:
                message = f"a halt asked for {response.cancels_requested} cancels, not {WORKING_ORDERS}"
                raise BenchError(message)
            client.admin.ResetHalt(reset)
        working_orders = client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest()).working_orders
    return Halts(times_ms, count * WORKING_ORDERS, working_orders)
