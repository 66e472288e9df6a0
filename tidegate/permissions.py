"""Who may: the roles, the callers, and one table that says which method is whose."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message

from tidegate.errors import RefusedError
from tidegate.reasons import Reason
from tidegate.risk import door
from tidegate.risk.consequences import GATE
from tidegate.v1 import common_pb2, orders_pb2, portfolio_pb2

# Among a trader's strategies or adapters: every one of them.
ALL = "*"


class Role(StrEnum):
    """What a caller is there for."""

    VIEWER = "viewer"
    TRADER = "trader"
    MARKET_DATA = "market_data"
    RISK = "risk"
    ADMIN = "admin"


class Caller(NamedTuple):
    """
    Who calls.

    strategies, adapters: what a trader acts for; nothing when empty, everything with ``*``.
    """

    name: str
    roles: frozenset[Role] = frozenset()
    strategies: frozenset[str] = frozenset()
    adapters: frozenset[str] = frozenset()

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle the callers below by their names here: they are told by identity, in every process."""
        for name, caller in (("LOCAL", LOCAL), ("INTERNAL", INTERNAL), ("GATEWAY", GATEWAY)):
            if self is caller:
                return name
        return Caller, tuple(self)


# Everybody who reaches a gateway without roles: it listens on loopback only.
LOCAL: Final = Caller("", frozenset(Role), frozenset({ALL}), frozenset({ALL}))
# The cluster's own actors, and its gateways, each for what is not on the wire. No client is ever taken for either.
INTERNAL: Final = Caller(GATE)
GATEWAY: Final = Caller(GATE)

# What a request names: strategies or adapters. None is more than a trader can own.
Names = Callable[[Any], Iterable[str | None]]


class Rule(NamedTuple):
    """
    Whose a method is.

    roles: those that may call it whatever the request names. strategies, adapters: a trader may as well, when all that
    the request names is its own. cut: takes out of the reply what such a trader may not see, or refuses. is_signed: the
    request has an ``operator``, who is the caller. inner: who alone may call what is not on the wire. orders: those of
    the request; an emergency exit among them is for an officer, whatever strategy it names, and signed like a request.
    """

    roles: frozenset[Role]
    strategies: Names | None = None
    adapters: Names | None = None
    cut: Callable[[Caller, Any], None] | None = None
    is_signed: bool = False
    inner: Caller | None = None
    orders: Callable[[Any], Iterable[orders_pb2.NewOrder]] | None = None


def may_call(caller: Caller, method: str) -> bool:
    """Tell whether a caller's roles reach a method at all; what the request names is another question."""
    rule = RULES.get(method)
    if rule is None:
        return False
    if rule.inner is not None or caller is INTERNAL or caller is GATEWAY:
        return caller is rule.inner
    is_for_traders = rule.strategies is not None or rule.adapters is not None
    is_for_officers = rule.orders is not None and not OFFICERS.isdisjoint(caller.roles)
    is_whole = is_for_officers or not rule.roles.isdisjoint(caller.roles)
    return is_whole or (is_for_traders and Role.TRADER in caller.roles)


def admit(caller: Caller, method: str, request: Message) -> Callable[[Caller, Any], None] | None:
    """
    Let a request pass, and sign it with the caller's name where it has an operator; return how to cut the reply.

    Raises:
        RefusedError: the caller may not call the method, or not for what the request names.
    """
    rule = RULES.get(method, _INTERNAL)
    cut = None
    if caller is not LOCAL or rule.inner is not None:
        if not may_call(caller, method):
            raise RefusedError(Reason.PERMISSION_DENIED, f"{_name(caller)} may not call {method}")
        if rule.roles.isdisjoint(caller.roles) and rule.inner is None:
            if rule.orders is not None:
                _require_exits(caller, method, list(rule.orders(request)))
            _require_own(caller, "strategy", rule.strategies, caller.strategies, request)
            _require_own(caller, "adapter", rule.adapters, caller.adapters, request)
            cut = rule.cut
    if rule.is_signed:
        _sign(caller, request)
    if rule.orders is not None:
        for order in rule.orders(request):
            if order.HasField("emergency"):
                _sign(caller, order.emergency)
    return cut


def counted_as(caller: Caller) -> str:
    """Name whose messages a caller's are: everybody's without an access file are *, the cluster's own are nobody's."""
    if caller is LOCAL:
        return ALL
    return "" if caller is INTERNAL or caller is GATEWAY else caller.name


def _require_exits(caller: Caller, method: str, orders: list[orders_pb2.NewOrder]) -> None:
    """Refuse a trader's emergency exit, and whatever else an officer who is no trader asks for."""
    exits = sum(order.HasField("emergency") for order in orders)
    if exits and OFFICERS.isdisjoint(caller.roles):
        raise RefusedError(Reason.PERMISSION_DENIED, f"{_name(caller)} may not call for an emergency exit")
    if Role.TRADER not in caller.roles and (exits < len(orders) or not orders):
        raise RefusedError(Reason.PERMISSION_DENIED, f"{_name(caller)} may call {method} for emergency exits only")


def _require_own(caller: Caller, what: str, names: Names | None, own: frozenset[str], request: Message) -> None:
    for name in names(request) if names is not None else ():
        if name is None:
            text = f"{_name(caller)} may not act for more than a {what} of its own"
            raise RefusedError(Reason.PERMISSION_DENIED, text)
        if name not in own and ALL not in own:
            text = f"{_name(caller)} may not act for {what} {door.shown(name)}"
            raise RefusedError(Reason.PERMISSION_DENIED, text)


def _sign(caller: Caller, request: Any) -> None:
    """Make the caller the operator; nobody signs for somebody else, and nobody for the gate."""
    if caller is not LOCAL and not request.operator:
        request.operator = caller.name
    is_another = caller is not LOCAL and request.operator != caller.name
    if is_another or request.operator.casefold() == GATE:
        text = f"operator is {door.shown(request.operator)}; {_name(caller)} cannot act in that name"
        raise RefusedError(Reason.OPERATOR_NOT_CALLER, text, field="operator")


def _name(caller: Caller) -> str:
    return caller.name or "a caller without a name"


def _owns(own: frozenset[str], name: str) -> bool:
    return name in own or ALL in own


def _is_visible(caller: Caller, order: orders_pb2.Order) -> bool:
    """Whether an order is of a strategy of the caller's, or goes out through its adapter."""
    is_routed = bool(order.order.route) and _owns(caller.adapters, order.order.route)
    return is_routed or _owns(caller.strategies, order.order.strategy_id)


def _cut_order(caller: Caller, reply: orders_pb2.GetOrderResponse) -> None:
    if reply.HasField("order") and not _is_visible(caller, reply.order):
        text = f"{caller.name} may not see order {reply.order.order_id}"
        raise RefusedError(Reason.PERMISSION_DENIED, text)


def _cut_orders(caller: Caller, reply: orders_pb2.ListOrdersResponse) -> None:
    """Keep the caller's own; a page may become shorter, its token stays."""
    kept = [order for order in reply.orders if _is_visible(caller, order)]
    del reply.orders[:]
    reply.orders.extend(kept)


def _cut_strategies(caller: Caller, reply: portfolio_pb2.ListStrategiesResponse) -> None:
    kept = [strategy for strategy in reply.strategies if _owns(caller.strategies, strategy.strategy_id)]
    del reply.strategies[:]
    reply.strategies.extend(kept)


def _scoped(scope: common_pb2.Scope) -> tuple[str | None]:
    """Name the strategy that a scope is; the portfolio and an instrument are nobody's own."""
    return (scope.name if scope.kind == common_pb2.SCOPE_KIND_STRATEGY else None,)


_NOBODY: frozenset[Role] = frozenset()
_VIEWERS = frozenset({Role.VIEWER, Role.RISK, Role.ADMIN})
OFFICERS = frozenset({Role.RISK, Role.ADMIN})


def _rule_of_orders(orders: Callable[[Any], Iterable[orders_pb2.NewOrder]]) -> Rule:
    """Make orders their strategy's trader's, and emergency exits the officers'."""
    return Rule(
        _NOBODY,
        strategies=lambda r: (order.strategy_id for order in orders(r) if not order.HasField("emergency")),
        orders=orders,
    )


_INTERNAL: Final = Rule(_NOBODY, inner=INTERNAL)
_FOR_GATEWAYS = Rule(_NOBODY, inner=GATEWAY)
_VIEW = Rule(_VIEWERS)
_PUBLISH = Rule(frozenset({Role.MARKET_DATA}))
_OPERATE = Rule(OFFICERS, is_signed=True)
_ADMINISTER = Rule(frozenset({Role.ADMIN}), is_signed=True)

# Every method, with its rule; one that is not here is refused to everybody.
RULES: dict[str, Rule] = {
    # OrderService
    "SubmitOrder": _rule_of_orders(lambda r: (r.order,)),
    "SubmitOrders": _rule_of_orders(lambda r: r.orders),
    "CheckOrder": _rule_of_orders(lambda r: (r.order,)),
    "ReplaceOrder": Rule(_NOBODY, strategies=lambda r: (r.strategy_id,)),
    "CancelAllOrders": Rule(OFFICERS, strategies=lambda r: _scoped(r.scope)),
    "Heartbeat": Rule(_NOBODY, adapters=lambda r: (r.adapter,)),
    "CancelOrder": Rule(OFFICERS, strategies=lambda r: (r.strategy_id,)),
    "ReportExecutions": Rule(_NOBODY, adapters=lambda r: (r.adapter,)),
    "ClaimOrders": Rule(_NOBODY, adapters=lambda r: (r.adapter,)),
    "WatchOrders": Rule(_NOBODY, adapters=lambda r: (r.adapter,)),
    "GetOrder": Rule(_VIEWERS, strategies=lambda r: () if r.order_id else (r.strategy_id,), cut=_cut_order),
    "ListOrders": Rule(_VIEWERS, strategies=lambda r: (r.strategy_id,) if r.strategy_id else (), cut=_cut_orders),
    # MarketDataService
    "PublishBars": _PUBLISH,
    "PublishPrices": _PUBLISH,
    "WatchBars": Rule(_VIEWERS | {Role.MARKET_DATA}, adapters=lambda r: (r.adapter,) if r.adapter else ()),
    "AwaitBar": _VIEW,
    # RiskService
    "GetRiskMetrics": _VIEW,
    "GetHaltState": _VIEW,
    "GetLimits": _VIEW,
    "WatchRiskMetrics": _VIEW,
    "ListAlerts": _VIEW,
    "WatchAlerts": _VIEW,
    "AcknowledgeAlert": _OPERATE,
    "ListRiskReports": _VIEW,
    # PortfolioService
    "GetPortfolio": _VIEW,
    "GetCorrelations": _VIEW,
    "ListStrategies": Rule(_VIEWERS, strategies=lambda _: (), cut=_cut_strategies),
    "GetStrategy": Rule(_VIEWERS, strategies=lambda r: (r.strategy_id,)),
    "ListInstruments": Rule(_VIEWERS, strategies=lambda _: ()),
    "GetPerformance": Rule(_VIEWERS, strategies=lambda r: (r.strategy_id or None,)),
    "ListSuspense": _VIEW,
    "ListAccounts": _VIEW,
    # AdminService
    "DepositCapital": _ADMINISTER,
    "WithdrawCapital": _ADMINISTER,
    "AddStrategy": _ADMINISTER,
    "ReadJournal": _VIEW,
    # To flatten is an officer's.
    "Halt": Rule(OFFICERS, strategies=lambda r: (None,) if r.flatten else _scoped(r.scope), is_signed=True),
    "ResetHalt": _OPERATE,
    "ReleaseThrottle": _OPERATE,
    "ConfirmReset": _OPERATE,
    "Flatten": _OPERATE,
    "TransferCapital": _OPERATE,
    "Rebalance": _OPERATE,
    "RemoveStrategy": _OPERATE,
    "LiquidateStrategy": _OPERATE,
    "UpdateLimits": _OPERATE,
    # An adapter may state its own account; to halt by it what is not its own is an officer's.
    "ReconcilePositions": Rule(
        OFFICERS,
        strategies=lambda r: _scoped(r.halt_scope) if r.halt_level else (),
        adapters=lambda r: (r.adapter,),
        is_signed=True,
    ),
    "AssignSuspense": _OPERATE,
    "UpsertInstruments": _ADMINISTER,
    "PauseStrategy": _OPERATE,
    "ResumeStrategy": _OPERATE,
    # What the actors ask each other; not on the wire.
    "NextBar": _INTERNAL,
    "CompleteBar": _INTERNAL,
    "RecordRiskReport": _INTERNAL,
    "AdvanceTime": _INTERNAL,
    # What a gateway asks for its streams.
    "OpenSession": _FOR_GATEWAYS,
    "CloseSession": _FOR_GATEWAYS,
    "ReadTopic": _FOR_GATEWAYS,
    "ReadHistory": _INTERNAL,
}
