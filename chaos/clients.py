"""The clients of a run with real processes: each a process of its own, which may be killed and begun again."""

import argparse
import time
from decimal import Decimal
from pathlib import Path

from chaos.records import DEPOSIT, EXECUTION, HALT, ORDER, READ, RESET, TRANSFER, WITHDRAWAL
from chaos.session import RefusedError, Session
from gateway.adapter_client import end_with_parent
from tidegate.v1 import admin_pb2, common_pb2, market_data_pb2, orders_pb2, portfolio_pb2, risk_pb2

SYMBOLS = ("ONE", "TWO", "SIX")
FIRST_PRICES = {"ONE": Decimal(100), "TWO": Decimal(50), "SIX": Decimal(80)}
# Orders of one call; its executions are reported with another one.
BATCH = 60
_PACE_S = 0.02
_LOOK_S = 0.25


def trade(session: Session, life: int, per_s: float) -> None:
    """Submit orders by the batch, send what is accepted to a broker that is this process, report what it did."""
    number, rng = 0, session.rng
    while not session.is_stopping:
        began, orders = time.monotonic(), []
        for _ in range(rng.randint(1, BATCH)):
            number += 1
            orders.append(_order(session, f"{life}-{number}"))
        session.log.asked((ORDER, f"{session.name} {order.client_order_id}") for order in orders)
        request = orders_pb2.SubmitOrdersRequest(orders=orders)
        response = session.ask(lambda client: client.orders.SubmitOrders, request)
        if response is None:
            continue
        pairs = list(zip(orders, response.decisions, strict=True))
        session.log.answered(
            (
                ORDER,
                f"{session.name} {order.client_order_id}",
                decision.sequence,
                order.SerializeToString(),
                decision.SerializeToString(),
            )
            for order, decision in pairs
        )
        _report(session, [(order, decision) for order, decision in pairs if decision.order_id])
        time.sleep(max(began + len(orders) / per_s - time.monotonic(), 0))


def _order(session: Session, client_order_id: str) -> orders_pb2.NewOrder:
    rng = session.rng
    order = orders_pb2.NewOrder(
        strategy_id=session.name,
        client_order_id=client_order_id,
        symbol=rng.choice(SYMBOLS),
        side=rng.choice((common_pb2.SIDE_BUY, common_pb2.SIDE_SELL)),
        order_type=common_pb2.ORDER_TYPE_MARKET,
        quantity=str(rng.choice((1, 5, 20, 100))),
    )
    if rng.random() < 0.2:
        order.order_type = common_pb2.ORDER_TYPE_LIMIT
        order.limit_price = str(FIRST_PRICES[order.symbol] + rng.randint(-2, 2))
    return order


def _report(session: Session, accepted: list[tuple[orders_pb2.NewOrder, orders_pb2.Decision]]) -> None:
    """Fill most, cancel some, half of some; now and then report all of it again."""
    rng, account, executions = session.rng, f"desk-{session.name}", []
    for order, decision in accepted:
        draw, left = rng.random(), Decimal(order.quantity)
        if draw < 0.9:
            quantity = left if draw < 0.7 or left < 2 else left // 2
            executions.append(
                orders_pb2.Execution(
                    execution_id=f"{decision.order_id}-fill",
                    execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
                    order_id=decision.order_id,
                    last_quantity=str(quantity),
                    last_price=str(FIRST_PRICES[order.symbol] + Decimal(rng.randint(-50, 50)) / 100),
                    fee=rng.choice(("", "0.01", "0.35", "-0.02")),
                )
            )
            left -= quantity
        if left:
            executions.append(
                orders_pb2.Execution(
                    execution_id=f"{decision.order_id}-end",
                    execution_type=orders_pb2.EXECUTION_TYPE_CANCELED,
                    order_id=decision.order_id,
                )
            )
    if not executions:
        return
    session.log.asked((EXECUTION, f"{account} {execution.execution_id}") for execution in executions)
    report = orders_pb2.ReportExecutionsRequest(account=account, adapter="desk", executions=executions)
    for _ in range(rng.choice((1, 1, 1, 2))):
        response = session.ask(lambda client: client.orders.ReportExecutions, report)
        if response is not None:
            session.log.answered(
                (EXECUTION, f"{account} {execution.execution_id}", sequence, execution.SerializeToString(), b"")
                for execution, sequence in zip(executions, response.sequences, strict=True)
            )


def command(session: Session, life: int) -> None:
    """Halt and reset strategies, seldom everything; move capital; resume what was paused."""
    number, rng = 0, session.rng
    traders = [name for name in _strategies(session) if name.startswith("trader")]
    while not session.is_stopping:
        number += 1
        key, draw = f"{session.name}-{life}-{number}", rng.random()
        try:
            if draw < 0.35:
                scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=rng.choice(traders))
                if draw < 0.05:
                    scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)
                _halt_and_reset(session, key, scope)
            elif draw < 0.9:
                _move(session, key, rng.sample([*traders, ""], 2))
            else:
                _resume(session)
        except RefusedError:
            continue  # no cash there, or nothing to reset: as good an answer as any other
        finally:
            time.sleep(rng.uniform(0.05, 0.4))


def _halt_and_reset(session: Session, key: str, scope: common_pb2.Scope) -> None:
    level = session.rng.choice((common_pb2.HALT_LEVEL_HALTED, common_pb2.HALT_LEVEL_REDUCE_ONLY))
    halt = admin_pb2.HaltRequest(scope=scope, level=level, operator="ann", reason=key)
    session.log.asked([(HALT, key)])
    halted = session.ask(lambda client: client.admin.Halt, halt)
    if halted is not None:
        session.log.answered([(HALT, key, halted.halt.sequence, halt.SerializeToString(), b"")])
    time.sleep(session.rng.uniform(0.05, 0.5))
    rebase = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
    while True:
        reset = admin_pb2.ResetHaltRequest(scope=scope, operator="ann", reason=key, high_water_mark=rebase)
        done = session.ask(lambda client: client.admin.ResetHalt, reset, repeats=False)
        if done is not None:
            break
        key += "+"  # whether it was done is unknown: another one, under a name of its own
    if done.changed:
        session.log.asked([(RESET, key)])
        session.log.answered([(RESET, key, 0, reset.SerializeToString(), b"")])


def _move(session: Session, key: str, places: list[str]) -> None:
    source, target = places
    amount = session.rng.choice(("0.01", "1000", "7777.77"))
    transfer = admin_pb2.TransferCapitalRequest(
        transfer_id=key, from_strategy_id=source, to_strategy_id=target, amount=amount, operator="ann", reason="plan"
    )
    deposit = admin_pb2.DepositCapitalRequest(transfer_id=key, amount=amount, operator="ann", reason="plan")
    withdrawal = admin_pb2.WithdrawCapitalRequest(transfer_id=key, amount=amount, operator="ann", reason="plan")
    ((kind, asked),) = session.rng.choices(
        ((TRANSFER, transfer), (DEPOSIT, deposit), (WITHDRAWAL, withdrawal)), weights=(6, 2, 2)
    )
    session.log.asked([(kind, key)])
    sequence = 0
    if kind == TRANSFER:
        transferred = session.ask(lambda client: client.admin.TransferCapital, transfer)
        sequence = transferred.sequence if transferred is not None else 0
    elif kind == DEPOSIT:
        put = session.ask(lambda client: client.admin.DepositCapital, deposit)
        sequence = put.sequence if put is not None else 0
    else:
        taken = session.ask(lambda client: client.admin.WithdrawCapital, withdrawal)
        sequence = taken.sequence if taken is not None else 0
    session.log.answered([(kind, key, sequence, asked.SerializeToString(), b"")])


def _strategies(session: Session) -> list[str]:
    listed = session.ask(lambda client: client.portfolio.ListStrategies, portfolio_pb2.ListStrategiesRequest())
    return [one.strategy_id for one in listed.strategies] if listed is not None else []


def _resume(session: Session) -> None:
    """Let strategies run on whose process died twice on one bar."""
    listed = session.ask(lambda client: client.portfolio.ListStrategies, portfolio_pb2.ListStrategiesRequest())
    for one in listed.strategies if listed is not None else ():
        if one.paused:
            resume = admin_pb2.ResumeStrategyRequest(strategy_id=one.strategy_id, operator="ann", reason="mended")
            session.ask(lambda client: client.admin.ResumeStrategy, resume)


def feed(session: Session, _life: int) -> None:
    """Publish prices, and a bar every so often, on which the strategies act."""
    number = 0
    while not session.is_stopping:
        number += 1
        prices = {
            symbol: str(first + Decimal(session.rng.randint(-50, 50)) / 100) for symbol, first in FIRST_PRICES.items()
        }
        update = market_data_pb2.PublishPricesRequest()
        bar = market_data_pb2.PublishBarsRequest()
        bar.time.GetCurrentTime()
        for symbol, price in prices.items():
            update.prices.add(symbol=symbol, price=price).time.CopyFrom(bar.time)
            bar.bars.add(symbol=symbol, close=price)
        try:
            if number % 8 == 0:
                session.ask(lambda client: client.market_data.PublishBars, bar)
            else:
                session.ask(lambda client: client.market_data.PublishPrices, update)
        except RefusedError:
            continue  # it was late: a newer one stands already
        finally:
            time.sleep(_LOOK_S)


def watch(session: Session, life: int) -> None:
    """Read how things stand, over and over."""
    number = 0
    while not session.is_stopping:
        number += 1
        key = f"{session.name}-{life}-{number}"
        session.log.asked([(READ, key)])
        metrics = session.ask(lambda client: client.risk.GetRiskMetrics, risk_pb2.GetRiskMetricsRequest())
        if metrics is not None:
            session.log.answered([(READ, key, metrics.sequence, b"", b"")])
        time.sleep(_PACE_S)


TRADER, WATCHER = "trader", "watcher"
OTHERS = {"officer": command, "feed": feed, WATCHER: watch}


def main() -> None:
    """Be one client until the run stops, and every question is answered."""
    parser = argparse.ArgumentParser(description="One client of a chaos run.")
    parser.add_argument("kind", choices=[TRADER, *OTHERS])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--life", type=int, required=True)
    parser.add_argument("--gateway", type=int, required=True)
    parser.add_argument("--per-s", type=float, required=True, help="orders a second, of a trader")
    options = parser.parse_args()
    end_with_parent()
    seed, is_faithful = options.seed + options.life, options.kind == WATCHER
    session = Session(options.folder, options.name, seed, options.gateway, is_faithful=is_faithful)
    if options.kind == TRADER:
        trade(session, options.life, options.per_s)
    else:
        OTHERS[options.kind](session, options.life)


if __name__ == "__main__":
    main()
