"""Small days in which everything happens that can: what a recorded journal holds."""

from pathlib import Path

from tests.property.day import day
from tests.property.rig import STRICT
from tests.property.test_hostile_input import answer, seed
from tests.unit.builders import (
    BUY,
    CANCELED,
    DAY_S,
    FIRST_DAY_S,
    NEW,
    PORTFOLIO,
    REPLACED,
    SELL,
    Desk,
    configuration,
    instrument,
    strategy_scope,
)
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.v1 import admin_pb2, common_pb2, journal_pb2, market_data_pb2, order_rules_pb2, orders_pb2, risk_pb2

_SECOND = 1 / DAY_S


def every_method(path: Path) -> None:
    """Record the day that touches every method, in a portfolio with stops, foreign money and four eyes."""
    gate = Gate(SqliteJournal(path), bar_clock)
    gate.start(STRICT)
    gate.process(seed())
    for request in day():
        answer(gate, request)
    gate.journal.close()


def every_rule(path: Path) -> None:
    """Record a day on which every rule has something to say."""
    desk = Desk(path, _configured())
    desk.bar(1, A="100", B="50", F="20", EUR="1.1", SAP="120")
    _trade(desk)
    _break_rules(desk)
    _stop_and_reset(desk)
    _let_time_pass(desk)
    desk.gate.journal.close()


def every_session(path: Path) -> None:
    """Record a quarter: strategies that become alike, rebalances that wait for their cash, a gate that comes back."""
    configured = configuration()
    configured.reduce_only_after_restart = True
    for name in ("cash", "margin"):
        configured.routes.add(strategy_id=name, adapter="paper")
    desk = Desk(path, configured)
    desk.bar(1, A="100", B="100")
    desk.hold("cash", "400", "100")
    desk.hold("margin", "100", "100", "B")
    _limit_correlation(desk, "0.8")
    for number in range(2, 64):
        shared, own = number * 7 % 5, number * 11 % 3
        desk.bar(number, A=f"{100 + shared}", B=f"{100 + shared + own / 4}")
    _rebalance(desk, "r1")
    first = next(iter(desk.book.orders))
    desk.fill(first, "50", "100")
    desk.fill(first, str(desk.book.orders[first].leaves_quantity), "100")
    _limit_correlation(desk, "0.9999")
    _limit_correlation(desk, "0.8")
    _rebalance(desk, "r2", cash="0.1")
    desk.gate.stop()
    desk.gate.journal.close()
    for _ in range(2):
        desk = desk.reopened()
        desk.gate.journal.close()


def _limit_correlation(desk: Desk, bound: str) -> None:
    """Change the limit; what breaches it, or does not any more, is told."""
    figure, warn = risk_pb2.LIMIT_FIGURE_STRATEGY_CORRELATION, common_pb2.ACTION_WARN
    limit = risk_pb2.Limit(figure=figure, scope=PORTFOLIO, limit=bound, on_undefined=warn)
    change = admin_pb2.UpdateLimitsRequest(limits=[limit], operator="ann", reason="alike")
    desk.ask("UpdateLimits", change, admin_pb2.UpdateLimitsResponse)


def _rebalance(desk: Desk, rebalance_id: str, cash: str = "0.2") -> None:
    """Give most of a strategy's capital to the other one; what is tied up follows later."""
    weights = [admin_pb2.TargetWeight(strategy_id="cash", weight=cash)]
    request = admin_pb2.RebalanceRequest(rebalance_id=rebalance_id, weights=weights, operator="ann", reason="plan")
    desk.ask("Rebalance", request, admin_pb2.RebalanceResponse)


def _configured() -> journal_pb2.PortfolioConfigured:
    configured = configuration(max_leverage="3", halt_drawdown="0.3")
    euro, sap = instrument("EUR", tick="0.0001"), instrument("SAP")
    euro.asset_class, euro.buys, sap.currency = "fx", "EUR", "EUR"
    configured.instruments.extend([euro, sap])
    configured.instruments[1].calendar = "XNYS"
    configured.currency_rates.add(currency="EUR", symbol="EUR")
    configured.calendars.add(
        name="XNYS",
        opens_s=[FIRST_DAY_S - 3_600, FIRST_DAY_S + DAY_S],
        closes_s=[FIRST_DAY_S + 3_600, FIRST_DAY_S + 2 * DAY_S],
    )
    configured.price_bands.add(band="0.5", confirmations=0, interval="1d")
    configured.price_bands.add(band="0.1", confirmations=2)
    configured.order_rules.MergeFrom(order_rules_pb2.OrderRules(throttle_fills=5, throttle_within_s=10))
    configured.halts.confirm_within_s = 60
    return configured


def _trade(desk: Desk) -> None:
    desk.hold("cash", "100", "99.97")
    desk.hold("margin", "-150", "100.03")
    desk.hold("margin", "20", "119.5", "SAP")
    working = desk.order("cash", BUY, "7", "A")
    order_id = desk.submit(working).order_id
    desk.claim(order_id)
    desk.report(desk.execution(order_id, NEW))
    desk.replace(desk.replacement(working, "9"))
    fill = desk.trade(order_id, "3", "100.5", fee="0.07")
    desk.report(desk.execution(order_id, REPLACED), fill, desk.correction(fill, "2", "100.5"))
    desk.cancel(working)
    desk.report(desk.execution(desk.buy("cash", "5", "B").order_id, CANCELED))
    orphan = desk.trade("", "2", "19.5")
    orphan.symbol, orphan.side = "F", BUY
    desk.report(orphan, desk.bust(fill), bar_sequence=desk.book.last_bar_sequence)
    desk.deposit("777.77")
    desk.withdraw("0.01")
    move = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", to_strategy_id="cash", amount="123.45", operator="ann", reason="plan"
    )
    desk.ask("TransferCapital", move, admin_pb2.TransferCapitalResponse)


def _break_rules(desk: Desk) -> None:
    orders = [desk.order("cash", BUY, "99999", "A") for _ in range(103)]
    desk.ask("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders), orders_pb2.SubmitOrdersResponse)
    for _ in range(5):
        desk.hold("margin", "1", "50", "B")
    release = admin_pb2.ReleaseThrottleRequest(strategy_id="margin", operator="ann", reason="looked at")
    desk.ask("ReleaseThrottle", release, admin_pb2.ReleaseThrottleResponse)
    prices = [market_data_pb2.Price(symbol="A", price="130")]
    prices[0].time.seconds = FIRST_DAY_S + 2
    request = market_data_pb2.PublishPricesRequest(prices=prices)
    desk.ask("PublishPrices", request, market_data_pb2.PublishPricesResponse)
    figure = risk_pb2.LIMIT_FIGURE_GROSS_EXPOSURE
    lowered = [risk_pb2.Limit(figure=figure, scope=strategy_scope("margin"), limit="1000")]
    change = admin_pb2.UpdateLimitsRequest(limits=lowered, operator="ann", reason="quiet day")
    change.expires.seconds = FIRST_DAY_S + 20
    desk.ask("UpdateLimits", change, admin_pb2.UpdateLimitsResponse)
    seen = risk_pb2.AcknowledgeAlertRequest(alert_sequence=desk.alerts()[0].sequence, operator="ann")
    desk.ask("AcknowledgeAlert", seen, risk_pb2.AcknowledgeAlertResponse)
    desk.withdraw("99999999", "w2")


def _stop_and_reset(desk: Desk) -> None:
    desk.open_session("s1")
    pause = admin_pb2.PauseStrategyRequest(strategy_id="margin", operator="ann", reason="odd")
    desk.ask("PauseStrategy", pause, admin_pb2.PauseStrategyResponse)
    resume = admin_pb2.ResumeStrategyRequest(strategy_id="margin", operator="ann", reason="looked at")
    desk.ask("ResumeStrategy", resume, admin_pb2.ResumeStrategyResponse)
    desk.halt(strategy_scope("margin"), common_pb2.HALT_LEVEL_REDUCE_ONLY)
    desk.halt()
    keep = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
    reset = admin_pb2.ResetHaltRequest(scope=PORTFOLIO, operator="ann", reason="over", high_water_mark=keep)
    asked = desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse).request_sequence
    confirm = admin_pb2.ConfirmResetRequest(request_sequence=asked, operator="bob", reason="agreed")
    desk.ask("ConfirmReset", confirm, admin_pb2.ConfirmResetResponse)
    reset.scope.CopyFrom(strategy_scope("margin"))
    desk.ask("ResetHalt", reset, admin_pb2.ResetHaltResponse)
    flatten = admin_pb2.FlattenRequest(scope=strategy_scope("cash"), operator="ann", reason="home")
    desk.ask("Flatten", flatten, admin_pb2.FlattenResponse)
    for order in list(desk.book.orders.values()):
        if order.request.side == SELL and order.request.strategy_id == "cash":
            desk.fill(order.order_id, str(order.leaves_quantity), "100")


def _let_time_pass(desk: Desk) -> None:
    desk.submit(desk.order("margin", BUY, "1", "F"))
    desk.tick(31)
    desk.tick(61)
    desk.close_session("s1")
    desk.bar(2, A="97.77", B="51")
    desk.cancel_all()
