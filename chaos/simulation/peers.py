"""Who speaks to the gate in a simulated history: each has one request open at a time, and repeats it until answered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from google.protobuf.message import Message

from chaos.records import DEPOSIT, EXECUTION, HALT, ORDER, READ, RESET, TRANSFER, WITHDRAWAL, Record
from tidegate.gate import Reply, Request
from tidegate.v1 import admin_pb2, common_pb2, market_data_pb2, orders_pb2, risk_pb2

_BUY, _SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
_KINDS = orders_pb2
_SCOPES = (
    (common_pb2.SCOPE_KIND_PORTFOLIO, ""),
    (common_pb2.SCOPE_KIND_STRATEGY, "saver"),
    (common_pb2.SCOPE_KIND_STRATEGY, "lever"),
    (common_pb2.SCOPE_KIND_INSTRUMENT, "ONE"),
)


@dataclass
class Call:
    """One request, what it is about, and whether it may be repeated."""

    request: Request
    keys: list[tuple[str, str]]
    message: Message
    repeats: bool = True


@dataclass
class Market:
    """What the peers know of each other: prices, and the orders that somebody may send to the broker."""

    prices: dict[str, Decimal]
    accepted: dict[str, orders_pb2.NewOrder] = field(default_factory=dict)
    now_ns: int = 0


class Peer:
    """A client: draws its next request, and reads the reply."""

    def __init__(self, name: str, rng: Random, market: Market) -> None:
        """Have nothing asked yet."""
        self.name = name
        self.open: Call | None = None
        self._rng = rng
        self._market = market
        self._count = 0

    def draw(self) -> Call | None:
        """Think of something to ask."""
        raise NotImplementedError

    def acknowledged(self, call: Call, reply: Reply) -> Iterator[Record]:
        """Read what an answer acknowledges; a refused request acknowledges nothing."""
        raise NotImplementedError

    def _id(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    def _record(self, kind: str, key: str, sequence: int, asked: Message, answer: bytes = b"") -> Record:
        return Record(
            is_answer=True,
            kind=kind,
            key=key,
            time_ns=0,
            sequence=sequence,
            asked=asked.SerializeToString(),
            answer=answer,
        )


class Trader(Peer):
    """Submits orders of one strategy, one or several at once, and cancels or replaces some."""

    def __init__(self, name: str, rng: Random, market: Market) -> None:
        """Have no orders."""
        super().__init__(name, rng, market)
        self._mine: list[str] = []

    def draw(self) -> Call | None:
        """Order, mostly."""
        rng = self._rng
        if self._mine and rng.random() < 0.2:
            return self._change(rng.choice(self._mine))
        orders = [self._order() for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        keys = [(ORDER, f"{self.name} {order.client_order_id}") for order in orders]
        if len(orders) == 1:
            single = orders_pb2.SubmitOrderRequest(order=orders[0])
            return Call(_request("SubmitOrder", single), keys, single)
        batch = orders_pb2.SubmitOrdersRequest(orders=orders)
        return Call(_request("SubmitOrders", batch), keys, batch)

    def _order(self) -> orders_pb2.NewOrder:
        rng, symbol = self._rng, self._rng.choice(("ONE", "TWO"))
        order = orders_pb2.NewOrder(
            strategy_id=self.name,
            client_order_id=self._id(),
            symbol=symbol,
            side=rng.choice((_BUY, _BUY, _SELL)),
            order_type=common_pb2.ORDER_TYPE_MARKET,
            quantity=str(rng.choice((1, 10, 100, 400, 900))),
            route=rng.choice(("", "paper")),
        )
        if rng.random() < 0.3:
            order.order_type = common_pb2.ORDER_TYPE_LIMIT
            order.limit_price = str(self._market.prices[symbol] + rng.choice((-2, -1, 0, 1, 2)))
        return order

    def _change(self, client_order_id: str) -> Call:
        if self._rng.random() < 0.5:
            cancel = orders_pb2.CancelOrderRequest(strategy_id=self.name, client_order_id=client_order_id)
            return Call(_request("CancelOrder", cancel), [], cancel)
        replace = orders_pb2.ReplaceOrderRequest(
            strategy_id=self.name,
            orig_client_order_id=client_order_id,
            client_order_id=self._id(),
            quantity=str(self._rng.choice((5, 50, 500))),
        )
        return Call(_request("ReplaceOrder", replace), [], replace)

    def acknowledged(self, call: Call, reply: Reply) -> Iterator[Record]:
        """Learn which orders may be sent."""
        decisions: list[orders_pb2.Decision] = []
        orders: list[orders_pb2.NewOrder] = []
        if isinstance(call.message, orders_pb2.SubmitOrderRequest):
            decisions = [orders_pb2.SubmitOrderResponse.FromString(reply.body).decision]
            orders = [call.message.order]
        elif isinstance(call.message, orders_pb2.SubmitOrdersRequest):
            decisions = list(orders_pb2.SubmitOrdersResponse.FromString(reply.body).decisions)
            orders = list(call.message.orders)
        for order, decision in zip(orders, decisions, strict=True):
            if decision.order_id:
                self._mine.append(order.client_order_id)
                self._market.accepted[decision.order_id] = order
            key = f"{self.name} {order.client_order_id}"
            yield self._record(ORDER, key, decision.sequence, order, decision.SerializeToString())


class Broker(Peer):
    """Claims what is routed to it, and reports: acknowledgements, fills, cancels, busts; some of them twice."""

    def __init__(self, name: str, rng: Random, market: Market) -> None:
        """Have done nothing yet."""
        super().__init__(name, rng, market)
        self._claimed: set[str] = set()
        self._filled: dict[str, Decimal] = {}
        self._done: set[str] = set()
        self._fills: list[orders_pb2.Execution] = []
        self._reported: list[orders_pb2.Execution] = []

    def draw(self) -> Call | None:
        """Claim, or report."""
        rng, accepted = self._rng, self._market.accepted
        unclaimed = [i for i, order in accepted.items() if order.route and i not in self._claimed]
        if unclaimed and rng.random() < 0.5:
            claim = orders_pb2.ClaimOrdersRequest(
                adapter="paper", order_ids=rng.sample(unclaimed, min(len(unclaimed), 3))
            )
            return Call(_request("ClaimOrders", claim), [], claim)
        workable = [
            i for i, order in accepted.items() if i not in self._done and (not order.route or i in self._claimed)
        ]
        executions = [self._execution(order_id) for order_id in rng.sample(workable, min(len(workable), 2))]
        if self._fills and rng.random() < 0.1:
            executions.append(self._bust(self._fills.pop(rng.randrange(len(self._fills)))))
        if self._reported and rng.random() < 0.3:
            executions.append(rng.choice(self._reported))
        if not executions:
            return None
        self._reported += executions
        report = orders_pb2.ReportExecutionsRequest(account="main", adapter="paper", executions=executions)
        keys = [(EXECUTION, f"main {execution.execution_id}") for execution in executions]
        return Call(_request("ReportExecutions", report), keys, report)

    def _execution(self, order_id: str) -> orders_pb2.Execution:
        rng, order = self._rng, self._market.accepted[order_id]
        execution = orders_pb2.Execution(execution_id=self._id(), order_id=order_id)
        left = Decimal(order.quantity) - self._filled.get(order_id, Decimal(0))
        draw = rng.random()
        if draw < 0.25:
            execution.execution_type = _KINDS.EXECUTION_TYPE_NEW
        elif draw < 0.4:
            execution.execution_type = rng.choice((_KINDS.EXECUTION_TYPE_CANCELED, _KINDS.EXECUTION_TYPE_REPLACED))
            if execution.execution_type == _KINDS.EXECUTION_TYPE_CANCELED:
                self._done.add(order_id)
        else:
            quantity = left if rng.random() < 0.5 or left < 2 else left // 2
            execution.execution_type = _KINDS.EXECUTION_TYPE_TRADE
            price = self._market.prices[order.symbol] + Decimal(rng.randrange(-99, 99)) / 100
            execution.last_quantity, execution.last_price = str(quantity), str(price)
            execution.fee = rng.choice(("", "0.01", "1.13", "-0.2"))
            self._filled[order_id] = self._filled.get(order_id, Decimal(0)) + quantity
            self._fills.append(execution)
            if quantity == left:
                self._done.add(order_id)
        return execution

    def _bust(self, fill: orders_pb2.Execution) -> orders_pb2.Execution:
        return orders_pb2.Execution(
            execution_id=self._id(),
            execution_type=_KINDS.EXECUTION_TYPE_TRADE_CANCEL,
            order_id=fill.order_id,
            reference_execution_id=fill.execution_id,
        )

    def acknowledged(self, call: Call, reply: Reply) -> Iterator[Record]:
        """Learn what was claimed, and where each execution is booked."""
        if isinstance(call.message, orders_pb2.ClaimOrdersRequest):
            claims = orders_pb2.ClaimOrdersResponse.FromString(reply.body).claims
            self._claimed |= {one.order_id for one in claims if one.outcome != orders_pb2.CLAIM_OUTCOME_REFUSED}
        elif isinstance(call.message, orders_pb2.ReportExecutionsRequest):
            sequences = orders_pb2.ReportExecutionsResponse.FromString(reply.body).sequences
            for execution, sequence in zip(call.message.executions, sequences, strict=True):
                yield self._record(EXECUTION, f"main {execution.execution_id}", sequence, execution)


class Officer(Peer):
    """Halts and resets, and moves capital."""

    def __init__(self, name: str, rng: Random, market: Market) -> None:
        """Have halted nothing."""
        super().__init__(name, rng, market)
        self._halted: list[common_pb2.Scope] = []

    def draw(self) -> Call | None:
        """Halt, reset or move capital."""
        rng, key = self._rng, self._id()
        kind, name = rng.choice(_SCOPES)
        scope, draw = common_pb2.Scope(kind=kind, name=name), rng.random()
        if self._halted and draw < 0.5:
            return self._reset(self._halted.pop(), key)
        if draw < 0.4:
            level = rng.choice((common_pb2.HALT_LEVEL_HALTED, common_pb2.HALT_LEVEL_REDUCE_ONLY))
            halt = admin_pb2.HaltRequest(scope=scope, level=level, operator="ann", reason=key)
            return Call(_request("Halt", halt), [(HALT, key)], halt)
        if draw < 0.55:
            return self._reset(scope, key)
        amount = str(rng.choice(("0.01", "1000", "12345.67", "200000")))
        if draw < 0.8:
            source, target = rng.sample(("saver", "lever", ""), 2)
            transfer = admin_pb2.TransferCapitalRequest(
                transfer_id=key,
                from_strategy_id=source,
                to_strategy_id=target,
                amount=amount,
                operator="ann",
                reason="plan",
            )
            return Call(_request("TransferCapital", transfer), [(TRANSFER, key)], transfer)
        moving, method, make = rng.choice(
            (
                (DEPOSIT, "DepositCapital", admin_pb2.DepositCapitalRequest),
                (WITHDRAWAL, "WithdrawCapital", admin_pb2.WithdrawCapitalRequest),
            )
        )
        moved = make(transfer_id=key, amount=amount, operator="ann", reason="plan")
        return Call(_request(method, moved), [(moving, key)], moved)

    def _reset(self, scope: common_pb2.Scope, key: str) -> Call:
        mark = self._rng.choice((admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE, admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP))
        reset = admin_pb2.ResetHaltRequest(scope=scope, operator="ann", reason=key, high_water_mark=mark)
        return Call(_request("ResetHalt", reset), [(RESET, key)], reset, repeats=False)

    def acknowledged(self, call: Call, reply: Reply) -> Iterator[Record]:
        """Learn where it stands in the journal."""
        ((kind, key),) = call.keys
        if kind == HALT:
            self._halted.append(admin_pb2.HaltRequest.FromString(call.request.body).scope)
            halt = admin_pb2.HaltResponse.FromString(reply.body).halt
            yield self._record(HALT, key, halt.sequence, call.message)
        elif kind in (TRANSFER, DEPOSIT, WITHDRAWAL):
            # The three replies are alike.
            sequence = admin_pb2.TransferCapitalResponse.FromString(reply.body).sequence
            yield self._record(kind, key, sequence, call.message)
        elif admin_pb2.ResetHaltResponse.FromString(reply.body).changed:
            yield self._record(RESET, key, 0, call.message)


class Feed(Peer):
    """Publishes prices that move by a little."""

    def draw(self) -> Call | None:
        """Move every price."""
        prices = market_data_pb2.PublishPricesRequest()
        for symbol in self._market.prices:
            self._market.prices[symbol] += Decimal(self._rng.randrange(-100, 101)) / 100
            entry = prices.prices.add(symbol=symbol, price=str(self._market.prices[symbol]))
            entry.time.FromNanoseconds(self._market.now_ns)
        return Call(_request("PublishPrices", prices), [], prices)

    def acknowledged(self, _call: Call, _reply: Reply) -> Iterator[Record]:
        """Need no answer."""
        yield from ()


class Watcher(Peer):
    """Reads how things stand: what it is told must not be older than what anybody was told before."""

    def draw(self) -> Call | None:
        """Look."""
        look = risk_pb2.GetRiskMetricsRequest()
        return Call(_request("GetRiskMetrics", look), [(READ, self._id())], look)

    def acknowledged(self, call: Call, reply: Reply) -> Iterator[Record]:
        """Note how far it has come."""
        metrics = risk_pb2.GetRiskMetricsResponse.FromString(reply.body)
        yield self._record(READ, call.keys[0][1], metrics.sequence, call.message)


def _request(method: str, message: Message) -> Request:
    return Request(method, message.SerializeToString())
