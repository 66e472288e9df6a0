"""The command line's ``tidegate instruments``: what may be traded now, and a change in somebody's name."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from gateway.addresses import DEFAULT_ADDRESS
from gateway.halt_commands import Address, Operator, Reason, operator_name
from gateway.terminal import connected, fail
from tidegate.instruments_section import InstrumentSection, first_fault, section_of
from tidegate.v1 import admin_pb2, instruments_pb2, portfolio_pb2

instruments_app = typer.Typer(no_args_is_help=True, help="Show and change instruments.")

_KEYS = [name for name in InstrumentSection.model_fields if name not in ("symbol", "option")]


@instruments_app.command("list")
def list_instruments(context: typer.Context, address: Address = DEFAULT_ADDRESS) -> None:
    """Show every instrument as it is now, and who made it so."""
    with connected(context, address) as client:
        response = client.portfolio.ListInstruments(portfolio_pb2.ListInstrumentsRequest())
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("symbol", "class", "currency", "sector", "tick", "lot", "multiplier", "further", "set by"):
        table.add_column(name)
    for state in response.instruments:
        one = state.instrument
        stated = (one.symbol, one.asset_class, one.currency, one.sector, one.tick, one.lot, one.multiplier)
        table.add_row(*stated, _further(one), _set_by(state))
    Console(markup=False, width=None).print(table)


@instruments_app.command("set")
def set_instrument(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="A new one, or one that there is.")],
    changes: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE...", help=f"{', '.join(_KEYS)}, option.KEY; KEY= is as by default."),
    ],
    *,
    reason: Reason,
    permit: Annotated[list[str] | None, typer.Option(help="A strategy with a list that may trade it as well.")] = None,
    operator: Operator = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Add an instrument or change one; the keys are the portfolio file's, and what is not named stays as it is."""
    with connected(context, address) as client:
        response = client.portfolio.ListInstruments(portfolio_pb2.ListInstrumentsRequest())
        known = [state.instrument for state in response.instruments if state.instrument.symbol == symbol]
        stated = section_of(known[0]).model_dump() if known else {"symbol": symbol}
        wanted = _read(stated, changes)
        currency = wanted.currency or client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest()).currency
        request = admin_pb2.UpsertInstrumentsRequest(
            instruments=[wanted.to_instrument(currency).to_wire()],
            operator=operator_name(operator, client),
            reason=reason,
            permitted_strategy_ids=permit or [],
        )
        done = client.admin.UpsertInstruments(request)
    typer.echo(f"{symbol} {'changed' if known else 'added'}: {' '.join(changes)} (event {done.sequence})")


def _read(stated: dict[str, Any], changes: list[str]) -> InstrumentSection:
    """Put the changes in the place of what is stated."""
    for change in changes:
        key, is_given, text = change.partition("=")
        part, _, inner = key.rpartition(".")
        if not is_given or part not in ("", "option"):
            fail(f"{change} is no KEY=VALUE")
        if part:
            stated["option"] = dict(stated.get("option") or {})
        owner = stated["option"] if part else stated
        owner.pop(inner, None)
        if text:
            owner[inner] = text
    try:
        return InstrumentSection.model_validate(stated)
    except ValidationError as error:
        fail(first_fault(error))


def _further(one: instruments_pb2.Instrument) -> str:
    """Write what few instruments have."""
    shown = ("buys", "min_quantity", "max_quantity", "min_notional", "max_notional", "calendar", "proxy", "proxy_scale")
    found = [f"{name}={text}" for name in shown if (text := getattr(one, name))]
    if one.HasField("option"):
        terms = one.option
        found.append(f"{terms.right} {terms.strike} on {terms.underlying} until {terms.expiry.ToJsonString()}")
    return " ".join(found)


def _set_by(state: instruments_pb2.InstrumentState) -> str:
    return f"{state.operator}: {state.reason} (event {state.sequence})" if state.operator else "portfolio file"
