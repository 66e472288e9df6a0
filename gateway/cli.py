"""The command line: ``tidegate``."""

import uuid
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from rich.console import Console

from gateway.addresses import DEFAULT_ADDRESS
from gateway.archive_commands import archive
from gateway.capital_commands import rebalance, strategy_app
from gateway.client import new_order
from gateway.cluster_commands import down, scale, up
from gateway.credentials import CA, CERTIFICATE, KEY, TOKEN
from gateway.explain_commands import explain_order
from gateway.halt_commands import confirm_reset, flatten, halt, operator_name
from gateway.instrument_commands import instruments_app
from gateway.journal_commands import DEFAULT_JOURNAL, journal_app, journal_at
from gateway.limit_commands import limits_app
from gateway.protection import Protection
from gateway.reconciliation_commands import reconcile, suspense_app
from gateway.report_commands import report
from gateway.snapshot_commands import snapshot
from gateway.tables import show_portfolio, show_risk
from gateway.terminal import REFUSED, Shown, connected, fail, fail_call, tls_files
from gateway.throttle_commands import release
from gateway.token_commands import token_app
from gateway.var_commands import var_app
from tidegate.errors import TidegateError
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A live trading risk gateway."
)
order_app = typer.Typer(no_args_is_help=True, help="Submit, cancel and look at orders.")
app.add_typer(order_app, name="order")
app.add_typer(token_app, name="token")
journal_app.command()(snapshot)
journal_app.command()(archive)
app.add_typer(journal_app, name="journal")
app.command("explain")(explain_order)
app.add_typer(limits_app, name="limits")
app.add_typer(instruments_app, name="instruments")
app.command()(release)
app.add_typer(strategy_app, name="strategy")
app.command()(rebalance)
app.command()(report)
app.add_typer(var_app, name="var")
app.add_typer(suspense_app, name="suspense")
app.command()(reconcile)
for command in (halt, flatten, confirm_reset, up, down, scale):
    app.command()(command)

_HEALTH_TIMEOUT_S = 3.0
Address = Annotated[str, typer.Option(help="Where the gateway listens.")]


@app.callback()
def credentials(
    context: typer.Context,
    *,
    token_file: Annotated[Path | None, typer.Option(help=f"A file with your token; else {TOKEN}.")] = None,
    ca: Annotated[Path | None, typer.Option(help=f"The authority of the gateway's certificate; else {CA}.")] = None,
    certificate: Annotated[Path | None, typer.Option(help=f"Your client certificate; else {CERTIFICATE}.")] = None,
    key: Annotated[Path | None, typer.Option(help=f"Its key; else {KEY}.")] = None,
) -> None:
    """Run a live trading risk gateway, or ask one. The options say who you are to a gateway that wants to know."""
    context.obj = Shown(token_file, ca, certificate, key)


@app.command()
def run(  # noqa: PLR0913 -- each is an option of the command
    portfolio: Annotated[Path, typer.Argument(help="The portfolio file.", exists=True, dir_okay=False)],
    journal: Annotated[
        str, typer.Option(help="Where the journal is, or begins: a file, or postgresql://user@host/database.")
    ] = DEFAULT_JOURNAL,
    address: Address = DEFAULT_ADDRESS,
    *,
    access: Annotated[Path | None, typer.Option(help="The access file: who may call, and what for.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="The gateway's certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="Clients must show a certificate of this CA.")] = None,
    admin_address: Annotated[str, typer.Option(help="Where AdminService answers, and nothing else.")] = "",
    apart: Annotated[bool, typer.Option("--apart", help="The gateway in an actor of its own.")] = False,
    more_gateways: Annotated[
        list[str] | None, typer.Option("--gateway", help="Where a further gateway listens, in an actor of its own.")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Where Prometheus finds the figures, as in 127.0.0.1:9464.")] = "",
    snapshot_every: Annotated[int, typer.Option(min=0, help="Events between two snapshots; 0: none.")] = 100_000,
    whole: Annotated[bool, typer.Option("--verify", help="Read every event at the start, not a snapshot.")] = False,
    leave: Annotated[bool, typer.Option("--exit", help="End after the replay instead of serving.")] = False,
    begin: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
) -> None:
    """Start everything, replay the portfolio file's prices if it names some, then serve until Ctrl-C."""
    from gateway.run import RunOptions, run  # noqa: PLC0415 -- the other commands need no Ray

    options = RunOptions(
        portfolio=portfolio,
        journal=journal_at(journal),
        address=address,
        apart=apart,
        more_gateways=tuple(more_gateways or ()),
        metrics=metrics,
        snapshot_every=snapshot_every,
        whole=whole,
        leave=leave,
        begin=_day(begin),
        end=_day(end),
        protection=Protection(
            access=access and access.absolute(),
            tls=tls_files(tls_certificate, tls_key, tls_client_ca),
            admin_address=admin_address,
        ),
    )
    console = Console(markup=False)
    try:
        run(options, console)
    except TidegateError as error:
        fail(str(error))
    except grpc.RpcError as error:
        fail_call(error, address)
    except KeyboardInterrupt:
        console.print("stopped; the journal keeps everything", highlight=False)


@app.command()
def status(context: typer.Context, address: Address = DEFAULT_ADDRESS) -> None:
    """Show the portfolio, its strategies, its limits and its halts."""
    with connected(context, address) as client:
        console = Console(markup=False)
        show_portfolio(client, console)
        show_risk(client, console)


@app.command()
def health(context: typer.Context, address: Address = DEFAULT_ADDRESS) -> None:
    """Ask whether the gateway serves, for probes; exit code 1 when it does not. Everybody may."""
    with connected(context, address) as client:
        stub: Any = HealthStub(client.channel)
        answer = stub.Check(HealthCheckRequest(), timeout=_HEALTH_TIMEOUT_S)
    typer.echo(HealthCheckResponse.ServingStatus.Name(answer.status))
    if answer.status != HealthCheckResponse.SERVING:
        raise typer.Exit(REFUSED)


@app.command()
def bar(
    context: typer.Context,
    closes: Annotated[list[str], typer.Argument(metavar="SYMBOL=CLOSE", help="As in AAA=100.00.")],
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Publish a bar of now by hand: marks move, strategies decide. With a live clock only."""
    request = market_data_pb2.PublishBarsRequest()
    request.time.GetCurrentTime()
    for entry in closes:
        symbol, _, close = entry.partition("=")
        request.bars.add(symbol=symbol, close=close)
    with connected(context, address) as client:
        published = client.market_data.PublishBars(request)
    typer.echo(f"bar of {request.time.ToJsonString()} published (event {published.bar_sequence})")


@order_app.command()
def submit(  # noqa: PLR0913 -- each is an option of the command
    context: typer.Context,
    *,
    strategy: Annotated[str, typer.Option(help="The strategy whose capital it takes.")],
    symbol: Annotated[str, typer.Option()],
    quantity: Annotated[str, typer.Option(help="A positive decimal.")],
    side: Annotated[str, typer.Option(help="buy or sell.")] = "buy",
    limit: Annotated[str, typer.Option(help="The limit price; none is a market order.")] = "",
    stop: Annotated[str, typer.Option(help="The price from which on it works.")] = "",
    client_order_id: Annotated[str, typer.Option(help="Your own id; a new one by default.")] = "",
    route: Annotated[str, typer.Option(help="The adapter that sends it; none: you send it.")] = "",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Never open or flip a position.")] = False,
    emergency: Annotated[str, typer.Option(help="An exit under a halt: why; for officers, and only to reduce.")] = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Have an order decided; exit code 1 when it is refused."""
    sides = {"buy": common_pb2.SIDE_BUY, "sell": common_pb2.SIDE_SELL}
    if side not in sides:
        fail(f"--side takes buy or sell, not {side}")
    order = new_order(
        strategy_id=strategy,
        client_order_id=client_order_id or f"cli-{uuid.uuid4().hex}",
        symbol=symbol,
        side=sides[side],
        quantity=quantity,
        limit_price=limit,
        stop_price=stop,
        reduce_only=reduce_only,
        route=route,
    )
    ask_again = f"; ask again with --client-order-id {order.client_order_id}"
    with connected(context, address, ask_again) as client:
        if emergency:
            order.emergency.operator, order.emergency.reason = operator_name("", client), emergency
        decision = client.submit_order(order)
    action = common_pb2.Action.Name(decision.action).removeprefix("ACTION_")
    reason = f": {decision.reason_code}: {decision.reason}" if decision.reason_code else ""
    typer.echo(f"{action} {order.client_order_id} (event {decision.sequence}){reason}")
    for violation in decision.violations[1:]:
        typer.echo(f"  also {violation.reason_code}: {violation.text}")
    if not decision.order_id:
        raise typer.Exit(REFUSED)


@order_app.command()
def cancel(context: typer.Context, strategy: str, client_order_id: str, address: Address = DEFAULT_ADDRESS) -> None:
    """Ask the broker to cancel an order."""
    request = orders_pb2.CancelOrderRequest(strategy_id=strategy, client_order_id=client_order_id)
    with connected(context, address) as client:
        typer.echo(_order_line(client.orders.CancelOrder(request).order))


@order_app.command()
def show(context: typer.Context, strategy: str, client_order_id: str, address: Address = DEFAULT_ADDRESS) -> None:
    """Show an order and the decision on it."""
    request = orders_pb2.GetOrderRequest(strategy_id=strategy, client_order_id=client_order_id)
    with connected(context, address) as client:
        response = client.orders.GetOrder(request)
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


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None
