"""What a person reads: tables of the portfolio, its strategies and its halts."""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from gateway.client import Client
from tidegate.v1 import common_pb2, portfolio_pb2, risk_pb2

_WHOLE_PERCENT_FROM = 1_000


def show_portfolio(client: Client, console: Console) -> None:
    """Show each strategy, the portfolio, and that its capital is conserved."""
    portfolio = client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest())
    strategies = client.portfolio.ListStrategies(portfolio_pb2.ListStrategiesRequest()).strategies
    console.print(_strategies_table(portfolio, strategies))
    conserved = portfolio.conservation
    console.print(
        f"halts {portfolio.halts}, halted bars {portfolio.halted_bars} of {portfolio.performance.bars}",
        highlight=False,
    )
    console.print(
        f"capital: strategies {_money(conserved.strategies)} + reserve {_money(conserved.reserve)} "
        f"+ suspense {_money(conserved.suspense)} = put in {_money(conserved.capital)} + P&L {_money(conserved.pnl)} "
        f"- fees {_money(conserved.fees)}; difference {conserved.difference}",
        highlight=False,
        soft_wrap=True,
    )
    fills = client.portfolio.ListSuspense(portfolio_pb2.ListSuspenseRequest())
    if count := len(fills.fills) + fills.left_out:
        console.print(f"in suspense: {count} fills; tidegate suspense list shows them", highlight=False)
    for account in client.portfolio.ListAccounts(portfolio_pb2.ListAccountsRequest()).accounts:
        if account.difference_count:
            text = (
                f"account {account.account} differs from its broker's statement of "
                f"{account.statement_time.ToJsonString()}: {account.difference_count} differences, "
                f"{account.break_count} breaks"
            )
            console.print(text, highlight=False, soft_wrap=True)
    for one in portfolio.rebalance.pending:
        text = f"pending: {one.strategy_id} {_money(one.amount)}, by rebalance {portfolio.rebalance.rebalance_id}"
        console.print(text, highlight=False, soft_wrap=True)


def show_risk(client: Client, console: Console) -> None:
    """Show how near the portfolio is to its limits, what is halted, and what is over a limit."""
    metrics = client.risk.GetRiskMetrics(risk_pb2.GetRiskMetricsRequest())
    state = client.risk.GetHaltState(risk_pb2.GetHaltStateRequest())
    level = common_pb2.HaltLevel.Name(state.level).removeprefix("HALT_LEVEL_")
    console.print(f"portfolio {level}", highlight=False)
    console.print(
        f"equity {_money(metrics.equity)}, {_percent(metrics.drawdown)} from its high-water mark "
        f"{_money(metrics.high_water_mark)}; gross exposure {_money(metrics.gross_exposure)} "
        f"({metrics.leverage or '-'} times equity), net {_money(metrics.net_exposure)}; "
        f"working orders {metrics.working_orders}",
        highlight=False,
        soft_wrap=True,
    )
    for halt in state.halts:
        name = halt.scope.name or "portfolio"
        text = f"halted: {name} by {halt.operator} at {halt.time.ToJsonString()}: {halt.reason_code}: {halt.reason}"
        console.print(text, highlight=False, soft_wrap=True)
    for one in state.flattenings:
        text = f"being closed: {one.strategy_id or 'suspense'} {one.symbol}, by {one.operator} (event {one.sequence})"
        console.print(text, highlight=False, soft_wrap=True)
    for reset in state.pending_resets:
        name = reset.scope.name or "portfolio"
        peak = ", peak re-based" if reset.rebase else ""
        text = (
            f"asked for: reset of {name}{peak}, by {reset.operator}: {reset.reason}; another person confirms request "
            f"{reset.request_sequence} until {reset.expires.ToJsonString()}"
        )
        console.print(text, highlight=False, soft_wrap=True)
    for breach in metrics.breaches:
        console.print(f"breach: {breach.reason_code}: {breach.text}", highlight=False, soft_wrap=True)
    for held in metrics.held_prices:
        mark = f"{held.mark} of {held.mark_time.ToJsonString()}"
        console.print(
            f"held: the price of {held.symbol}, {held.price}; its mark is {mark}", highlight=False, soft_wrap=True
        )


def _strategies_table(
    portfolio: portfolio_pb2.GetPortfolioResponse, strategies: Sequence[portfolio_pb2.StrategySummary]
) -> Table:
    end = portfolio.bar_time.ToJsonString()[:10] if portfolio.performance.bars else "no bars yet"
    # 80 columns wide, so that it fits a plain terminal.
    table = Table(title=f"{portfolio.name}, {portfolio.currency}, {end}", box=None, padding=(0, 1, 0, 0))
    table.add_column("strategy", no_wrap=True)
    for name in ("capital", "value", "return", "Sharpe", "max DD", "orders", "rejects", "fills"):
        table.add_column(name, justify="right", no_wrap=True)
    for strategy in strategies:
        words = {"removed": strategy.removed, "leaving": strategy.leaving, "paused": strategy.paused}
        state = next((word for word, is_so in words.items() if is_so), "")
        name = f"{strategy.strategy_id} ({state})" if state else strategy.strategy_id
        table.add_row(name, _units(strategy.capital), _units(strategy.equity), *_figures(strategy.performance))
    reserve = _units(portfolio.conservation.reserve)
    table.add_row("reserve", reserve, reserve)
    capital = _units(portfolio.conservation.capital)
    table.add_row("portfolio", capital, _units(portfolio.equity), *_figures(portfolio.performance))
    return table


def _figures(performance: portfolio_pb2.Performance) -> list[str]:
    return [
        _percent(performance.total_return),
        f"{float(performance.sharpe_ratio):.2f}" if performance.sharpe_ratio else "-",
        _percent(performance.max_drawdown),
        *(f"{count:,}" for count in (performance.orders, performance.rejects, performance.fills)),
    ]


def _money(text: str) -> str:
    return f"{Decimal(text):,.2f}"


def _units(text: str) -> str:
    return f"{Decimal(text):,.0f}"


def _percent(text: str) -> str:
    if not text:
        return "-"
    percent = Decimal(text) * 100
    return f"{percent:,.1f}%" if abs(percent) < _WHOLE_PERCENT_FROM else f"{percent:,.0f}%"
