"""One life of a gate, step by step: orders, fills, crashes, halts, restarts; each step checks what it alone knows."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.property import statements, wire
from tests.property.again import assert_every_decision_follows_again
from tests.property.carrying_on import assert_snapshots_carry_on
from tests.property.facts import NS_PER_S, SUSPENSE
from tests.property.naive import HALTED
from tests.property.rig import (
    ADAPTERS,
    STRATEGIES,
    SYMBOLS,
    Rig,
    close_gate,
    event_bytes,
    replay_fresh,
    request,
    scratch,
)
from tests.property.traders import revive
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, market_data_pb2, orders_pb2, reconciliation_pb2

if TYPE_CHECKING:
    from tidegate.gate import Reply, Request
    from tidegate.strategy_runner import StrategyRunner

SHORT_STEP = 4
NUMBER = st.integers(0, 1_000)
# Why a position cannot be closed from here.
_STAYS = {"", Reason.ROUTE_MISSING, Reason.PRICE_MISSING, Reason.QUANTITY_OFF_LOT, Reason.OPTION_EXPIRED}


class GateMachine(RuleBasedStateMachine):
    """
    One gate's life.

    The rig compares after every batch: conservation, running sums, limits, halts, working quantities, breaches. The
    rules add what only they know: that a retry answers the same, that an execution counts once, that the strategies'
    copies agree. At the end the whole life is replayed.
    """

    def __init__(self) -> None:
        """Begin with an empty journal in a folder of its own."""
        super().__init__()
        self.folder = scratch()
        self.rig = Rig(Path(self.folder.name))
        self.seconds = 1_000_000_000
        self.count = 0
        self.submitted: list[tuple[orders_pb2.NewOrder, Reply]] = []
        self.executions: list[tuple[orders_pb2.Execution, int]] = []
        self.transfers: list[tuple[Request, Reply]] = []
        self.runners: dict[str, StrategyRunner] = {}

    def next_id(self) -> str:
        self.count += 1
        return f"id-{self.count}"

    # Prices.

    @initialize(symbols=st.lists(st.sampled_from(SYMBOLS), min_size=3, unique=True))
    def first_bar(self, symbols: list[str]) -> None:
        """Most instruments get a price."""
        bars = [market_data_pb2.Bar(symbol=symbol, close=wire.FIRST_PRICES[symbol]) for symbol in symbols]
        self.send_bar(bars, 1)

    @rule(
        factors=st.dictionaries(st.sampled_from(SYMBOLS), wire.FACTORS, min_size=1),
        step=st.integers(-1, 40),
        interval=st.sampled_from(["", "", "1d", "1h", "5m"]),
    )
    def publish_bar(self, factors: dict[str, Decimal], step: int, interval: str = "") -> None:
        """Publish a bar of moderate or crashing moves; one that is not newer is refused."""
        bars = [market_data_pb2.Bar(symbol=s, close=wire.moved(self.rig.naive, s, f)) for s, f in factors.items()]
        self.send_bar(bars, step, interval)

    def send_bar(self, bars: list[market_data_pb2.Bar], step: int, interval: str = "") -> None:
        newest = self.rig.gate.engine.book.last_bar.time.seconds
        message = market_data_pb2.PublishBarsRequest(bars=bars, interval=interval)
        # A short step may end before prices that came between bars: these stay the marks.
        message.time.seconds = newest + step if step < SHORT_STEP and newest else self.seconds + step
        self.seconds = max(self.seconds, message.time.seconds)
        (reply,) = self.rig.send(request("PublishBars", message))
        if not reply.reason:
            head = self.rig.gate.journal.head()
            assert self.rig.send(request("PublishBars", message)) == [reply]
            assert self.rig.gate.journal.head() == head

    @rule(
        symbols=st.lists(st.sampled_from(SYMBOLS), max_size=5),
        factor=wire.FACTORS,
        step=st.integers(-3, 40),
        feed=wire.FEEDS,
    )
    def publish_prices(self, symbols: list[str], factor: Decimal, step: int, feed: str = "") -> None:
        """Publish marks between bars; older ones are refused."""
        self.seconds += max(step, 0)
        message = market_data_pb2.PublishPricesRequest(feed=feed)
        for symbol in symbols:
            price = message.prices.add(symbol=symbol, price=wire.moved(self.rig.naive, symbol, factor))
            price.time.seconds = self.seconds + min(step, 0)
        times = self.rig.naive.mark_times_ns
        is_older = any(price.time.seconds * NS_PER_S < times.get(price.symbol, 0) for price in message.prices)
        (reply,) = self.rig.send(request("PublishPrices", message))
        assert reply.reason == (Reason.PRICE_OUT_OF_ORDER if is_older else "")

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        factors=st.lists(st.sampled_from(wire.CRASHING), min_size=2, max_size=5),
        steps=st.lists(st.integers(-2, 3), min_size=5, max_size=5),
        feed=wire.FEEDS,
    )
    def crash_for_real(self, symbol: str, factors: list[Decimal], steps: list[int], feed: str = "") -> None:
        """Publish several prices far away, one after the other: some confirm each other."""
        for factor, step in zip(factors, steps, strict=False):
            self.publish_prices([symbol], factor, step, feed)

    # Orders.

    @rule(drafts=st.lists(wire.order_drafts(), min_size=1, max_size=4), alone=st.booleans())
    def submit(self, drafts: list[wire.OrderDraft], *, alone: bool) -> None:
        """Submit new orders, each in a request of its own or all in one; the rig judges each decision."""
        orders = [draft.order(self.rig.naive, self.next_id()) for draft in drafts]
        if alone:
            requests = [request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order)) for order in orders]
            self.submitted += zip(orders, self.rig.send(*requests), strict=True)
        else:
            self.rig.send(request("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=orders)))

    @precondition(lambda self: self.submitted)
    @rule(number=NUMBER)
    def retry(self, number: int) -> None:
        """Submit an order again: the first answer, to the byte; another order under its id is refused."""
        order, first = self.submitted[number % len(self.submitted)]
        head = self.rig.gate.journal.head()
        (again,) = self.rig.send(request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order)))
        assert again == first
        assert self.rig.gate.journal.head() == head
        changed = orders_pb2.NewOrder.FromString(order.SerializeToString())
        changed.reduce_only = not order.reduce_only
        (refused,) = self.rig.send(request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=changed)))
        assert refused.reason == Reason.CLIENT_ORDER_ID_REUSED
        assert self.rig.gate.journal.head().sequence == head.sequence + 1, "the journal tells of the refusal"

    @rule(number=NUMBER)
    def cancel(self, number: int) -> None:
        """Ask for a cancel by any of an order's names, also of one that is done or unknown: it releases nothing."""
        naive = self.rig.naive
        strategy_id, client_order_id = wire.name_of(naive, number)
        message = orders_pb2.CancelOrderRequest(strategy_id=strategy_id, client_order_id=client_order_id)
        order = naive.orders.get(naive.named(strategy_id, client_order_id))
        expected = Reason.ORDER_UNKNOWN if order is None else Reason.ORDER_DONE if order.ended else ""
        before = dict(self.rig.gate.engine.book.totals.worst_quantities)
        (reply,) = self.rig.send(request("CancelOrder", message))
        assert reply.reason == expected
        assert self.rig.gate.engine.book.totals.worst_quantities == before

    @rule(numbers=st.lists(NUMBER, min_size=1, max_size=3), adapter=st.sampled_from(["", *ADAPTERS]))
    def claim(self, numbers: list[int], adapter: str) -> None:
        """Claim orders: each goes to one adapter, and to none in a halt or while it is being canceled."""
        ids = wire.order_ids(self.rig.naive, numbers)
        known = self.rig.naive.orders.get(ids[0])
        adapter = adapter or (known.request.route if known is not None else "") or "paper"
        (reply,) = self.rig.send(request("ClaimOrders", orders_pb2.ClaimOrdersRequest(adapter=adapter, order_ids=ids)))
        claims = orders_pb2.ClaimOrdersResponse.FromString(reply.body).claims
        for claim in claims:
            taken = self.rig.gate.engine.book.orders.get(claim.order_id)
            if claim.outcome != orders_pb2.CLAIM_OUTCOME_REFUSED:
                assert taken is not None
                assert taken.claimed_by == adapter
            elif claim.reason_code in {Reason.TRADING_HALTED, Reason.REDUCE_ONLY}:
                assert self.rig.naive.is_held_back(self.rig.naive.orders[claim.order_id])

    # Executions.

    @rule(drafts=st.lists(wire.execution_drafts(), min_size=1, max_size=3))
    def execute(self, drafts: list[wire.ExecutionDraft]) -> None:
        """Report executions of all kinds, for working, done and unknown orders; all are booked."""
        executions = [draft.execution(self.rig.naive, self.next_id()) for draft in drafts]
        self.report(executions)

    def report(self, executions: list[orders_pb2.Execution], bar_sequence: int = 0) -> None:
        (reply,) = self.rig.send(wire.report(executions, bar_sequence))
        sequences = orders_pb2.ReportExecutionsResponse.FromString(reply.body).sequences
        assert all(sequences)
        self.executions += zip(executions, sequences, strict=True)

    @precondition(lambda self: self.executions)
    @rule(number=NUMBER)
    def execute_again(self, number: int) -> None:
        """Repeat a report: answered as before and not booked again; with other figures it is never booked."""
        execution, sequence = self.executions[number % len(self.executions)]
        head = self.rig.gate.journal.head()
        (reply,) = self.rig.send(wire.report([execution]))
        assert orders_pb2.ReportExecutionsResponse.FromString(reply.body).sequences == [sequence]
        assert self.rig.gate.journal.head() == head
        changed = orders_pb2.Execution.FromString(execution.SerializeToString())
        changed.symbol += "X"
        before = self.rig.gate.engine.book.equity
        (reply,) = self.rig.send(wire.report([changed]))
        assert orders_pb2.ReportExecutionsResponse.FromString(reply.body).sequences == [0]
        assert self.rig.gate.engine.book.equity == before

    # Suspense, and the broker's statements.

    @rule(number=NUMBER, strategy_id=st.sampled_from(STRATEGIES))
    def assign(self, number: int, strategy_id: str) -> None:
        """Assign a fill: one in suspense moves whole and once, any other one stays where it is."""
        naive = self.rig.naive
        name = statements.fill_name(naive, number)
        known = naive.fills.get(name)
        message = reconciliation_pb2.AssignSuspenseRequest(
            account="main", execution_id=name, strategy_id=strategy_id, operator="ann", reason="hers"
        )
        equity, held = naive.equity(), dict(statements.account_of(naive))
        (reply,) = self.rig.send(request("AssignSuspense", message))
        assert (naive.equity(), statements.account_of(naive)) == (equity, held)
        if known is not None and known.owner == SUSPENSE:
            assert not reply.reason
            assert naive.fills[name].owner == strategy_id
            head = self.rig.gate.journal.head()
            assert self.rig.send(request("AssignSuspense", message)) == [reply]
            assert self.rig.gate.journal.head() == head
        elif known is not None and not reply.reason:
            assert known.owner == strategy_id, "answered again, to whom it was assigned to"

    @rule(symbol=st.sampled_from(SYMBOLS), step=st.sampled_from([0, 0, 0, -1, 3]), cent=st.sampled_from([0, 0, 1]))
    def state(self, symbol: str, step: int, cent: int) -> None:
        """Hand in what the broker has: clean; or with one figure changed: that difference, and no other."""
        rig, step = self.rig, 0 if symbol == "FX" else step
        message = statements.statement(rig.naive, rig.gate.engine.book.accounts["main"].cash(), symbol, step, cent)
        (reply,) = rig.send(request("ReconcilePositions", message))
        assert not reply.reason
        answer = reconciliation_pb2.ReconcilePositionsResponse.FromString(reply.body)
        found = {(d.symbol, d.currency): Fraction(d.difference) for d in answer.differences}
        expected = {(symbol, ""): Fraction(step)} if step else {}
        assert found == expected | ({("", "USD"): Fraction(cent, 100)} if cent else {})
        assert answer.difference_count == len(found)

    @rule(fill=st.sampled_from([True, True, False]))
    def settle(self, *, fill: bool) -> None:
        """Let the synchronised adapter report on all its orders and on the newest bar."""
        awaited = [order for order in self.rig.gate.engine.book.awaiting.values() if order.request.route]
        executions = [wire.answer(self.next_id(), order, well=fill) for order in awaited]
        self.report(executions, self.rig.gate.engine.book.last_bar_sequence)

    # Operators.

    @rule(scope=wire.SCOPES, level=wire.HALT_LEVELS, flatten=st.sampled_from([False, False, True]))
    def halt(self, scope: common_pb2.Scope, level: common_pb2.HaltLevel.ValueType, *, flatten: bool) -> None:
        """Halt a scope: it stands, and what is working stays reserved; perhaps it is flattened as well."""
        before = dict(self.rig.gate.engine.book.totals.worst_quantities)
        message = admin_pb2.HaltRequest(scope=scope, level=level, operator="ann", reason="a look", flatten=flatten)
        (reply,) = self.rig.send(request("Halt", message))
        assert not reply.reason
        assert self.rig.naive.halts[scope.kind, scope.name] >= (level or HALTED)
        assert self.rig.gate.engine.book.totals.worst_quantities == before

    @rule(scope=wire.SCOPES)
    def flatten(self, scope: common_pb2.Scope) -> None:
        """Flatten a scope: each position is on its way out in whole lots, or the answer says why not."""
        naive = self.rig.naive
        message = admin_pb2.FlattenRequest(scope=scope, operator="ann", reason="out")
        (reply,) = self.rig.send(request("Flatten", message))
        assert not reply.reason
        assert naive.halts[scope.kind, scope.name]
        positions = admin_pb2.FlattenResponse.FromString(reply.body).positions
        found = {(one.strategy_id, one.symbol): one for one in positions}
        covered = [place for place, held in naive.held.items() if held and wire.is_in(scope, *place)]
        assert set(covered) <= set(found)
        for place in covered:
            held, one = naive.held[place], found[place]
            sent = naive.working(*place, buys=held < 0)
            assert (Fraction(one.quantity), Fraction(one.submitted_quantity)) == (
                held,
                sent - Fraction(one.waiting_quantity),
            )
            assert one.reason_code in _STAYS, one
            if not one.reason_code:
                assert abs(held) - sent < Fraction(naive.instruments[place[1]].lot)

    @rule(scope=wire.SCOPES, choice=st.sampled_from(admin_pb2.HighWaterMarkChoice.values()))
    def reset(self, scope: common_pb2.Scope, choice: admin_pb2.HighWaterMarkChoice.ValueType) -> None:
        """Reset a scope: its halt ends, or the reset is refused."""
        message = admin_pb2.ResetHaltRequest(scope=scope, operator="bob", reason="seen", high_water_mark=choice)
        (reply,) = self.rig.send(request("ResetHalt", message))
        assert reply.reason or (scope.kind, scope.name) not in self.rig.naive.halts

    @rule(source=wire.OWNERS, destination=wire.OWNERS, amount=wire.AMOUNTS)
    def transfer(self, source: str, destination: str, amount: str) -> None:
        """Move capital, whole or not at all: never what is not there, nor over the source's own limit."""
        naive = self.rig.naive
        message = admin_pb2.TransferCapitalRequest(
            transfer_id=self.next_id(),
            from_strategy_id=source,
            to_strategy_id=destination,
            amount=amount,
            operator="ann",
            reason="budget",
        )
        equity = naive.equity()
        (reply,) = self.rig.send(request("TransferCapital", message))
        assert naive.equity() == equity
        if reply.reason:
            return
        self.transfers.append((request("TransferCapital", message), reply))
        assert naive.reserve >= 0
        if source:
            terms = naive.terms[source]
            ledger = self.rig.gate.engine.book.strategies[source].ledger
            assert Fraction(ledger.cash) >= naive.reserved_cash(source)
            within = naive.gross_of(source) <= wire.share(terms.max_leverage) * naive.equity_of(source)
            assert terms.kind == "cash" or within

    @precondition(lambda self: self.transfers)
    @rule(number=NUMBER)
    def transfer_again(self, number: int) -> None:
        """Repeat a transfer: answered as before, and nothing moves."""
        again, first = self.transfers[number % len(self.transfers)]
        head = self.rig.gate.journal.head()
        assert self.rig.send(again) == [first]
        assert self.rig.gate.journal.head() == head

    @rule(strategy_id=st.sampled_from(STRATEGIES), resume=st.booleans())
    def pause_or_resume(self, strategy_id: str, *, resume: bool) -> None:
        """Pause or resume a strategy; either twice changes nothing."""
        if resume:
            message = admin_pb2.ResumeStrategyRequest(strategy_id=strategy_id, operator="ann", reason="go")
            self.rig.send(request("ResumeStrategy", message))
        else:
            pause = admin_pb2.PauseStrategyRequest(strategy_id=strategy_id, operator="ann", reason="stop")
            self.rig.send(request("PauseStrategy", pause))
        assert (strategy_id in self.rig.naive.paused) is not resume

    # Bars through strategies, and restarts.

    @rule(page=st.integers(1, 50))
    def complete_bar(self, page: int) -> None:
        """Let the strategies live a bar, each on a ledger of its own that agrees with the book's."""
        update = self.rig.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)
        if not update.sequence:
            return
        journal = self.rig.gate.journal
        assert update.bar == next(iter(journal.read(update.bar.sequence - 1, 1)))
        message = actors_pb2.CompleteBarRequest(bar_sequence=update.bar.sequence, seen_sequence=update.sequence)
        for own in update.strategies:
            if own.strategy_id not in STRATEGIES:
                continue  # added while it ran: without code
            if own.paused:
                self.runners.pop(own.strategy_id, None)
                continue
            runner = self.runners.get(own.strategy_id)
            if runner is None:
                # By its saved state or through its whole history: the book's digests know no difference.
                saved = own.saved_sequence if page % 3 else 0
                runner = revive(own.strategy_id, self.rig.gate, update.sequence, page, saved)
                self.runners[own.strategy_id] = runner
            assert runner.sequence == update.after_sequence
            message.orders.extend(runner.run_bar(update))
            message.strategy_ids.append(own.strategy_id)
            if page % 2:
                saved_state = runner.save()
                assert saved_state is not None
                message.states.append(saved_state)
        (reply,) = self.rig.send(request("CompleteBar", message))
        assert not reply.reason
        if page % 5 == 0:
            self.runners.clear()  # their processes die: with the next bar they come back
        assert self.rig.gate.engine.book.completed_bar_sequence == update.bar.sequence

    @rule()
    def restart(self) -> None:
        """Open another gate on the same journal: it says the same, to the byte, and goes on."""
        self.rig.restart()

    @rule(number=NUMBER)
    def settle_and_complete(self, number: int) -> None:
        """Take a bar the usual way: all adapters report, then the strategies decide."""
        self.reopen()
        self.settle(fill=bool(number % 3))
        self.complete_bar(page=number % 50 + 1)

    @rule()
    def reopen(self) -> None:
        """Reset all halts and resume all strategies, so that most of a life is spent trading."""
        for halt in list(self.rig.gate.engine.book.halts.values()):
            self.reset(halt.scope.to_wire(), admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE)
        for strategy_id in sorted(self.rig.naive.paused):
            self.pause_or_resume(strategy_id, resume=True)

    def teardown(self) -> None:
        """Replay the whole life: from the journal, and from the commands and restarts in batches of other sizes."""
        rig = self.rig
        try:
            rig.restart()
            assert_every_decision_follows_again(rig.gate.journal.read(0))
            assert_snapshots_carry_on(list(rig.gate.journal.read(0)), rig.gate.engine)
            recorded = event_bytes(rig.gate)
            booked = [
                event.execution_booked for event in rig.gate.journal.read(0) if event.HasField("execution_booked")
            ]
            for entry in booked:
                if entry.HasField("reversed"):
                    entry.execution.ClearField("order_id")  # the gate's own note
            assert [entry.execution for entry in booked] == [execution for execution, _ in self.executions]
            for size in (1, 7):
                path = Path(self.folder.name) / f"fresh-{size}.db"
                assert replay_fresh(path, rig.commands, size, rig.restarts) == (recorded, rig.replies)
        finally:
            close_gate(rig.gate)
            self.folder.cleanup()
