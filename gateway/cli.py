"""The command line: ``tidegate``."""

import getpass
import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import grpc
import typer
from rich.console import Console

from gateway.addresses import DEFAULT_ADDRESS
from gateway.client import Client, new_order
from gateway.status import refusal_of
from gateway.tables import show_portfolio, show_risk
from tidegate.errors import TidegateError
from tidegate.v1 import admin_pb2, common_pb2, market_data_pb2, orders_pb2

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A live trading risk gateway."
)
order_app = typer.Typer(no_args_is_help=True, help="Submit, cancel and look at orders.")
app.add_typer(order_app, name="order")

_CALL_TIMEOUT_S = 5.0
_REFUSED = 1

Address = Annotated[str, typer.Option(help="Where the gateway listens.")]


@app.command()
def run(  # noqa: PLR0913 -- each is an option of the command
    portfolio: Annotated[Path, typer.Argument(help="The portfolio file.", exists=True, dir_okay=False)],
    journal: Annotated[Path, typer.Option(help="Where the journal is, or begins.")] = Path("var/journal.db"),
    address: Address = DEFAULT_ADDRESS,
    *,
    apart: Annotated[bool, typer.Option("--apart", help="The gateway in an actor of its own.")] = False,
    leave: Annotated[bool, typer.Option("--exit", help="End after the replay instead of serving.")] = False,
    begin: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
) -> None:
    """Start everything, replay the portfolio file's prices if it names some, then serve until Ctrl-C."""
    from gateway.run import RunOptions, run  # noqa: PLC0415 -- the other commands need no Ray

    options = RunOptions(
        portfolio=portfolio,
        journal=journal,
        address=address,
        apart=apart,
        leave=leave,
        begin=_day(begin),
        end=_day(end),
    )
    console = Console(markup=False)
    try:
        run(options, console)
    except TidegateError as error:
        _fail(str(error))
    except grpc.RpcError as error:
        _fail_call(error, address)
    except KeyboardInterrupt:
        console.print("stopped; the journal keeps everything", highlight=False)


@app.command()
def status(address: Address = DEFAULT_ADDRESS) -> None:
    """Show the portfolio, its strategies, its limits and its halts."""
    with Client(address, timeout_s=_CALL_TIMEOUT_S) as client:
        try:
            console = Console(markup=False)
            show_portfolio(client, console)
            show_risk(client, console)
        except grpc.RpcError as error:
            _fail_call(error, address)


@app.command()
def halt(
    *,
    reason: Annotated[str, typer.Option(help="Why; it is journaled.")],
    operator: Annotated[str, typer.Option(help="Who; by default the user of this machine.")] = "",
    strategy: Annotated[str, typer.Option(help="Only this strategy.")] = "",
    instrument: Annotated[str, typer.Option(help="Only this instrument.")] = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Halt trading: of the portfolio, of one strategy or of one instrument."""
    if strategy and instrument:
        _fail("choose a strategy or an instrument, not both")
    scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)
    if strategy:
        scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=strategy)
    elif instrument:
        scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_INSTRUMENT, name=instrument)
    request = admin_pb2.HaltRequest(scope=scope, operator=operator or _user(), reason=reason)
    with Client(address, timeout_s=_CALL_TIMEOUT_S) as client:
        try:
            response = client.admin.Halt(request)
        except grpc.RpcError as error:
            _fail_call(error, address)
    name = response.halt.scope.name or "portfolio"
    typer.echo(
        f"{name} halted by {response.halt.operator}: {response.halt.reason}; "
        f"{response.cancels_requested} cancels requested (event {response.halt.sequence})"
    )


@app.command()
def bar(
    closes: Annotated[list[str], typer.Argument(metavar="SYMBOL=CLOSE", help="As in AAA=100.00.")],
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Publish a bar of now by hand: marks move, strategies decide. With a live clock only."""
    request = market_data_pb2.PublishBarsRequest()
    request.time.GetCurrentTime()
    for entry in closes:
        symbol, _, close = entry.partition("=")
        request.bars.add(symbol=symbol, close=close)
    with Client(address, timeout_s=_CALL_TIMEOUT_S) as client:
        try:
            published = client.market_data.PublishBars(request)
        except grpc.RpcError as error:
            _fail_call(error, address)
    typer.echo(f"bar of {request.time.ToJsonString()} published (event {published.bar_sequence})")


@order_app.command()
def submit(  # noqa: PLR0913 -- each is an option of the command
    *,
    strategy: Annotated[str, typer.Option(help="The strategy whose capital it takes.")],
    symbol: Annotated[str, typer.Option()],
    quantity: Annotated[str, typer.Option(help="A positive decimal.")],
    side: Annotated[str, typer.Option(help="buy or sell.")] = "buy",
    limit: Annotated[str, typer.Option(help="The limit price; none is a market order.")] = "",
    client_order_id: Annotated[str, typer.Option(help="Your own id; a new one by default.")] = "",
    route: Annotated[str, typer.Option(help="The adapter that sends it; none: you send it.")] = "",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Never open or flip a position.")] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Have an order decided; exit code 1 when it is refused."""
    sides = {"buy": common_pb2.SIDE_BUY, "sell": common_pb2.SIDE_SELL}
    if side not in sides:
        _fail(f"--side takes buy or sell, not {side}")
    order = new_order(
        strategy_id=strategy,
        client_order_id=client_order_id or f"cli-{uuid.uuid4().hex}",
        symbol=symbol,
        side=sides[side],
        quantity=quantity,
        limit_price=limit,
        reduce_only=reduce_only,
        route=route,
    )
    with Client(address, timeout_s=_CALL_TIMEOUT_S) as client:
        try:
            decision = client.submit_order(order)
        except grpc.RpcError as error:
            _fail_call(error, address, ask_again=f"; ask again with --client-order-id {order.client_order_id}")
    action = common_pb2.Action.Name(decision.action).removeprefix("ACTION_")
    reason = f": {decision.reason_code}: {decision.reason}" if decision.reason_code else ""
    typer.echo(f"{action} {order.client_order_id} (event {decision.sequence}){reason}")
    for violation in decision.violations[1:]:
        typer.echo(f"  also {violation.reason_code}: {violation.text}")
    if not decision.order_id:
        raise typer.Exit(_REFUSED)


@order_app.command()
def cancel(strategy: str, client_order_id: str, address: Address = DEFAULT_ADDRESS) -> None:
    """Ask the broker to cancel an order."""
    request = orders_pb2.CancelOrderRequest(strategy_id=strategy, client_order_id=client_order_id)
    with Client(address, timeout_s=_CALL_TIMEOUT_S) as client:
        try:
            typer.echo(_order_line(client.orders.CancelOrder(request).order))
        except grpc.RpcError as error:
            _fail_call(error, address)


@order_app.command()
def show(strategy: str, client_order_id: str, address: Address = DEFAULT_ADDRESS) -> None:
    """Show an order and the decision on it."""
    request = orders_pb2.GetOrderRequest(strategy_id=strategy, client_order_id=client_order_id)
    with Client(address, timeout_s=_CALL_TIMEOUT_S) as client:
        try:
            response = client.orders.GetOrder(request)
        except grpc.RpcError as error:
            _fail_call(error, address)
    if response.HasField("order"):
        typer.echo(_order_line(response.order))
    decision = response.decision
    action = common_pb2.Action.Name(decision.action).removeprefix("ACTION_")
    typer.echo(f"decision {action} {decision.reason_code} {decision.reason}".rstrip())


def _order_line(order: orders_pb2.Order) -> str:
    ask = order.order
    side = common_pb2.Side.Name(ask.side).removeprefix("SIDE_")
    state = common_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_")
    filled = f"{order.cumulative_quantity} filled" + (f" at {order.average_price}" if order.average_price else "")
    return f"{ask.client_order_id} {side} {ask.quantity} {ask.symbol}: {state}, {filled}, {order.leaves_quantity} left"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container without a passwd entry must be able to halt too


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_REFUSED)


def _fail_call(error: grpc.RpcError, address: str, ask_again: str = "") -> NoReturn:
    refusal = refusal_of(error)
    if refusal.reason:
        _fail(f"{refusal.reason}: {refusal.text}")
    if refusal.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        _fail(f"no gateway answers at {address}; what was asked may or may not have happened{ask_again}")
    _fail(f"{refusal.code.name}: {refusal.text}")
