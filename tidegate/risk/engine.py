"""The engine: commands in, events out. The same commands in the same order give the same events."""

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message

from tidegate.errors import RefusedError
from tidegate.numbers import ZERO
from tidegate.orders import DecidedOrder, told_by
from tidegate.portfolio.performance import Performance
from tidegate.reasons import Reason
from tidegate.risk import (
    cancels,
    capital_moves,
    checks,
    consequences,
    correlation,
    executions,
    flattening,
    halting,
    instrument_changes,
    lifecycle,
    limit_changes,
    market_data,
    operators,
    orders,
    rebalancing,
    reconciliation,
    recovery,
    reductions,
    replaces,
    reports,
    routing,
    sessions,
    suspense,
    throttling,
    timers,
)
from tidegate.risk.book import Book
from tidegate.risk.draft import Archive, Draft
from tidegate.risk.error_rate import ErrorRate
from tidegate.risk.halts import Place
from tidegate.risk.refusals import Refusals, Sender
from tidegate.risk.scopes import PORTFOLIO, strategy_scope
from tidegate.v1 import actors_pb2, admin_pb2, journal_pb2, market_data_pb2, orders_pb2, reconciliation_pb2, risk_pb2

# A command is a message; the function decides it, and changes nothing.
_DECIDERS: dict[type[Message], Callable[[Draft, Any], Any]] = {
    orders_pb2.NewOrder: orders.decide_order,
    orders_pb2.CheckOrderRequest: orders.check_order,
    orders_pb2.CancelOrderRequest: cancels.cancel_order,
    orders_pb2.CancelAllOrdersRequest: cancels.cancel_all_orders,
    orders_pb2.ReplaceOrderRequest: replaces.replace_order,
    actors_pb2.AdvanceTimeRequest: timers.advance_time,
    admin_pb2.UpdateLimitsRequest: limit_changes.update_limits,
    admin_pb2.UpsertInstrumentsRequest: instrument_changes.upsert_instruments,
    journal_pb2.SessionOpened: sessions.open_session,
    journal_pb2.SessionClosed: sessions.close_session,
    journal_pb2.CapitalMoved: capital_moves.move_capital,
    risk_pb2.AcknowledgeAlertRequest: operators.acknowledge_alert,
    journal_pb2.OrderClaimed: routing.claim_order,
    journal_pb2.ExecutionBooked: executions.book_execution,
    market_data_pb2.PublishBarsRequest: market_data.publish_bars,
    market_data_pb2.PublishPricesRequest: market_data.publish_prices,
    journal_pb2.BarAcknowledged: market_data.acknowledge_bar,
    journal_pb2.BarCompleted: market_data.complete_bar,
    admin_pb2.HaltRequest: halting.halt,
    admin_pb2.ResetHaltRequest: halting.reset_halt,
    admin_pb2.ReleaseThrottleRequest: throttling.release_throttle,
    admin_pb2.ConfirmResetRequest: halting.confirm_reset,
    admin_pb2.FlattenRequest: flattening.flatten,
    admin_pb2.AddStrategyRequest: lifecycle.add_strategy,
    admin_pb2.RemoveStrategyRequest: lifecycle.remove_strategy,
    admin_pb2.LiquidateStrategyRequest: lifecycle.liquidate_strategy,
    admin_pb2.RebalanceRequest: rebalancing.rebalance,
    admin_pb2.TransferCapitalRequest: capital_moves.transfer_capital,
    reconciliation_pb2.ReconcilePositionsRequest: reconciliation.reconcile_positions,
    reconciliation_pb2.AssignSuspenseRequest: suspense.assign_suspense,
    actors_pb2.RecordRiskReportRequest: reports.record_report,
    journal_pb2.StrategyPaused: operators.pause_strategy,
    journal_pb2.StrategyResumed: operators.resume_strategy,
    journal_pb2.GateStopped: recovery.stop,
    journal_pb2.GateStarted: recovery.start,
}


_ORDER_DECIDED: Final = "order_decided"
_CHANGES_CHECKS: Final = frozenset(
    {
        "portfolio_configured",
        "instrument_upserted",
        "limit_changed",
        "limit_expired",
        "strategy_added",
        "strategy_removed",
    }
)


class Engine:
    """
    Decides commands against its book.

    ``decide`` reads, ``apply`` changes, ``execute`` does both and follows up with what the command caused. Replay calls
    only ``apply``: it folds what was recorded and never decides again.
    """

    def __init__(self, archive: Archive) -> None:
        """Begin with an empty book; the archive answers what was recorded before."""
        self.book: Book = Book()
        self.performance = Performance()
        self._archive = archive
        self._checks = checks.build(self.book)
        self._refusals = Refusals()
        self._errors: ErrorRate | None = None

    def decide(self, command: Message, now_ns: int, caller: str = "") -> Draft:
        """Return the events that a command becomes at this time, with its reply or refusal; nothing changes."""
        draft = self._draft(now_ns)
        self.book.counters.messages.caller = caller
        try:
            draft.reply = _DECIDERS[type(command)](draft, command)
        except RefusedError as refusal:
            draft.refusal = refusal
        return draft

    def ask(self, command: Message, now_ns: int, caller: str = "") -> Draft:
        """Decide a command; one on which that fails is refused as INTERNAL, with an alert as its only event."""
        try:
            return self.decide(command, now_ns, caller)
        except Exception as error:  # noqa: BLE001 -- whatever it is: refused, alerted, and logged by the caller
            return self._internal(command, now_ns, error)
        finally:
            self.book.counters.messages.caller = ""

    def apply(self, event: journal_pb2.Event, decided: DecidedOrder | None = None) -> str:
        """Fold one event into the state, and name its kind; decided: what it tells of an order, if that was read."""
        kind = _ORDER_DECIDED if decided is not None else event.WhichOneof("body") or ""
        if decided is None and kind == _ORDER_DECIDED:
            decided = DecidedOrder.read(event)
        self.book.apply(event, kind, decided)
        self.performance.apply(event, kind, self.book, decided)
        if kind in _CHANGES_CHECKS:
            self._checks = checks.build(self.book)
        if kind == "portfolio_configured":
            has_bound = event.portfolio_configured.halts.error_count > 0
            self._errors = ErrorRate(event.portfolio_configured) if has_bound else None
        elif self._errors is not None:
            self._errors.apply(event, kind)
        return kind

    def derive(self) -> None:
        """Work out what follows from the state, after it was read from a snapshot."""
        book = self.book
        book.counters.listen(book.order_rules)
        held = book.totals.worst_quantities
        book.totals.exposure_bound = max(map(book.instrument_exposure, held), default=ZERO)
        self._checks = checks.build(book)

    def execute(self, command: Message, now_ns: int, caller: str = "") -> Draft:
        """
        Decide a command, apply its events and those that follow from them, and return it with them all.

        A command on which ``decide`` fails is refused as INTERNAL with an alert, and changes nothing. A failure to
        apply is raised: memory can no longer be trusted.
        """
        decided = self.ask(command, now_ns, caller)
        if caller and self.book.order_rules.caller_messages_per_s is not None:
            for event in decided.events:
                event.caller = caller
        if decided.refused_sender is not None or type(command) is actors_pb2.AdvanceTimeRequest:
            self._bound_refusals(decided)
        causes = self._apply_all(decided)
        if self.book.rebalance is not None or self.book.roster.leaving:
            causes += self._settle(decided)
        for event in causes:
            follow_up = self._draft(now_ns)
            consequences.follow(follow_up, event)
            throttling.follow(follow_up, event)
            correlation.follow(follow_up, event)
            for consequence in follow_up.events:
                self.apply(consequence)
            decided.events += follow_up.events
        if self._errors is not None:
            halts = self._draft(now_ns)
            self._errors.follow(halts, decided.events)
            self._take(decided, halts)
        if self.book.flattenings:
            self._flatten(decided)
        if self.book.rebalance is not None:
            self._reduce(decided)
        return decided

    def _apply_all(self, draft: Draft) -> list[journal_pb2.Event]:
        """Apply a draft's events; return those from which something may follow."""
        causes = []
        for event in draft.events:
            if consequences.may_follow(self.apply(event, told_by(event, draft.decided))):
                causes.append(event)  # noqa: PERF401 -- applying them is what the loop is for
        return causes

    def _settle(self, decided: Draft) -> list[journal_pb2.Event]:
        """Move the capital that has become free for a rebalance, and let those leave who are flat; return causes."""
        settled = self._draft(decided.now_ns)
        rebalancing.advance(settled, decided.events)
        lifecycle.retire(settled)
        causes = self._apply_all(settled)
        decided.events += settled.events
        if isinstance(decided.reply, admin_pb2.LiquidateStrategyResponse):
            decided.reply.removed = any(event.HasField("strategy_removed") for event in settled.events)
        return causes

    def _reduce(self, decided: Draft) -> None:
        """Send the orders that set capital free for a rebalance; what is refused is alerted, and not recorded."""
        for strategy_id in reductions.due(self.book, list(decided.events)):
            for reduction in reductions.wanted(self.book, strategy_id):
                order = reductions.order_of(self.book, strategy_id, reduction)
                submitted = self.ask(order, decided.now_ns)
                while quantity := flattening.smaller(self.book, order, submitted):
                    order.quantity = quantity
                    submitted = self.ask(order, decided.now_ns)
                blocked = reductions.blocked(order, submitted)
                if blocked is not None:
                    cause = submitted.refusal.__cause__ if submitted.refusal is not None else None
                    decided.failure = cause or decided.failure
                    submitted = self._draft(decided.now_ns)
                    submitted.record(alert_raised=blocked)
                self._take(decided, submitted)

    def _flatten(self, decided: Draft) -> None:
        """Go on closing what is being closed, where the events of a command have changed it."""
        events = list(decided.events)
        for place, ended_by in flattening.touched(self.book, events):
            for _ in range(flattening.ORDERS_MAX):
                todo = flattening.step(self.book, place, ended_by)
                if isinstance(todo, orders_pb2.NewOrder):
                    todo = self._submit_exit(decided, place, todo)
                    if todo is None:
                        continue
                if todo is not None:
                    last = self._draft(decided.now_ns)
                    last.record(flatten_ended=todo)
                    self._take(decided, last)
                break
        if isinstance(decided.reply, admin_pb2.FlattenResponse | admin_pb2.LiquidateStrategyResponse):
            decided.reply.positions.extend(flattening.report(self.book, decided.events))

    def _submit_exit(self, decided: Draft, place: Place, order: orders_pb2.NewOrder) -> journal_pb2.FlattenEnded | None:
        """Have an order that closes a position decided, as large as one order may be; return why it ends there."""
        submitted = self.ask(order, decided.now_ns)
        while quantity := flattening.smaller(self.book, order, submitted):
            order.quantity = quantity
            submitted = self.ask(order, decided.now_ns)
        self._take(decided, submitted)
        if submitted.refusal is not None:
            decided.failure = submitted.refusal.__cause__ or decided.failure
            return flattening.ended(self.book, place, submitted.refusal.reason, submitted.refusal.text)
        decision = submitted.reply
        return None if decision.order_id else flattening.ended(self.book, place, decision.reason_code, decision.reason)

    def _take(self, decided: Draft, more: Draft) -> None:
        """Apply what follows from a command, and add it to the command's events."""
        for event in more.events:
            self.apply(event)
        decided.events += more.events

    def _bound_refusals(self, decided: Draft) -> None:
        """Record a refusal, or only count it; and record what was counted in the seconds that have passed."""
        counts = self._refusals.due(decided.now_ns)
        sender = decided.refused_sender
        if sender is not None and not self._refusals.admit(sender, decided.reason_code, decided.now_ns):
            decided.events.clear()
            if isinstance(decided.reply, orders_pb2.Decision):
                decided.reply.sequence = 0
        for count in counts:
            decided.record(refusals_counted=count)

    def _draft(self, now_ns: int) -> Draft:
        return Draft(self.book, self._archive, self._checks, now_ns)

    def _internal(self, command: Message, now_ns: int, error: Exception) -> Draft:
        draft = self._draft(now_ns)
        text = f"{type(command).__name__} failed: {type(error).__name__}"
        named = getattr(command, "strategy_id", "")
        strategy_id = named if named in self.book.terms else ""
        scope = strategy_scope(strategy_id) if strategy_id else PORTFOLIO
        alert = journal_pb2.AlertRaised(reason_code=Reason.INTERNAL, scope=scope.to_wire(), text=text)
        draft.record(alert_raised=alert)
        draft.refusal = RefusedError(
            Reason.INTERNAL, f"{type(command).__name__} failed inside the gate; nothing changed"
        )
        draft.refusal.__cause__ = error
        draft.refused_sender = Sender(type(command).__name__, strategy_id)
        return draft
