"""Every method that the gate answers: what it takes, how it is answered, and which senders' ids it asks about."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import Message

from tidegate import account_views, bars, commands, views, views_instruments
from tidegate.risk.draft import Key, assignment_key, execution_key, order_key, transfer_key
from tidegate.v1 import actors_pb2, admin_pb2, market_data_pb2, orders_pb2, portfolio_pb2, reconciliation_pb2, risk_pb2

if TYPE_CHECKING:
    from tidegate.gate import Gate


def _no_keys(_request: Any) -> Iterable[Key]:
    return ()


class Method(NamedTuple):
    """
    A method's request type, and what answers it.

    is_command: whether it may change the state. Commands are answered in the order of arrival, reads after the commit.
    keys: the senders' ids that its answer will ask the archive for.
    """

    request_type: type[Any]
    answer: Callable[["Gate", Any], Message]
    is_command: bool = False
    keys: Callable[[Any], Iterable[Key]] = _no_keys


def _command(
    request_type: type[Any],
    answer: Callable[["Gate", Any], Message] = commands.single,
    keys: Callable[[Any], Iterable[Key]] = _no_keys,
) -> Method:
    return Method(request_type, answer, is_command=True, keys=keys)


def _order_key(request: Any) -> Iterable[Key]:
    order = request.order
    return (order_key(order.strategy_id, order.client_order_id),)


def _order_keys(request: Any) -> Iterable[Key]:
    return [order_key(order.strategy_id, order.client_order_id) for order in request.orders]


def _bar_keys(request: actors_pb2.CompleteBarRequest) -> Iterable[Key]:
    cancels = [order_key(cancel.strategy_id, cancel.client_order_id) for cancel in request.cancels]
    return [*_order_keys(request), *cancels]


def _replace_keys(request: orders_pb2.ReplaceOrderRequest) -> Iterable[Key]:
    ids = (request.client_order_id, request.orig_client_order_id)
    return [order_key(request.strategy_id, client_order_id) for client_order_id in ids]


def _execution_keys(request: orders_pb2.ReportExecutionsRequest) -> Iterable[Key]:
    return [execution_key(request.account, execution.execution_id) for execution in request.executions]


METHODS = {
    "SubmitOrder": _command(orders_pb2.SubmitOrderRequest, commands.submit_order, _order_key),
    "SubmitOrders": _command(orders_pb2.SubmitOrdersRequest, commands.submit_orders, _order_keys),
    "CancelOrder": _command(
        orders_pb2.CancelOrderRequest, keys=lambda r: (order_key(r.strategy_id, r.client_order_id),)
    ),
    "CancelAllOrders": _command(orders_pb2.CancelAllOrdersRequest),
    "ReplaceOrder": _command(orders_pb2.ReplaceOrderRequest, commands.replace_order, _replace_keys),
    "Heartbeat": _command(orders_pb2.HeartbeatRequest, commands.heartbeat),
    "OpenSession": _command(actors_pb2.OpenSessionRequest, commands.open_session),
    "CloseSession": _command(actors_pb2.CloseSessionRequest, commands.close_session),
    "AdvanceTime": _command(actors_pb2.AdvanceTimeRequest, commands.advance_time),
    "ReportExecutions": _command(orders_pb2.ReportExecutionsRequest, commands.report_executions, _execution_keys),
    "ClaimOrders": _command(orders_pb2.ClaimOrdersRequest, commands.claim_orders),
    "PublishBars": _command(market_data_pb2.PublishBarsRequest),
    "PublishPrices": _command(market_data_pb2.PublishPricesRequest),
    "Halt": _command(admin_pb2.HaltRequest),
    "ResetHalt": _command(admin_pb2.ResetHaltRequest),
    "ReleaseThrottle": _command(admin_pb2.ReleaseThrottleRequest),
    "ConfirmReset": _command(admin_pb2.ConfirmResetRequest),
    "Flatten": _command(admin_pb2.FlattenRequest),
    "TransferCapital": _command(admin_pb2.TransferCapitalRequest, keys=lambda r: (transfer_key(r.transfer_id),)),
    "UpdateLimits": _command(admin_pb2.UpdateLimitsRequest),
    "UpsertInstruments": _command(admin_pb2.UpsertInstrumentsRequest),
    "PauseStrategy": _command(admin_pb2.PauseStrategyRequest, commands.pause_strategy),
    "ResumeStrategy": _command(admin_pb2.ResumeStrategyRequest, commands.resume_strategy),
    "RecordRiskReport": _command(actors_pb2.RecordRiskReportRequest),
    "CompleteBar": _command(actors_pb2.CompleteBarRequest, commands.complete_bar, _bar_keys),
    "DepositCapital": _command(
        admin_pb2.DepositCapitalRequest, commands.deposit_capital, lambda r: (transfer_key(r.transfer_id),)
    ),
    "WithdrawCapital": _command(
        admin_pb2.WithdrawCapitalRequest, commands.withdraw_capital, lambda r: (transfer_key(r.transfer_id),)
    ),
    "ReconcilePositions": _command(reconciliation_pb2.ReconcilePositionsRequest),
    "AssignSuspense": _command(
        reconciliation_pb2.AssignSuspenseRequest,
        keys=lambda r: (execution_key(r.account, r.execution_id), assignment_key(r.account, r.execution_id)),
    ),
    "AddStrategy": _command(admin_pb2.AddStrategyRequest),
    "RemoveStrategy": _command(admin_pb2.RemoveStrategyRequest),
    "LiquidateStrategy": _command(admin_pb2.LiquidateStrategyRequest),
    "Rebalance": _command(
        admin_pb2.RebalanceRequest, commands.rebalance, lambda r: () if r.dry_run else (transfer_key(r.rebalance_id),)
    ),
    "AcknowledgeAlert": _command(risk_pb2.AcknowledgeAlertRequest),
    # A read, but one that has to be decided in its place.
    "CheckOrder": _command(orders_pb2.CheckOrderRequest, commands.check_order, _order_key),
    "GetOrder": Method(orders_pb2.GetOrderRequest, lambda gate, r: views.order(gate.engine.book, gate.archive, r)),
    "ListOrders": Method(orders_pb2.ListOrdersRequest, lambda gate, r: views.working_orders(gate.engine.book, r)),
    "WatchOrders": Method(orders_pb2.WatchOrdersRequest, lambda gate, r: views.instructions(gate.engine.book, r)),
    "WatchBars": Method(market_data_pb2.WatchBarsRequest, bars.first_bar),
    "AwaitBar": Method(market_data_pb2.AwaitBarRequest, bars.await_bar),
    "NextBar": Method(actors_pb2.NextBarRequest, bars.next_bar),
    "GetRiskMetrics": Method(risk_pb2.GetRiskMetricsRequest, lambda gate, _: views.risk_metrics(gate.engine.book)),
    "GetHaltState": Method(risk_pb2.GetHaltStateRequest, lambda gate, _: views.halt_state(gate.engine.book)),
    "GetLimits": Method(risk_pb2.GetLimitsRequest, lambda gate, _: views.limits(gate.engine.book)),
    "ListAlerts": Method(risk_pb2.ListAlertsRequest, lambda gate, r: views.alerts(gate.engine.book, r)),
    "WatchAlerts": Method(
        risk_pb2.WatchAlertsRequest, lambda _, r: risk_pb2.WatchAlertsResponse(sequence=r.after_sequence)
    ),
    "WatchRiskMetrics": Method(
        risk_pb2.WatchRiskMetricsRequest, lambda gate, r: views.risk_metrics_after(gate.engine.book, r)
    ),
    "GetPerformance": Method(portfolio_pb2.GetPerformanceRequest, lambda gate, r: views.performance(gate.engine, r)),
    "ListSuspense": Method(portfolio_pb2.ListSuspenseRequest, lambda gate, _: account_views.suspense(gate.engine.book)),
    "ListAccounts": Method(portfolio_pb2.ListAccountsRequest, lambda gate, _: account_views.accounts(gate.engine.book)),
    "GetCorrelations": Method(
        portfolio_pb2.GetCorrelationsRequest, lambda gate, _: views.correlations(gate.engine.book)
    ),
    "GetPortfolio": Method(portfolio_pb2.GetPortfolioRequest, lambda gate, _: views.portfolio(gate.engine)),
    "ListStrategies": Method(portfolio_pb2.ListStrategiesRequest, lambda gate, _: views.strategies(gate.engine)),
    "ListInstruments": Method(
        portfolio_pb2.ListInstrumentsRequest, lambda gate, _: views_instruments.instruments(gate.engine.book)
    ),
    "GetStrategy": Method(portfolio_pb2.GetStrategyRequest, lambda gate, r: views.strategy(gate.engine, r.strategy_id)),
}
