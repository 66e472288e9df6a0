"""What a person sees of a running gateway: figures for Prometheus, and one id from the call to the journal."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from gateway.client import new_order
from gateway.metrics import MetricsEndpoint
from tests.integration.conftest import Running, free_address
from tidegate.errors import ConfigurationError, TidegateError
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2


def figure(name: str, **labels: str) -> float:
    """Read one figure of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def read_lines(logs: Path) -> list[dict[str, Any]]:
    """Read a log."""
    return [json.loads(line) for line in logs.read_text(encoding="utf-8").splitlines()]


def order(client_order_id: str, quantity: str = "1") -> orders_pb2.SubmitOrderRequest:
    """Write an order in an instrument that has a price."""
    return orders_pb2.SubmitOrderRequest(
        order=new_order(
            strategy_id="one",
            client_order_id=client_order_id,
            symbol="UP",
            side=common_pb2.SIDE_BUY,
            quantity=quantity,
        )
    )


async def test_the_figures_say_what_was_decided_and_how_long_it_took(running: Running) -> None:
    """Pins decisions by action and reason, latencies by method, commits, batches, refusals and halts."""
    names = ("tidegate_call_seconds_count", "tidegate_refusals_total")
    calls, refusals = (
        figure(names[0], method="SubmitOrder"),
        figure(names[1], method="SubmitOrder", reason="QUANTITY_INVALID"),
    )
    batches = figure("tidegate_batch_requests_count")
    await running.publish_bar({"UP": "100"})
    await running.client.orders.SubmitOrder(order("a"))
    await running.client.orders.SubmitOrder(order("b", "0.5"))
    with pytest.raises(grpc.aio.AioRpcError):
        await running.client.orders.SubmitOrder(order("c", "none"))
    await running.client.admin.Halt(admin_pb2.HaltRequest(operator="ann", reason="drill"))
    assert 3 == figure(names[0], method="SubmitOrder") - calls
    assert 1 == figure(names[1], method="SubmitOrder", reason="QUANTITY_INVALID") - refusals
    REGISTRY.register(collector := running.port.collector())
    assert 1 == figure("tidegate_decisions_total", action="ALLOW", reason="")
    assert 1 == figure("tidegate_decisions_total", action="REJECT", reason="QUANTITY_OFF_LOT")
    assert 1 == figure("tidegate_halts", kind="PORTFOLIO", level="HALTED")
    assert 1 == figure("tidegate_working_orders")
    assert 1 == figure("tidegate_journal_epoch")
    assert figure("tidegate_journal_sequence") > 4
    assert figure("tidegate_batch_requests_count") > batches
    REGISTRY.unregister(collector)


def test_the_figures_are_served_for_prometheus() -> None:
    """Pins the endpoint, and that nobody shares its address."""
    endpoint = MetricsEndpoint(free_address())
    endpoint.open()
    with urllib.request.urlopen(f"http://{endpoint.address}/metrics") as response:
        text = response.read().decode()
    assert "tidegate_commit_seconds_bucket" in text
    assert "tidegate_streams" in text
    with pytest.raises(TidegateError, match="cannot serve metrics on"):
        endpoint.open()


def test_the_figures_are_for_this_machine_unless_they_are_served_by_tls() -> None:
    """Pins that they are no way round the gateway's own rule."""
    with pytest.raises(ConfigurationError):
        MetricsEndpoint("0.0.0.0:9464").check()
    MetricsEndpoint("0.0.0.0:9464", Path("certificate"), Path("key")).check()


async def test_a_request_id_leads_from_the_call_to_its_events(running: Running, logs: Path) -> None:
    """Pins one id in the gateway's line and in the engine's, which names the events; no id, no line."""
    await running.publish_bar({"UP": "100"})
    await running.client.orders.SubmitOrder(order("a"), metadata=[("x-request-id", "desk-7/42")])
    await running.client.orders.SubmitOrder(order("b"))
    await running.client.orders.SubmitOrder(order("c"), metadata=[("x-request-id", "x" * 65)])
    lines = read_lines(logs)
    (call,) = [line for line in lines if line["event"] == "call"]
    (decided,) = [line for line in lines if line["event"] == "decided"]
    assert ("desk-7/42", "SubmitOrder", "") == (call["request_id"], call["method"], call["reason"])
    assert "desk-7/42" == decided["request_id"]
    events = running.events("order_decided")
    assert [decided["sequence"]] == [
        event.sequence for event in events if event.order_decided.order.client_order_id == "a"
    ]
