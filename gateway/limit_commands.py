"""The command line's ``tidegate limits``: what is in force, what is left of it, and a change in somebody's name."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from gateway.addresses import DEFAULT_ADDRESS
from gateway.halt_commands import operator_name
from gateway.terminal import connected, fail
from tidegate.v1 import admin_pb2, common_pb2, risk_pb2

limits_app = typer.Typer(no_args_is_help=True, help="Show and change limits.")

Address = Annotated[str, typer.Option(help="Where the gateway listens.")]
_FIGURES = {
    value.name.removeprefix("LIMIT_FIGURE_").lower(): value.number
    for value in risk_pb2.LimitFigure.DESCRIPTOR.values
    if value.number
}
_ACTIONS = {"warn", "reduce", "reject", "halt"}
_ON_UNDEFINED = {"warn", "reject"}


@limits_app.command("list")
def list_limits(context: typer.Context, address: Address = DEFAULT_ADDRESS) -> None:
    """Show every limit in force, with what is left of it and who set it."""
    with connected(context, address) as client:
        response = client.risk.GetLimits(risk_pb2.GetLimitsRequest())
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("limit", "scope", "action"):
        table.add_column(name)
    for name in ("warn", "limit", "now", "bound", "left"):
        table.add_column(name, justify="right")
    table.add_column("set by")
    for state in response.in_force:
        limit = state.limit
        action = common_pb2.Action.Name(limit.action).removeprefix("ACTION_")
        figures = (limit.warn, limit.limit, state.actual, state.bound, state.headroom)
        table.add_row(_figure(limit), _scope(limit.scope), action, *figures, _set_by(limit))
    Console(markup=False, width=None).print(table)


@limits_app.command("set")
def set_limit(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    figure: Annotated[str, typer.Argument(help=f"One of {', '.join(_FIGURES)}.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is journaled.")],
    limit: Annotated[str, typer.Option(help="Above it the action is taken; neither this nor --warn: no limit.")] = "",
    warn: Annotated[str, typer.Option(help="Above it an order is allowed with a warning.")] = "",
    action: Annotated[str, typer.Option(help="warn, reduce, reject or halt.")] = "reject",
    strategy: Annotated[str, typer.Option()] = "",
    instrument: Annotated[str, typer.Option()] = "",
    sector: Annotated[str, typer.Option()] = "",
    asset_class: Annotated[str, typer.Option()] = "",
    until: Annotated[
        datetime | None, typer.Option(help="UTC; what stood before comes back then.", formats=["%Y-%m-%dT%H:%M:%S"])
    ] = None,
    confidence: Annotated[str, typer.Option(help="Of value_at_risk and expected_shortfall; 0.95 by default.")] = "",
    on_undefined: Annotated[str, typer.Option(help="warn or reject, where there is too little history.")] = "reject",
    operator: Annotated[str, typer.Option(help="Who; by default you: your token's name, or this machine's user.")] = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Set one limit or take it away, for good or until a time."""
    if figure not in _FIGURES:
        fail(f"there is no limit on {figure}; there are {', '.join(_FIGURES)}")
    if action not in _ACTIONS:
        fail(f"--action takes warn, reduce, reject or halt, not {action}")
    if on_undefined not in _ON_UNDEFINED:
        fail(f"--on-undefined takes warn or reject, not {on_undefined}")
    scopes = {"strategy": strategy, "instrument": instrument, "sector": sector, "asset_class": asset_class}
    changed = risk_pb2.Limit(
        figure=risk_pb2.LimitFigure.Value(f"LIMIT_FIGURE_{figure.upper()}"),
        scope=_read_scope(scopes),
        warn=warn,
        limit=limit,
        action=common_pb2.Action.Value(f"ACTION_{action.upper()}"),
        confidence=confidence,
        on_undefined=common_pb2.Action.Value(f"ACTION_{on_undefined.upper()}"),
    )
    expires = None
    if until is not None:
        expires = Timestamp()
        expires.FromDatetime(until.replace(tzinfo=UTC))
    with connected(context, address) as client:
        name = operator_name(operator, client)
        request = admin_pb2.UpdateLimitsRequest(limits=[changed], operator=name, reason=reason, expires=expires)
        response = client.admin.UpdateLimits(request)
    what = "none" if not limit and not warn else " ".join(filter(None, [limit, f"(warn {warn})" if warn else ""]))
    end = f" until {until.isoformat()}Z" if until is not None else ""
    typer.echo(f"{figure} of {_scope(changed.scope)}: {what}{end} (event {response.sequence})")


def _read_scope(names: dict[str, str]) -> common_pb2.Scope:
    given = {kind: name for kind, name in names.items() if name}
    if len(given) > 1:
        fail("choose one scope: a strategy, an instrument, a sector or an asset class")
    for kind, name in given.items():
        return common_pb2.Scope(kind=common_pb2.ScopeKind.Value(f"SCOPE_KIND_{kind.upper()}"), name=name)
    return common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)


def _figure(limit: risk_pb2.Limit) -> str:
    name = risk_pb2.LimitFigure.Name(limit.figure).removeprefix("LIMIT_FIGURE_").lower()
    return f"{name} {limit.confidence}" if limit.confidence else name


def _scope(scope: common_pb2.Scope) -> str:
    kind = common_pb2.ScopeKind.Name(scope.kind).removeprefix("SCOPE_KIND_").lower().replace("_", " ")
    return f"{kind} {scope.name}".strip()


def _set_by(limit: risk_pb2.Limit) -> str:
    if not limit.operator:
        return "portfolio file"
    end = f" until {limit.expires.ToJsonString()}" if limit.HasField("expires") else ""
    return f"{limit.operator}: {limit.reason}{end}"
