"""The runner: a user's strategy, live and through its history."""

from decimal import Decimal

import pytest

from tests.unit.builders import DAY_S, FIRST_DAY_S, Desk, stamp
from tidegate.errors import StateError
from tidegate.history import read_history
from tidegate.ledger import Ledger
from tidegate.strategy import Bar, Context, Fill, Strategy
from tidegate.strategy_runner import LedgerDiffersError, StrategyRunner
from tidegate.targets.model import RiskModel
from tidegate.targets.null import NullRiskModel
from tidegate.times import to_datetime, to_ns
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, instruments_pb2, orders_pb2

MARKET = common_pb2.ORDER_TYPE_MARKET


class Diary(Strategy):
    """Writes down what it sees, and moves to as many A as there were bars, and a limit sale of one."""

    def __init__(self) -> None:
        """Begin with empty pages."""
        self.pages: list[tuple[object, ...]] = []
        self.bars = 0

    def on_start(self, context: Context) -> None:
        """Note the beginning."""
        self.pages.append(("start", tuple(context.symbols), context.cash))

    def on_bar(self, bar: Bar, context: Context) -> None:
        """Note the bar and the ledger, then order."""
        self.bars += 1
        self.pages.append((bar.time, dict(bar.closes), context.equity, context.cash, context.position("A")))
        context.move_to("A", Decimal(10 * self.bars))
        if context.position("A"):
            context.sell("A", Decimal(1), limit_price=Decimal("100.5"))

    def on_fill(self, fill: Fill, context: Context) -> None:
        """Note the fill."""
        self.pages.append((fill, context.position("A")))


def runner(desk: Desk) -> StrategyRunner:
    """Begin the cash strategy."""
    return StrategyRunner("cash", Diary(), desk.configured, route="paper")


def pages(of: StrategyRunner) -> list[tuple[object, ...]]:
    """Return what the strategy wrote down."""
    strategy = of._strategy
    assert isinstance(strategy, Diary)
    return strategy.pages


def next_bar(desk: Desk) -> actors_pb2.BarUpdate:
    """Report on the newest bar, and give it to the strategies."""
    desk.report(bar_sequence=desk.book.last_bar_sequence)
    update = desk.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)
    assert update.sequence
    return update


def complete(desk: Desk, update: actors_pb2.BarUpdate, orders: list[orders_pb2.NewOrder]) -> None:
    """Complete a bar with the orders of the cash strategy."""
    request = actors_pb2.CompleteBarRequest(
        bar_sequence=update.bar.sequence, seen_sequence=update.sequence, orders=orders, strategy_ids=["cash"]
    )
    desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)


def answer(desk: Desk, price: str) -> None:
    """Fill five of every new buy, and confirm every new sale."""
    for order in list(desk.book.orders.values()):
        if not order.acknowledged and order.sign > 0:
            desk.fill(order.order_id, "5", price, fee="0.35")
        elif not order.acknowledged:
            desk.report(desk.execution(order.order_id, orders_pb2.EXECUTION_TYPE_NEW))


def catch_up(desk: Desk, again: StrategyRunner, part: int) -> None:
    """Read the cash strategy's history, some events at a time."""
    after, head = 0, desk.book.sequence
    while after < head:
        request = actors_pb2.ReadHistoryRequest(
            strategy_id="cash", after_sequence=after, up_to_sequence=min(after + part, head)
        )
        response = read_history(desk.gate.journal, request)
        again.catch_up(response.events)
        after = response.next_after_sequence
    again.end_catch_up()


def trade_bars(desk: Desk, live: StrategyRunner, days: range) -> None:
    """Live through some bars, with a broker that answers on each."""
    for day in days:
        if day > 1:
            desk.bar(day, A=str(100 + day), B="50")
        answer(desk, str(100 + day))
        update = next_bar(desk)
        complete(desk, update, live.run_bar(update))


def test_orders_are_named_after_strategy_bar_and_ordinal(desk: Desk) -> None:
    """Pins the ids that make a bar's orders the same in every run, and the orders themselves."""
    live = runner(desk)
    trade_bars(desk, live, range(1, 2))
    desk.fill(next(iter(desk.book.orders)), "10", "101")
    desk.bar(2, A="102")
    orders = live.run_bar(next_bar(desk))
    assert ["cash-20220104T000000Z-1", "cash-20220104T000000Z-2"] == [order.client_order_id for order in orders]
    figures = [(o.strategy_id, o.symbol, o.side, o.order_type, o.quantity, o.limit_price, o.route) for o in orders]
    assert [
        ("cash", "A", common_pb2.SIDE_BUY, MARKET, "10", "", "paper"),
        ("cash", "A", common_pb2.SIDE_SELL, common_pb2.ORDER_TYPE_LIMIT, "1", "100.5", "paper"),
    ] == figures


def test_a_strategy_sees_its_fills_before_the_bar(desk: Desk) -> None:
    """Pins what a strategy is told, in which order, with its ledger marked to the bar."""
    live = runner(desk)
    trade_bars(desk, live, range(1, 3))
    start, first, fill, second = pages(live)
    assert ("start", ("A", "B", "F"), Decimal(50_000)) == start
    assert (to_datetime(FIRST_DAY_S * 1_000_000_000), Decimal(0)) == (first[0], first[-1])
    booked = Fill("cash-20220103T000000Z-1", "A", Decimal(5), Decimal(102), Decimal("0.35"))
    assert (booked, Decimal(5)) == fill
    assert to_datetime((FIRST_DAY_S + DAY_S) * 1_000_000_000) == second[0] == to_datetime(to_ns(stamp(2)))
    # 50,000 less the fee; less 510 paid, and 500 that the working rest reserves.
    assert (Decimal("49999.65"), Decimal("48989.65"), Decimal(5)) == second[2:]


@pytest.mark.parametrize("part", [1_000, 7, 1], ids=["at once", "in parts", "event by event"])
def test_a_runner_that_caught_up_goes_on_as_if_it_had_never_stopped(desk: Desk, part: int) -> None:
    """Pins history and live as one life, wherever the history is cut into parts."""
    live = runner(desk)
    trade_bars(desk, live, range(1, 6))
    desk.bar(6, A="107")
    answer(desk, "107")
    again = runner(desk)
    catch_up(desk, again, part)
    update = next_bar(desk)
    assert update.after_sequence == again.sequence == live.sequence
    assert live.run_bar(update) == again.run_bar(update)
    assert pages(live) == pages(again)


def test_a_bar_on_which_the_strategy_did_not_run_is_not_relived(desk: Desk) -> None:
    """Pins that a paused strategy's history has the same gaps as its life."""
    update = next_bar(desk)
    request = actors_pb2.CompleteBarRequest(bar_sequence=update.bar.sequence, seen_sequence=update.sequence)
    desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)
    again = runner(desk)
    catch_up(desk, again, 1_000)
    assert (["start"], update.sequence) == ([page[0] for page in pages(again)], again.sequence)


def test_a_ledger_that_differs_from_the_book_is_noticed(desk: Desk) -> None:
    """Pins that a strategy never decides on a ledger that lost an event."""
    live = runner(desk)
    trade_bars(desk, live, range(1, 2))
    desk.fill(next(iter(desk.book.orders)), "10", "101")
    desk.bar(2, A="102")
    update = next_bar(desk)
    own = next(entry for entry in update.strategies if entry.strategy_id == "cash")
    del own.events[-1]
    with pytest.raises(LedgerDiffersError, match="strategy cash differs"):
        live.run_bar(update)


@pytest.mark.parametrize(("target", "expected"), [("10.9", [("1", "10")]), ("-3", [("2", "3")]), ("0.5", [])])
def test_move_to_orders_whole_lots(desk: Desk, target: str, expected: list[tuple[str, str]]) -> None:
    """Pins the direction, and that a part of a lot is left."""
    context = Context(desk.book.instruments, desk.book.strategies["cash"].ledger, "paper")
    context.move_to("A", Decimal(target))
    assert expected == [(str(int(order.side)), order.quantity) for order in context.orders]


def test_move_to_counts_working_orders(desk: Desk) -> None:
    """Pins that a strategy that repeats its wish does not buy twice."""
    desk.hold("cash", "10", "100")
    desk.buy("cash", "20")
    desk.sell("cash", "5")
    context = Context(desk.book.instruments, desk.book.strategies["cash"].ledger, "paper")
    context.move_to("A", Decimal(25))
    assert ([], Decimal(10), Decimal(25)) == (context.orders, context.position("A"), context.expected_position("A"))


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "1000000000000", "142.857142857"])
def test_a_quantity_that_no_order_can_carry_raises_in_the_strategy(quantity: str) -> None:
    """Pins that a strategy's malformed order is its author's error at once, not an order that vanishes."""
    context = Context({}, Ledger("USD"), "paper")
    with pytest.raises(ValueError, match="quantity"):
        context.buy("A", Decimal(quantity))
    assert [] == context.orders


def test_what_a_fill_orders_goes_out_with_the_bar_that_follows(desk: Desk) -> None:
    """Pins that an order from on_fill is neither lost nor sent twice."""

    class Reacting(Diary):
        """Sells one of what was filled."""

        def on_fill(self, fill: Fill, context: Context) -> None:
            """Order at once."""
            context.sell(fill.symbol, Decimal(1))

    reacting = StrategyRunner("cash", Reacting(), desk.configured, route="paper")
    counts = []
    for day in (2, 3):
        update = next_bar(desk)
        orders = reacting.run_bar(update)
        counts.append(len([o for o in orders if o.side == common_pb2.SIDE_SELL and o.order_type == MARKET]))
        complete = actors_pb2.CompleteBarRequest(
            bar_sequence=update.bar.sequence, seen_sequence=update.sequence, orders=orders, strategy_ids=["cash"]
        )
        decided = desk.ask("CompleteBar", complete, actors_pb2.CompleteBarResponse)
        desk.fill(decided.decisions[0].order_id, "10", "100")
        desk.bar(day, A="100", B="50", F="20")
    assert [0, 1] == counts


class Saving(Diary):
    """A diary that saves the number of its bars, and as much more as a test wants."""

    padding = 0

    def save_state(self) -> bytes:
        """Save the count."""
        return b"%d" % self.bars + b" " * self.padding

    def load_state(self, state: bytes) -> None:
        """Go on counting."""
        self.bars = int(state)


def saver(desk: Desk, risk_models: tuple[RiskModel, ...] = ()) -> StrategyRunner:
    """Begin the cash strategy as one that saves its state."""
    return StrategyRunner("cash", Saving(), desk.configured, route="paper", risk_models=risk_models)


def live(desk: Desk, of: StrategyRunner, days: range, saved_on: int = 0) -> list[list[orders_pb2.NewOrder]]:
    """Run bars with fills in between, save the state with one of them; return each bar's orders."""
    found = []
    for day in days:
        if day > 1:
            desk.bar(day, A=str(100 + day))
        update = next_bar(desk)
        orders = of.run_bar(update)
        found.append(orders)
        request = actors_pb2.CompleteBarRequest(
            bar_sequence=update.bar.sequence, seen_sequence=update.sequence, orders=orders, strategy_ids=["cash"]
        )
        if day == saved_on:
            state = of.save()
            assert state is not None
            request.states.add(strategy_id="margin", version="1", state=b"another one's")
            request.states.append(state)
        desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)
        answer(desk, str(100 + day))
    return found


def revived(desk: Desk, part: int) -> StrategyRunner:
    """Bring a strategy back from its saved state and what followed, in parts."""
    update = next_bar(desk)
    (own,) = (entry for entry in update.strategies if entry.strategy_id == "cash")
    assert own.saved_sequence
    again, after = saver(desk), own.saved_sequence
    while after < update.sequence:
        request = actors_pb2.ReadHistoryRequest(
            strategy_id="cash", after_sequence=after, up_to_sequence=min(after + part, update.sequence)
        )
        history = read_history(desk.gate.journal, request)
        assert b"another one's" not in history.SerializeToString()
        again.catch_up(history.events)
        after = history.next_after_sequence
    return again


@pytest.mark.parametrize("part", [1, 3, 1_000])
def test_a_strategy_comes_back_with_its_saved_state(desk: Desk, part: int) -> None:
    """Pins that it lives through what followed only, has the same ledger, and orders what it would have ordered."""
    first = saver(desk)
    live(desk, first, range(1, 6), saved_on=3)
    desk.bar(6, A="106")
    again = revived(desk, part)
    again.end_catch_up()
    update = next_bar(desk)
    assert first.run_bar(update) == again.run_bar(update)
    assert (6, 6) == (len([page for page in pages(first) if len(page) == 5]), again._strategy.bars)  # type: ignore[attr-defined]
    assert ["start"] == [page[0] for page in pages(again) if page[0] == "start"]
    assert len(pages(again)) < len(pages(first))


def test_a_state_that_cannot_be_used_is_refused(desk: Desk) -> None:
    """Pins that one of another version is, so that its owner lives through its history."""
    first = saver(desk)
    live(desk, first, range(1, 3), saved_on=2)
    (event,) = (e for e in desk.events("bar_completed") if e.bar_completed.states)
    event.bar_completed.states[1].version = "0"
    with pytest.raises(StateError, match="of version 0"):
        saver(desk).catch_up([event])


def test_a_state_has_a_largest_size(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins a mebibyte."""
    first = saver(desk)
    monkeypatch.setattr(Saving, "padding", 1024 * 1024 - 1)
    assert first.save() is not None
    monkeypatch.setattr(Saving, "padding", 1024 * 1024)
    with pytest.raises(ValueError, match=r"1,048,577 bytes; it may keep 1,048,576"):
        first.save()


def test_who_saves_nothing_or_has_risk_models_keeps_nothing(desk: Desk) -> None:
    """Pins that both live through their history."""
    assert None is runner(desk).save()
    assert None is saver(desk, (NullRiskModel(),)).save()


def test_a_state_is_asked_for_with_one_bar_in_fifty(desk: Desk) -> None:
    """Pins that it is counted in the journal, and begins anew with a state."""
    first = saver(desk)
    wanted = []
    for day in range(1, 104):
        if day > 1:
            desk.bar(day, A="100")
        update = next_bar(desk)
        wanted.append(update.strategies[0].wants_state)
        request = actors_pb2.CompleteBarRequest(
            bar_sequence=update.bar.sequence, seen_sequence=update.sequence, strategy_ids=["cash"]
        )
        first.run_bar(update)
        if wanted[-1]:
            state = first.save()
            assert state is not None
            request.states.append(state)
        desk.ask("CompleteBar", request, actors_pb2.CompleteBarResponse)
    assert [50, 100] == [day for day, wants in enumerate(wanted, start=1) if wants]


def test_an_instrument_that_is_added_or_changed_reaches_the_strategy_live_and_in_its_history(desk: Desk) -> None:
    """Pins that the ledger of a strategy counts by the same terms as the book, also after a restart."""
    live = runner(desk)
    trade_bars(desk, live, range(1, 3))
    terms = instruments_pb2.Instrument(symbol="N", tick="0.01", lot="1", multiplier="10", sector="tech")
    other = instruments_pb2.Instrument(symbol="B", tick="0.5")
    request = admin_pb2.UpsertInstrumentsRequest(instruments=[terms, other], operator="ann", reason="listed")
    desk.ask("UpsertInstruments", request, admin_pb2.UpsertInstrumentsResponse)
    desk.price(2.1, N="20")
    desk.hold("cash", "3", "20", "N")
    trade_bars(desk, live, range(3, 5))
    again = runner(desk)
    catch_up(desk, again, 3)
    assert pages(live)[1:] == pages(again)[1:]
    for found in (live, again):
        assert found._book.ledger.digest() == live._book.ledger.digest()
        assert (Decimal(10), Decimal("0.5")) == (found._instruments["N"].multiplier, found._instruments["B"].tick)


@pytest.mark.parametrize("part", [1, 1_000])
def test_a_strategy_with_a_saved_state_knows_instruments_that_changed_before_it_and_after(
    desk: Desk, part: int
) -> None:
    """Pins that it trades what was added before its state was saved, and counts what is added later by its terms."""
    first = saver(desk)
    live(desk, first, range(1, 2))
    list_instrument(desk, "N")
    live(desk, first, range(2, 4), saved_on=3)
    list_instrument(desk, "M")
    desk.price(3.1, N="20", M="20")
    for symbol in ("N", "M"):
        desk.hold("cash", "3", "20", symbol)
    live(desk, first, range(4, 5))
    desk.bar(5, A="105")
    again = revived(desk, part)
    again.end_catch_up()
    for of in (first, again):
        assert {"N", "M"} <= of._context.instruments.keys()
    update = next_bar(desk)
    orders = again.run_bar(update)
    assert first.run_bar(update) == orders
    complete(desk, update, orders)
    answer(desk, "105")
    list_instrument(desk, "L")
    desk.price(5.1, L="20")
    desk.hold("cash", "3", "20", "L")
    live(desk, again, range(6, 8))


def list_instrument(desk: Desk, symbol: str) -> None:
    """Add an instrument of which a unit is ten of its price."""
    terms = instruments_pb2.Instrument(symbol=symbol, tick="0.01", lot="1", multiplier="10", sector="tech")
    request = admin_pb2.UpsertInstrumentsRequest(instruments=[terms], operator="ann", reason="listed")
    desk.ask("UpsertInstruments", request, admin_pb2.UpsertInstrumentsResponse)
