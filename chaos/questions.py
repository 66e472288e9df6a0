"""What is asked of a gate about its state, wherever it runs."""

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from tidegate.v1 import orders_pb2, portfolio_pb2, risk_pb2

_PAGE = 1_000


def ask_everything(ask: Callable[[str, Message], bytes], strategies: Sequence[str]) -> dict[str, list[bytes]]:
    """Collect the answers by name; ask takes a method and its request, and returns the reply's bytes."""
    plain: list[tuple[str, Message]] = [
        ("GetPortfolio", portfolio_pb2.GetPortfolioRequest()),
        ("ListStrategies", portfolio_pb2.ListStrategiesRequest()),
        ("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest()),
        ("GetHaltState", risk_pb2.GetHaltStateRequest()),
        ("GetLimits", risk_pb2.GetLimitsRequest()),
        ("ListAlerts", risk_pb2.ListAlertsRequest(page_size=_PAGE)),
    ]
    answers = {method: [ask(method, request)] for method, request in plain}
    for name in strategies:
        answers[f"GetStrategy {name}"] = [ask("GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id=name))]
    pages: list[bytes] = []
    token = ""
    while not pages or token:
        pages.append(ask("ListOrders", orders_pb2.ListOrdersRequest(page_size=_PAGE, page_token=token)))
        token = orders_pb2.ListOrdersResponse.FromString(pages[-1]).next_page_token
    return answers | {"ListOrders": pages}
