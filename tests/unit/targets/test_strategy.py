"""A strategy that speaks in targets, through the real gate: live, paused, and through its history."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.unit.builders import Desk, configuration, instrument, limit
from tests.unit.conftest import OpenDesk
from tidegate.history import read_history
from tidegate.ledger import Ledger
from tidegate.strategy import Bar, Context, Strategy
from tidegate.strategy_runner import StrategyRunner
from tidegate.targets.flash_crash import FlashCrashByFall
from tidegate.targets.maximum_sector_exposure import MaximumSectorExposure
from tidegate.targets.model import RiskModel
from tidegate.targets.option_hedge import OptionHedge
from tidegate.targets.targeting import Targeting
from tidegate.targets.trailing_stop import TrailingStop
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, orders_pb2

Act = Callable[[Context], None]


class Scripted(Strategy):
    """Does on each bar what the script says, the last line again and again; notes what is suppressed."""

    def __init__(self, *script: Act) -> None:
        """Take what it does, bar by bar."""
        self.script = script
        self.suppressed: list[list[str]] = []

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Do the next thing."""
        assert bar.closes
        self.suppressed.append(list(context.suppressed))
        self.script[min(len(self.suppressed), len(self.script)) - 1](context)


def target(symbol: str, quantity: str) -> Act:
    """Want a quantity."""
    return lambda context: context.target(symbol, Decimal(quantity))


def rest(_context: Context) -> None:
    """Want nothing in particular."""


def runner(desk: Desk, *script: Act, models: list[RiskModel] | None = None) -> StrategyRunner:
    """Begin the cash strategy with a script."""
    return StrategyRunner("cash", Scripted(*script), desk.configured, route="paper", risk_models=models or [])


def give_bar(desk: Desk) -> actors_pb2.BarUpdate:
    """Report on the newest bar, and give it to the strategies."""
    desk.report(bar_sequence=desk.book.last_bar_sequence)
    return desk.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)


def complete(desk: Desk, update: actors_pb2.BarUpdate, live: StrategyRunner | None) -> list[tuple[str, str, str]]:
    """Run a bar and complete it, or complete it without the strategy; return the orders."""
    orders = [] if live is None else live.run_bar(update)
    cancels = [] if live is None else live.cancels
    request = actors_pb2.CompleteBarRequest(
        bar_sequence=update.bar.sequence,
        seen_sequence=update.sequence,
        orders=orders,
        strategy_ids=[] if live is None else ["cash"],
        cancels=[orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id=name) for name in cancels],
    )
    desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)
    return [(order.symbol, common_pb2.Side.Name(order.side)[5:], order.quantity) for order in orders]


def lived(desk: Desk, live: StrategyRunner | None, *closes: str) -> list[list[tuple[str, str, str]]]:
    """Live through bars of A; a broker fills every order at its bar's close. Return the orders of each bar."""
    days = []
    for close in closes:
        for order in list(desk.book.orders.values()):
            if not order.request.limit_price:
                desk.fill(order.order_id, str(order.leaves_quantity), close)
        desk.bar(len(desk.events("bar_published")) + 1, A=close)
        days.append(complete(desk, give_bar(desk), live))
    return days


def begun(desk: Desk, live: StrategyRunner | None) -> list[tuple[str, str, str]]:
    """Live through the bar that the desk was opened with: A at 100, B at 50, F at 20."""
    return complete(desk, give_bar(desk), live)


def test_a_target_becomes_an_order_and_then_nothing_more(desk: Desk) -> None:
    """The same wish on every bar is one order, whether it works or is filled."""
    live = runner(desk, target("A", "10"))
    assert [("A", "BUY", "10")] == begun(desk, live)
    assert [[], []] == lived(desk, live, "100", "101")
    assert Decimal(10) == desk.position("cash")


def test_a_share_is_of_the_equity_at_the_newest_price(desk: Desk) -> None:
    """A tenth of 50,000, in lots of a half and ten a point."""

    def share(context: Context) -> None:
        context.target_share("F", Decimal("0.1"))
        context.target_share("A", Decimal("-0.1009"))

    assert [("A", "SELL", "50"), ("F", "BUY", "25")] == begun(desk, runner(desk, share))


@pytest.mark.parametrize("rate", ["2", ""])
def test_a_share_in_a_foreign_instrument_is_counted_at_its_rate_or_not_at_all(open_desk: OpenDesk, rate: str) -> None:
    """A tenth of 50,000 dollars at 100 euros of two dollars; without a rate it raises, which pauses the strategy."""
    configured = configuration()
    for symbol, currency, buys in (("EURUSD", "USD", "EUR"), ("DAX", "EUR", "")):
        added = instrument(symbol)
        added.currency, added.buys, added.asset_class = currency, buys, "fx" if buys else "equity"
        configured.instruments.append(added)
    configured.currency_rates.add(currency="EUR", symbol="EURUSD")
    desk = open_desk(configured)
    desk.bar(1, DAX="100", **({"EURUSD": rate} if rate else {}))
    live = runner(
        desk, lambda context: context.target_share("DAX", Decimal("0.1")), models=[MaximumSectorExposure("1")]
    )
    if rate:
        assert [("DAX", "BUY", "25")] == begun(desk, live)
    else:
        with pytest.raises(ValueError, match="EUR has no rate yet"):
            begun(desk, live)


def test_what_reduces_is_ordered_first(desk: Desk) -> None:
    """The cash of a sale is there for the purchase as soon as it can be."""

    def swap(context: Context) -> None:
        context.target("A", Decimal(0))
        context.target("B", Decimal(900))

    live = runner(desk, target("A", "10"), swap)
    begun(desk, live)
    assert [[("A", "SELL", "10"), ("B", "BUY", "900")]] == lived(desk, live, "100")


def test_working_orders_that_lead_away_from_a_target_are_canceled_with_the_bar(desk: Desk) -> None:
    """A resting limit order is asked to be canceled, once; what is held goes at once."""
    live = runner(desk, target("A", "10"), rest, target("A", "0"), target("A", "0"))
    begun(desk, live)
    lived(desk, live, "100")
    resting = limit(desk.order("cash", common_pb2.SIDE_BUY, "5", "A"), "90")
    desk.report(desk.execution(desk.submit(resting).order_id, orders_pb2.EXECUTION_TYPE_NEW))
    assert [[("A", "SELL", "10")]] == lived(desk, live, "100")
    assert [resting.client_order_id] == live.cancels
    found = desk.found(resting.client_order_id).order
    assert common_pb2.ORDER_STATUS_PENDING_CANCEL == found.status
    desk.fill(found.order_id, "2", "90")
    desk.report(desk.execution(found.order_id, orders_pb2.EXECUTION_TYPE_CANCELED))
    assert [[("A", "SELL", "2")]] == lived(desk, live, "100")
    assert [] == live.cancels
    assert 1 == len(desk.events("cancel_requested"))


@pytest.mark.parametrize("client_order_id", ["done", "no id"])
def test_a_cancel_that_comes_too_late_or_is_malformed_stops_no_bar(desk: Desk, client_order_id: str) -> None:
    """It is refused alone; the bar's orders are decided and the bar is completed."""
    update = give_bar(desk)
    request = actors_pb2.CompleteBarRequest(
        bar_sequence=update.bar.sequence,
        seen_sequence=update.sequence,
        orders=[desk.order("cash", common_pb2.SIDE_BUY, "1", "A")],
        cancels=[orders_pb2.CancelOrderRequest(strategy_id="cash", client_order_id=client_order_id)],
    )
    answer = desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)
    assert [common_pb2.ACTION_ALLOW] == [decision.action for decision in answer.decisions]
    refused = [event.command_refused.reason_code for event in desk.events("command_refused")]
    assert ([] if " " in client_order_id else ["ORDER_UNKNOWN"]) == refused
    assert 1 == len(desk.events("bar_completed"))


def stopped(desk: Desk) -> StrategyRunner:
    """Begin a strategy that always wants ten, with a stop at a tenth below the best."""
    return runner(desk, target("A", "10"), models=[TrailingStop("0.10"), MaximumSectorExposure("0.90")])


def test_a_stopped_position_is_sold_and_not_bought_again(desk: Desk) -> None:
    """Up to 120, down to 108, which is the stop, and below it; what the strategy repeats is suppressed."""
    live = stopped(desk)
    begun(desk, live)
    assert [[], [], [("A", "SELL", "10")], []] == lived(desk, live, "120", "108", "107.99", "130")
    assert Decimal(0) == desk.position("cash")
    strategy = live._strategy
    assert isinstance(strategy, Scripted)
    assert [[], [], [], [], ["A"]] == strategy.suppressed


def test_a_partly_filled_liquidation_goes_on(desk: Desk) -> None:
    """What a canceled sale has left is sold on the next bar, though the price has recovered."""
    live = stopped(desk)
    begun(desk, live)
    lived(desk, live, "100", "80")
    (sale,) = desk.book.orders.values()
    desk.report(desk.trade(sale.order_id, "4", "80"), desk.execution(sale.order_id, orders_pb2.EXECUTION_TYPE_CANCELED))
    assert [[("A", "SELL", "6")]] == lived(desk, live, "110")


def catch_up(desk: Desk, again: StrategyRunner, part: int) -> None:
    """Read the cash strategy's history, some events at a time."""
    after, head = 0, desk.book.sequence
    while after < head:
        up_to = min(after + part, head)
        request = actors_pb2.ReadHistoryRequest(strategy_id="cash", after_sequence=after, up_to_sequence=up_to)
        response = read_history(desk.gate.journal, request)
        again.catch_up(response.events)
        after = response.next_after_sequence
    again.end_catch_up()


@pytest.mark.parametrize("part", [1_000, 5, 1])
@pytest.mark.parametrize("last", ["109", "107.99"])
def test_after_a_restart_the_models_stand_where_they_stood(desk: Desk, part: int, last: str) -> None:
    """The best price was before the restart, the stop comes after it, or has come and suppresses."""
    live = stopped(desk)
    begun(desk, live)
    lived(desk, live, "120", last)
    again = stopped(desk)
    catch_up(desk, again, part)
    assert live._context.suppressed == again._context.suppressed
    for order in list(desk.book.orders.values()):
        desk.fill(order.order_id, "4", "107")
    desk.bar(9, A="107")
    update = give_bar(desk)
    assert live.run_bar(update) == again.run_bar(update)
    assert live._context.suppressed.keys() == again._context.suppressed.keys() == {"A"}


def test_bars_that_a_paused_strategy_did_not_run_on_only_warm_its_models_up(desk: Desk) -> None:
    """While it is paused nothing is sold; resumed, it knows the prices of the bars between."""
    script = (target("A", "10"), rest)
    live = runner(desk, *script, models=[FlashCrashByFall("0.10", bars=2)])
    begun(desk, live)
    lived(desk, live, "100")
    desk.ask(
        "PauseStrategy",
        admin_pb2.PauseStrategyRequest(strategy_id="cash", operator="ann", reason="lunch"),
        admin_pb2.PauseStrategyResponse,
    )
    assert [[], []] == lived(desk, None, "100", "95")
    again = runner(desk, *script, models=[FlashCrashByFall("0.10", bars=2)])
    catch_up(desk, again, 1_000)
    assert [[("A", "SELL", "10")]] == lived(desk, again, "89.99")


def test_a_strategy_re_arms_by_hand(desk: Desk) -> None:
    """The next wish counts; the model measures the new position from what it cost."""

    def again(context: Context) -> None:
        context.rearm("A")
        context.target("A", Decimal(5))

    live = runner(desk, target("A", "10"), rest, target("A", "10"), again, models=[TrailingStop("0.10")])
    begun(desk, live)
    days = lived(desk, live, "100", "80", "80")
    assert [[], [("A", "SELL", "10")], [("A", "BUY", "5")]] == days


def test_a_strategy_with_risk_models_cannot_order_past_them() -> None:
    """Its order would be one that no model has seen."""
    context = Context({}, Ledger("USD"), "paper", targeting=Targeting([TrailingStop()]))
    with pytest.raises(ValueError, match="speaks in targets"):
        context.buy("A", Decimal(1))


def test_an_instrument_has_an_order_or_a_target_in_one_bar_and_not_both(desk: Desk) -> None:
    """The target would not know of the order, and both would be filled."""
    instruments = desk.book.instruments
    context = Context(instruments, Ledger("USD"), "paper")
    context.target("A", Decimal(1))
    context.buy("B", Decimal(1))
    with pytest.raises(ValueError, match="a target in it"):
        context.sell("A", Decimal(1))
    with pytest.raises(ValueError, match="an order in this bar already"):
        context.target("B", Decimal(1))


def test_a_target_of_nothing_that_can_be_traded_raises_in_the_strategy(desk: Desk) -> None:
    """An unknown instrument, and a share of one without a price."""
    context = Context(desk.book.instruments, Ledger("USD"), "paper")
    with pytest.raises(ValueError, match="no instrument X"):
        context.target("X", Decimal(1))
    for symbol in ("A", "X"):
        with pytest.raises(ValueError, match="no instrument with a price yet"):
            context.target_share(symbol, Decimal(1))


def test_models_are_told_the_instruments_before_the_first_bar(desk: Desk) -> None:
    """A hedge by a put that is not there cannot start."""
    put = {"symbol": "P", "strike": "1", "expiry": "2030-01-01", "volatility": "1"}
    with pytest.raises(ValueError, match="names P, which cannot be traded"):
        runner(desk, rest, models=[OptionHedge({"A": put})])


def test_a_model_that_raises_is_a_fault_of_its_strategy(desk: Desk) -> None:
    """The shell makes a pause of it; no order leaves a chain that broke."""

    class Broken(RiskModel):
        """Cannot judge."""

    live = runner(desk, target("A", "10"), models=[Broken()])
    with pytest.raises(NotImplementedError):
        live.run_bar(give_bar(desk))
    assert [] == live.cancels
