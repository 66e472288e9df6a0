"""The engine: commands in, events out. The same commands in the same order give the same events."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from tidegate.errors import RefusedError
from tidegate.portfolio.performance import Performance
from tidegate.reasons import Reason
from tidegate.risk import cancels, checks, consequences, executions, market_data, operators, orders, routing
from tidegate.risk.book import Book
from tidegate.risk.draft import Archive, Draft
from tidegate.risk.scopes import PORTFOLIO
from tidegate.v1 import admin_pb2, journal_pb2, market_data_pb2, orders_pb2

# A command is a message; the function decides it, and changes nothing.
_DECIDERS: dict[type[Message], Callable[[Draft, Any], Any]] = {
    orders_pb2.NewOrder: orders.decide_order,
    orders_pb2.CancelOrderRequest: cancels.cancel_order,
    journal_pb2.OrderClaimed: routing.claim_order,
    journal_pb2.ExecutionBooked: executions.book_execution,
    market_data_pb2.PublishBarsRequest: market_data.publish_bars,
    market_data_pb2.PublishPricesRequest: market_data.publish_prices,
    journal_pb2.BarAcknowledged: market_data.acknowledge_bar,
    journal_pb2.BarCompleted: market_data.complete_bar,
    admin_pb2.HaltRequest: operators.halt,
    admin_pb2.ResetHaltRequest: operators.reset_halt,
    admin_pb2.TransferCapitalRequest: operators.transfer_capital,
    journal_pb2.StrategyPaused: operators.pause_strategy,
    journal_pb2.StrategyResumed: operators.resume_strategy,
}


class Engine:
    """
    Decides commands against its book.

    ``decide`` reads, ``apply`` changes, ``execute`` does both and follows up with what the command caused. Replay calls
    only ``apply``: it folds what was recorded and never decides again.
    """

    def __init__(self, archive: Archive) -> None:
        """Begin with an empty book; the archive answers what was recorded before."""
        self.book = Book()
        self.performance = Performance()
        self._archive = archive
        self._checks = checks.build(self.book.limits)

    def decide(self, command: Message, now_ns: int) -> Draft:
        """Return the events that a command becomes at this time, with its reply or refusal; nothing changes."""
        draft = self._draft(now_ns)
        try:
            draft.reply = _DECIDERS[type(command)](draft, command)
        except RefusedError as refusal:
            draft.refusal = refusal
        return draft

    def apply(self, event: journal_pb2.Event) -> None:
        """Fold one event into the state."""
        kind = event.WhichOneof("body")
        self.book.apply(event, kind)
        self.performance.apply(event, kind, self.book)
        if kind == "portfolio_configured":
            self._checks = checks.build(self.book.limits)

    def execute(self, command: Message, now_ns: int) -> Draft:
        """
        Decide a command, apply its events and those that follow from them, and return it with them all.

        A command on which ``decide`` fails is refused as INTERNAL with an alert, and changes nothing. A failure to
        apply is raised: memory can no longer be trusted.
        """
        try:
            decided = self.decide(command, now_ns)
        except Exception as error:  # noqa: BLE001 -- whatever it is: refused, alerted, and logged by the caller
            decided = self._internal(command, now_ns, error)
        for event in decided.events:
            self.apply(event)
        causes = [event for event in decided.events if consequences.may_follow(event)]
        for event in causes:
            follow_up = self._draft(now_ns)
            consequences.follow(follow_up, event)
            for consequence in follow_up.events:
                self.apply(consequence)
            decided.events += follow_up.events
        return decided

    def _draft(self, now_ns: int) -> Draft:
        return Draft(self.book, self._archive, self._checks, now_ns)

    def _internal(self, command: Message, now_ns: int, error: Exception) -> Draft:
        draft = self._draft(now_ns)
        text = f"{type(command).__name__} failed: {type(error).__name__}"
        alert = journal_pb2.AlertRaised(reason_code=Reason.INTERNAL, scope=PORTFOLIO.to_wire(), text=text)
        draft.record(alert_raised=alert)
        draft.refusal = RefusedError(
            Reason.INTERNAL, f"{type(command).__name__} failed inside the gate; nothing changed"
        )
        draft.refusal.__cause__ = error
        return draft
