"""
The client SDK: every service of the gateway, synchronous or asyncio.

A call waits for the gateway to be there. One that finds the RiskManager away is repeated by gRPC, up to five times
within about three seconds, with the same ids: ``client_order_id``, ``execution_id``, ``transfer_id`` and a bar's time
make that safe, for the gateway gives the first answer again. ``ResetHalt`` and ``ConfirmReset`` are never repeated. An
error after the last attempt means "unknown", not "no": ask again with the same id.

What a client shows and trusts is given to it, or stands in the environment: ``TIDEGATE_TOKEN`` or
``TIDEGATE_TOKEN_FILE``, ``TIDEGATE_CA`` (then it speaks TLS), ``TIDEGATE_CERTIFICATE`` and ``TIDEGATE_KEY``.
"""

import json
from types import TracebackType
from typing import Any, Self

from gateway.addresses import DEFAULT_ADDRESS
from gateway.channels import open_aio_channel, open_channel
from gateway.connections import client_options
from gateway.credentials import Credentials, PathLike
from gateway.methods import methods, services
from tidegate.v1 import common_pb2, orders_pb2
from tidegate.v1.admin_pb2_grpc import AdminServiceStub
from tidegate.v1.market_data_pb2_grpc import MarketDataServiceStub
from tidegate.v1.orders_pb2_grpc import OrderServiceStub
from tidegate.v1.portfolio_pb2_grpc import PortfolioServiceStub
from tidegate.v1.risk_pb2_grpc import RiskServiceStub

TIMEOUT_S = 30.0
# A service config's time-outs end one to two seconds early: https://github.com/grpc/grpc/issues/34547
_ENDS_EARLY_S = 2.0
_ENDLESS = ("AwaitBar",)
# Repeated after a lost reply, it could lift another halt or throttle than the one that its operator saw.
_ONCE = ("ResetHalt", "ConfirmReset", "ReleaseThrottle")
_RETRY = {
    "maxAttempts": 5,
    "initialBackoff": "0.2s",
    "maxBackoff": "3s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


# By whether an order has a stop, and a limit.
_TYPES = {
    (False, False): common_pb2.ORDER_TYPE_MARKET,
    (False, True): common_pb2.ORDER_TYPE_LIMIT,
    (True, False): common_pb2.ORDER_TYPE_STOP,
    (True, True): common_pb2.ORDER_TYPE_STOP_LIMIT,
}


def new_order(  # noqa: PLR0913 -- an order has as many parts
    *,
    strategy_id: str,
    client_order_id: str,
    symbol: str,
    side: common_pb2.Side.ValueType,
    quantity: str,
    limit_price: str = "",
    time_in_force: common_pb2.TimeInForce.ValueType = common_pb2.TIME_IN_FORCE_DAY,
    reduce_only: bool = False,
    route: str = "",
    stop_price: str = "",
    emergency: orders_pb2.EmergencyExit | None = None,
) -> orders_pb2.NewOrder:
    """Write an order of the type that its prices make it; quantity and prices are decimals as text."""
    return orders_pb2.NewOrder(
        strategy_id=strategy_id,
        client_order_id=client_order_id,
        symbol=symbol,
        side=side,
        order_type=_TYPES[bool(stop_price), bool(limit_price)],
        quantity=quantity,
        limit_price=limit_price,
        stop_price=stop_price,
        time_in_force=time_in_force,
        reduce_only=reduce_only,
        route=route,
        emergency=emergency,
    )


class Client:
    """
    A synchronous client; each service is an attribute with its methods.

    Calls raise ``grpc.RpcError``; ``gateway.status.refusal_of`` reads the reason code out of it.
    """

    def __init__(  # noqa: PLR0913 -- what a client shows has as many parts
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = TIMEOUT_S,
        token: str | None = None,
        ca: PathLike | None = None,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
    ) -> None:
        """
        Connect when first used; timeout_s bounds each call, retries included.

        token: a bearer token. ca, certificate, key: PEM files. One left out comes from the environment.

        Raises:
            ConfigurationError: a file cannot be read, or the token would leave this machine without TLS.
        """
        self.credentials = Credentials.of(token, ca, certificate, key)
        self.channel = open_channel(address, self.credentials, _options(timeout_s))
        self.orders = OrderServiceStub(self.channel)
        self.market_data = MarketDataServiceStub(self.channel)
        self.risk = RiskServiceStub(self.channel)
        self.portfolio = PortfolioServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)

    def submit_order(self, order: orders_pb2.NewOrder) -> orders_pb2.Decision:
        """Have one order decided."""
        return self.orders.SubmitOrder(orders_pb2.SubmitOrderRequest(order=order)).decision

    def close(self) -> None:
        """Drop the connection."""
        self.channel.close()

    def __enter__(self) -> Self:
        """Use the client in a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the connection at the end of the ``with``."""
        self.close()


class AsyncClient:
    """
    An asyncio client; each service is an attribute with its methods. Make it inside the event loop.

    Calls raise ``grpc.aio.AioRpcError``; ``gateway.status.refusal_of`` reads the reason code out of it.
    """

    def __init__(  # noqa: PLR0913 -- what a client shows has as many parts
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = TIMEOUT_S,
        token: str | None = None,
        ca: PathLike | None = None,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
    ) -> None:
        """
        Connect when first used; timeout_s bounds each call, retries included.

        token: a bearer token. ca, certificate, key: PEM files. One left out comes from the environment.

        Raises:
            ConfigurationError: a file cannot be read, or the token would leave this machine without TLS.
        """
        self.credentials = Credentials.of(token, ca, certificate, key)
        self.channel = open_aio_channel(address, self.credentials, _options(timeout_s))
        self.orders = OrderServiceStub(self.channel)
        self.market_data = MarketDataServiceStub(self.channel)
        self.risk = RiskServiceStub(self.channel)
        self.portfolio = PortfolioServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)

    async def submit_order(self, order: orders_pb2.NewOrder) -> orders_pb2.Decision:
        """Have one order decided."""
        response = await self.orders.SubmitOrder(orders_pb2.SubmitOrderRequest(order=order))
        return response.decision

    async def close(self) -> None:
        """Drop the connection."""
        await self.channel.close()

    async def __aenter__(self) -> Self:
        """Use the client in an ``async with``."""
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Drop the connection at the end of the ``async with``."""
        await self.close()


def _options(timeout_s: float) -> list[tuple[str, Any]]:
    """Let gRPC itself wait for the gateway and repeat what found it away."""
    all_of = [{"service": service.full_name} for service in services()]
    each = [({"service": method.path.split("/")[1], "method": method.name}, method) for method in methods()]
    endless = [name for name, method in each if method.is_stream or method.name in _ENDLESS]
    once = [name for name, method in each if method.name in _ONCE]
    timeout = f"{timeout_s + _ENDS_EARLY_S:g}s"
    config = {
        "methodConfig": [
            {"name": all_of, "waitForReady": True, "timeout": timeout, "retryPolicy": _RETRY},
            {"name": endless, "waitForReady": True, "retryPolicy": _RETRY},
            {"name": once, "waitForReady": True, "timeout": timeout},
        ]
    }
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.enable_retries", 1),
        *client_options(),
    ]
