"""``tidegate report``: the risk of past sessions, one line each, or one session whole."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from gateway.addresses import DEFAULT_ADDRESS
from gateway.client import Client
from gateway.terminal import connected, fail
from tidegate.v1 import risk_pb2

_DAY = "%Y-%m-%d"
# So that no row is wrapped where nobody watches.
_WIDTH = 4_096


def report(
    context: typer.Context,
    *,
    begin: Annotated[datetime | None, typer.Option("--from", formats=[_DAY], help="First session.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=[_DAY], help="Last session.")] = None,
    as_text: Annotated[bool, typer.Option("--json", help="For machines: everything, a line a session.")] = False,
    address: Annotated[str, typer.Option(help="Where the gateway listens.")] = DEFAULT_ADDRESS,
) -> None:
    """Show the risk reports of past sessions, a line each; a single one, and by default the newest, whole."""
    is_newest = begin is None and end is None
    with connected(context, address) as client:
        found = _newest(client) if is_newest else _period(client, begin, end)
    if not found:
        fail("no session of that time has a report")
    if as_text:
        for one in found:
            typer.echo(json.dumps(MessageToDict(one, preserving_proto_field_name=True)))
        return
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    if len(found) > 1:
        console.print(_sessions(found))
    else:
        _show(found[0], console)


def _newest(client: Client) -> list[risk_pb2.RiskReport]:
    request = risk_pb2.ListRiskReportsRequest(newest_first=True, page_size=1)
    return list(client.risk.ListRiskReports(request).reports)


def _period(client: Client, begin: datetime | None, end: datetime | None) -> list[risk_pb2.RiskReport]:
    request = risk_pb2.ListRiskReportsRequest(begin=_stamp(begin), end=_stamp(end and end + timedelta(days=1)))
    found: list[risk_pb2.RiskReport] = []
    while True:
        page = client.risk.ListRiskReports(request)
        found += page.reports
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def _stamp(day: datetime | None) -> Timestamp | None:
    if day is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(day.replace(tzinfo=UTC))
    return stamp


def _sessions(found: Sequence[risk_pb2.RiskReport]) -> Table:
    # 80 columns wide, so that it fits a plain terminal.
    names = ("equity", "gross", "DD", "vol.", "VaR 95", "VaR 99", "ES 95", "beta")
    table = _table("session", *names, last="over")
    for one in found:
        money = [_share(figure, one.equity) for figure in (one.var_95, one.var_99, one.es_95)]
        figures = (_units(one.equity), _ratio(one.leverage), _percent(one.drawdown), _percent(one.volatility))
        table.add_row(_day(one), *figures, *money, _ratio(one.beta), str(len(one.findings)) if one.findings else "")
    return table


def _show(one: risk_pb2.RiskReport, console: Console) -> None:
    console.print(
        f"session {_day(one)}: equity {_units(one.equity)}, {_percent(one.drawdown)} from its high-water mark, at "
        f"worst {_percent(one.max_drawdown)}; gross {_ratio(one.leverage)} times equity, largest "
        f"{one.largest_symbol or '-'} {_percent(one.largest_exposure)}",
        soft_wrap=True,
    )
    console.print(
        f"volatility {_percent(one.volatility)}, VaR 95 {_units(one.var_95)}, 99 {_units(one.var_99)}, ES 95 "
        f"{_units(one.es_95)}, 99 {_units(one.es_99)}; beta {_ratio(one.beta)} {one.benchmark}; Sharpe "
        f"{_ratio(one.sharpe_ratio)}; correlation of strategies {_ratio(one.average_strategy_correlation)}; "
        f"from {one.sessions} sessions",
        soft_wrap=True,
    )
    if one.without_history:
        console.print(f"undefined by {', '.join(one.without_history)}: too few sessions of returns", soft_wrap=True)
    for title, parts in (("position", one.positions), ("strategy", one.strategies), ("sector", one.sectors)):
        if parts:
            console.print(_parts(title, parts))
    if one.position_risks:
        console.print(_position_risks(one))
    for found in one.findings:
        console.print(f"over: {found.reason_code}: {found.text}", soft_wrap=True)


def _parts(title: str, parts: Sequence[risk_pb2.RiskPart]) -> Table:
    table = _table(title, "value", "share", "VaR part", "ES part", "marginal")
    for part in parts:
        amounts = (_units(part.component_var), _units(part.component_es), _ratio(part.marginal_var))
        table.add_row(part.name or "-", _units(part.value), _percent(part.share), *amounts)
    return table


def _position_risks(one: risk_pb2.RiskReport) -> Table:
    table = _table("position", "own VaR", "own ES", "corr.", "share", "equal risk")
    for risk in one.position_risks:
        factor = f"x {_ratio(risk.size_factor)}" if risk.size_factor else "-"
        amounts = (_units(risk.value_at_risk), _units(risk.expected_shortfall))
        table.add_row(risk.symbol, *amounts, _ratio(risk.correlation), _percent(risk.concentration), factor)
    return table


def _table(first: str, *names: str, last: str = "") -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in (*names, *filter(None, [last])):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _day(one: risk_pb2.RiskReport) -> str:
    return one.session.ToDatetime().date().isoformat()


def _units(text: str) -> str:
    return f"{Decimal(text):,.0f}" if text else "-"


def _ratio(text: str) -> str:
    return f"{Decimal(text):.2f}" if text else "-"


def _percent(text: str) -> str:
    return f"{Decimal(text) * 100:.1f}%" if text else "-"


def _share(amount: str, equity: str) -> str:
    if not amount or Decimal(equity) <= 0:
        return "-"
    return f"{Decimal(amount) / Decimal(equity) * 100:.1f}%"
