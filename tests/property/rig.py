"""A real gate on a real journal, held against the naive model after every batch."""

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from tests.callers import caller_of
from tests.property import oracle, statements
from tests.property.facts import NS_PER_S
from tests.property.naive import HALTED, Naive
from tests.property.waiting import Seen
from tidegate.clocks import bar_clock
from tidegate.gate import Gate, Reply, Request
from tidegate.instruments import BY_VARIATION
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.sqlite import SqliteJournal
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.state.recovery import take_snapshot
from tidegate.strategy_book import SUSPENSE
from tidegate.v1 import actors_pb2, common_pb2, journal_pb2, orders_pb2, portfolio_pb2, risk_pb2
from tidegate.views import conservation, fees_of, realised_pnl

# ONE is plain, LOT has a wide lot and tick, FUT is a future, COIN has fractions of a unit; FX is euros in dollars,
# FOR is priced in euros, and PUT is an option on ONE that expires when a life is old.
SYMBOLS = ("ONE", "LOT", "FUT", "COIN", "FX", "FOR", "PUT")
STRATEGIES = ("saver", "payer", "lever", "short")
_IN_MEMORY = "/dev/shm"  # noqa: S108 -- only where a random name is made
ADAPTERS = ("paper", "spare")

CONFIGURATION = PortfolioFile.model_validate(
    {
        "name": "property",
        "currency": "USD",
        "currencies": {"EUR": "FX"},
        "capital": "1000000",
        "clock": "bars",
        "limits": {
            "max_leverage": "0.8",
            "warn_leverage": "0.6",
            "max_concentration": "0.4",
            "warn_concentration": "0.3",
            "max_order_notional": "450000",
            "max_order_quantity": "6000",
            "max_price_age_s": 100,
        },
        "price_bands": [
            {"confirmations": 1},
            {"symbol": "COIN", "band": "0.02", "confirmations": 3},
            {"feed": "rough", "band": "0.2"},
            {"interval": "1h", "band": "0.15", "confirmations": 1},
        ],
        "instruments": [
            {"symbol": "ONE"},
            {"symbol": "LOT", "lot": "10", "tick": "0.05"},
            {"symbol": "FUT", "multiplier": "50", "tick": "0.25", "asset_class": "future"},
            {"symbol": "COIN", "lot": "0.001", "tick": "0.001", "multiplier": "0.1", "asset_class": "crypto"},
            {"symbol": "FX", "tick": "0.0001", "asset_class": "fx", "buys": "EUR"},
            {"symbol": "FOR", "multiplier": "3", "currency": "EUR"},
            {
                "symbol": "PUT",
                "asset_class": "option",
                "multiplier": "100",
                "option": {
                    "underlying": "ONE",
                    "strike": "100",
                    "expiry": datetime.fromtimestamp(1_000_000_150, UTC),
                    "right": "put",
                    "volatility": "10",
                },
            },
        ],
        "strategies": [
            {"id": "saver", "kind": "cash", "class": "a:B", "route": "paper", "allocation": "0.3"},
            {"id": "payer", "kind": "cash", "class": "a:B", "route": "paper", "allocation": "0.1"},
            {
                "id": "lever",
                "kind": "margin",
                "class": "a:B",
                "route": "paper",
                "allocation": "0.33333333",
                "max_leverage": "2.5",
            },
            {"id": "short", "kind": "external", "allocation": "0.1"},
        ],
        "adapters": [
            {
                "name": "paper",
                "synchronised": True,
                "account": {"id": "main", "cash": {"USD": "900000", "EUR": "70.5"}},
            },
            {"name": "spare"},
        ],
    }
).to_wire()

HELD_ALERT_PERIOD_NS = 60 * NS_PER_S
# The same portfolio with everything that its file may ask of halts.
STRICT = journal_pb2.PortfolioConfigured.FromString(CONFIGURATION.SerializeToString())
STRICT.halts.MergeFrom(journal_pb2.HaltRules(flatten=True, confirm_within_s=3_600, error_count=20, error_within_s=60))

# A request that is refused for one of these was refused at the door: the journal must not know of it.
DOOR_REASONS = frozenset(
    {
        Reason.BAR_EMPTY,
        Reason.MESSAGE_MALFORMED,
        Reason.METHOD_UNKNOWN,
        Reason.OPERATOR_NOT_CALLER,
        Reason.IDENTIFIER_INVALID,
        Reason.SIDE_INVALID,
        Reason.ORDER_TYPE_INVALID,
        Reason.TIME_IN_FORCE_INVALID,
        Reason.QUANTITY_INVALID,
        Reason.PRICE_INVALID,
        Reason.AMOUNT_INVALID,
        Reason.TIME_INVALID,
        Reason.TEXT_INVALID,
        Reason.EXECUTION_TYPE_INVALID,
        Reason.SCOPE_INVALID,
        Reason.HALT_LEVEL_INVALID,
        Reason.LIMIT_INVALID,
        Reason.INSTRUMENT_INVALID,
        Reason.STRATEGY_TERMS_INVALID,
        Reason.WEIGHTS_INVALID,
        Reason.BATCH_TOO_LARGE,
        Reason.SYMBOL_REPEATED,
        Reason.PAGE_TOKEN_INVALID,
        Reason.STRATEGY_UNKNOWN,
        Reason.INSTRUMENT_UNKNOWN,
        Reason.ADAPTER_UNKNOWN,
        Reason.HIGH_WATER_MARK_UNDECIDED,
        Reason.TRANSFER_TO_ITSELF,
        Reason.BAR_UNKNOWN,
        Reason.SESSION_UNKNOWN,
        Reason.HEARTBEAT_INVALID,
        Reason.ALERT_UNKNOWN,
        Reason.RESET_REQUEST_UNKNOWN,
        Reason.ACCOUNT_UNKNOWN,
        Reason.STATEMENT_INVALID,
        Reason.REPORTS_UNAVAILABLE,
    }
)

# Refusals of what was understood; the journal keeps them.
RECORDED_REASONS = frozenset(
    {
        Reason.CLIENT_ORDER_ID_REUSED,
        Reason.TRANSFER_ID_REUSED,
        Reason.ORDER_UNKNOWN,
        Reason.ORDER_DONE,
        Reason.CASH_NOT_AVAILABLE,
        Reason.TRANSFER_BREAKS_LIMIT,
        Reason.STRATEGY_ID_TAKEN,
        Reason.STRATEGY_REMOVED,
        Reason.STRATEGY_NOT_FLAT,
        Reason.REBALANCE_NOT_FUNDED,
        Reason.BAR_OUT_OF_ORDER,
        Reason.PRICE_OUT_OF_ORDER,
        Reason.RESET_WOULD_HALT_AGAIN,
        Reason.RESET_NOT_BY_ANOTHER,
        Reason.ORDER_PENDING_CANCEL,
        Reason.REPLACE_PENDING,
        Reason.REPLACE_BELOW_FILLED,
        Reason.REPLACE_CHANGES_NOTHING,
        Reason.FILL_NOT_IN_SUSPENSE,
        Reason.SUSPENSE_ASSIGNED_ELSEWHERE,
        Reason.STATEMENT_OUT_OF_ORDER,
        Reason.INSTRUMENT_IN_USE,
    }
)

# Alerts about executions that are not booked; and about statements, which whoever makes the statement expects.
NOT_BOOKED = frozenset({Reason.EXECUTION_ID_REUSED, Reason.EXECUTION_REFERENCE_UNKNOWN})
OF_STATEMENTS = frozenset({Reason.RECONCILIATION_BREAK, Reason.RECONCILIATION_IN_FLIGHT, Reason.RECONCILED})
# Alerts about rebalances; what they are about is compared itself.
REBALANCING = frozenset({Reason.REBALANCE_PENDING, Reason.REBALANCE_BLOCKED})


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for journals, in memory where there is such a place: the disk is not what is tested here."""
    return tempfile.TemporaryDirectory(dir=_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None)


def request(method: str, message: Message) -> Request:
    """Turn a message into what the gate takes."""
    return Request(method, message.SerializeToString(), caller_of(method))


def open_gate(path: Path, configuration: journal_pb2.PortfolioConfigured = CONFIGURATION) -> Gate:
    """Open a gate on a journal file, new or not."""
    gate = Gate(SqliteJournal(path), bar_clock)
    gate.start(configuration)
    return gate


def close_gate(gate: Gate) -> None:
    """Let go of a gate's journal."""
    gate.journal.close()


def event_bytes(gate: Gate) -> list[bytes]:
    """Read the whole journal, as bytes."""
    return [event.SerializeToString() for event in gate.journal.read(0)]


class Rig:
    """
    One gate, one naive model, and every command that was sent.

    ``send`` holds the gate against the model after each batch; a difference is an assertion.
    """

    def __init__(self, folder: Path) -> None:
        """Begin an empty journal."""
        self.path = folder / "journal.db"
        self.gate = open_gate(self.path)
        self.naive = Naive(CONFIGURATION)
        self.commands: list[Request] = []
        self.replies: list[Reply] = []
        self.restarts: list[int] = []
        self.snapshot_sequence = 0
        self.events: list[journal_pb2.Event] = []

    def send(self, *requests: Request) -> list[Reply]:
        """Process one batch, fold what it recorded, and compare."""
        before = self.gate.engine.book.sequence
        batch = self.gate.process(requests)
        assert not batch.failures, batch.failures
        events = [event for event in self.gate.recent if event.sequence > before]
        assert [event.sequence for event in events] == list(range(before + 1, before + 1 + len(events)))
        assert self.gate.journal.head().sequence == before + len(events)
        methods = {request.method for request in requests}
        alerts: list[str] = []
        held: list[str] = []
        for event in events:
            waiting = set(self.naive.waiting)
            assert not event.HasField("halt_reset") or "ResetHalt" in methods, "a halt ended by itself"
            judge(self.naive, event)
            if event.HasField("execution_booked"):
                alerts += oracle.odd(self.naive, event.execution_booked)
            self.naive.fold(event)
            begun = [symbol for symbol in self.naive.waiting if symbol not in waiting]
            told_of, now_ns = self.naive.told_of, self.naive.time_ns
            held += [symbol for symbol in begun if now_ns - told_of.get(symbol, 0) >= HELD_ALERT_PERIOD_NS]
        assert [event.price_held.symbol for event in events if event.HasField("price_held")] == held
        raised = [event.alert_raised.reason_code for event in events if event.HasField("alert_raised")]
        assert [reason for reason in raised if reason not in NOT_BOOKED | OF_STATEMENTS | REBALANCING] == alerts
        for reply in batch.replies:
            assert not reply.reason or reply.reason in DOOR_REASONS | RECORDED_REASONS, reply
        if all(reply.reason in DOOR_REASONS for reply in batch.replies):
            assert not events, "refused at the door, and yet in the journal"
        self.events = events
        self.commands += requests
        self.replies += batch.replies
        self.compare()
        return batch.replies

    def ask(self, method: str, message: Message, response: Any) -> Any:
        """Read: answered, and nothing recorded."""
        (reply,) = self.gate.process([request(method, message)]).replies
        assert not reply.reason, reply
        return response.FromString(reply.body)

    def restart(self) -> None:
        """
        Close the gate and open another one on its journal: it has to say the same, to the byte.

        Every other time a snapshot is taken first; it goes on from the newest one.
        """
        before, head = self.snapshot(), self.gate.journal.head()
        self.restarts.append(len(self.commands))
        close_gate(self.gate)
        if len(self.restarts) % 2:
            taken = take_snapshot(RecordedJournal(SqliteReader(self.path)))
            self.snapshot_sequence = self.snapshot_sequence if taken is None else taken.sequence
        self.gate = open_gate(self.path)
        recovery = self.gate.recovery
        assert (recovery.head.sequence, recovery.refused) == (self.snapshot_sequence, ())
        journal = self.gate.journal
        assert isinstance(journal, SqliteJournal)
        assert journal.verify() == head
        assert self.snapshot() == before
        self.compare()

    def snapshot(self) -> list[bytes]:
        """Collect what the gate says about its state."""
        requests = [
            request("GetPortfolio", portfolio_pb2.GetPortfolioRequest()),
            request("ListStrategies", portfolio_pb2.ListStrategiesRequest()),
            request("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest()),
            request("GetHaltState", risk_pb2.GetHaltStateRequest()),
            request("ListOrders", orders_pb2.ListOrdersRequest(page_size=1_000)),
            request("ListAlerts", risk_pb2.ListAlertsRequest(page_size=1_000)),
            request("ListSuspense", portfolio_pb2.ListSuspenseRequest()),
            request("ListAccounts", portfolio_pb2.ListAccountsRequest()),
            request("NextBar", actors_pb2.NextBarRequest()),
        ]
        requests += [request("GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id=s)) for s in self.naive.terms]
        for order_id, order in self.naive.orders.items():
            requests.append(request("GetOrder", orders_pb2.GetOrderRequest(order_id=order_id)))
            mine = order.request.strategy_id
            by_name = (orders_pb2.GetOrderRequest(strategy_id=mine, client_order_id=name) for name in order.names)
            requests += [request("GetOrder", message) for message in by_name]
        requests += [request("WatchOrders", orders_pb2.WatchOrdersRequest(adapter=a)) for a in ADAPTERS]
        replies = self.gate.process(requests).replies
        assert not any(reply.reason for reply in replies), replies
        digests = [strategy.ledger.digest() for strategy in self.gate.engine.book.strategies.values()]
        return [reply.body for reply in replies] + digests

    def compare(self) -> None:
        """Hold every running sum against the naive model's fresh one."""
        book, naive = self.gate.engine.book, self.naive
        assert conservation(book).difference == "0", conservation(book)
        assert Fraction(book.equity) == naive.equity()
        assert Fraction(book.high_water_mark) == naive.peak
        assert Fraction(book.totals.gross_exposure) == naive.gross()
        assert Fraction(book.reserve) == naive.reserve
        assert set(book.totals.worst_quantities) <= set(naive.marks)
        assert {symbol: Fraction(mark) for symbol, mark in book.marks.items()} == naive.marks
        assert book.mark_times_ns == naive.mark_times_ns
        prices = book.held_prices.items()
        waiting = {s: [Seen(p.time_ns // NS_PER_S, Fraction(p.price)) for p in held] for s, held in prices}
        assert waiting == naive.waiting
        for symbol in naive.marks:
            assert Fraction(book.instrument_exposure(symbol)) == naive.instrument_exposure(symbol)
        assert Fraction(book.deposits) == naive.deposits
        assert all(book.totals.exposure_bound >= book.instrument_exposure(symbol) for symbol in naive.marks)
        working = {order_id: (order.leaves, order.may_fill) for order_id, order in naive.working_orders()}
        left = ((o, Fraction(order.leaves_quantity), order.reservation) for o, order in book.orders.items())
        assert {order_id: (leaves, Fraction(reserved.quantity)) for order_id, leaves, reserved in left} == working
        owed = {o: order for o, order in naive.orders.items() if order.awaits}
        assert set(book.awaiting) == {o for o, order in owed.items() if order.request.route}
        own = {o for o, order in owed.items() if not order.request.route}
        assert set(book.unreported) == {o for o in own if not owed[o].overdue}
        assert book.sessions == naive.sessions
        for owner in naive.owners:
            self._compare_ledger(owner)
        self._compare_account()
        for place in book.flattenings:
            held, is_short = naive.held.get(place, Fraction(0)), naive.held.get(place, Fraction(0)) < 0
            sent, back = (naive.working(*place, buys=is_buy) for is_buy in (is_short, not is_short))
            assert held or sent or back, "closed, and not done with"
            assert not held or abs(held) - sent < Fraction(naive.instruments[place[1]].lot), "forgotten on the way out"
        levels = {(scope.kind, scope.name): halt.level for scope, halt in book.halts.items()}
        assert levels == naive.halts
        assert set(book.pauses) == naive.paused
        assert {(code, (scope.kind, scope.name)) for code, scope in book.breaches} == set(naive.breaches())
        self._compare_roster()
        if naive.drawdown() == common_pb2.ACTION_HALT:
            assert naive.halts.get((common_pb2.SCOPE_KIND_PORTFOLIO, "")) == HALTED

    def _compare_account(self) -> None:
        """All that is held went through the one account, so all owners together have what it has."""
        book, naive = self.gate.engine.book, self.naive
        stated, cash = statements.account_of(naive), book.accounts["main"].cash()
        held = {symbol: Fraction(quantity) for symbol, quantity in book.accounts["main"].positions().items()}
        assert held == {symbol: quantity for symbol, quantity in stated.items() if quantity}
        books = book.accounts["main"]._books.ledger
        for currency, amount in cash.items():
            at_cost = [p for p in books.positions.values() if p.settlement == BY_VARIATION]
            own = [p for p in at_cost if (book.currency if p.account is None else p.account.currency) == currency]
            given = {"USD": Fraction(900_000), "EUR": Fraction("70.5")}[currency]
            paid = sum((naive.cash_in(owner, currency) for owner in naive.owners), Fraction(0))
            capital = sum(naive.capital.values(), Fraction(0)) if currency == "USD" else 0
            assert Fraction(amount) - sum((Fraction(p.cost) for p in own), Fraction(0)) == given + paid - capital
        in_suspense = {name for name, fill in naive.fills.items() if fill.owner == SUSPENSE}
        assert {execution_id for _, execution_id in book.unassigned.fills} == in_suspense

    def _compare_roster(self) -> None:
        book, naive = self.gate.engine.book, self.naive
        assert (set(book.roster.removed), set(book.roster.leaving)) == (naive.removed, naive.leaving)
        assert not any(naive.is_flat(name) for name in naive.leaving), "flat, and still there"
        pending = {name: amount for name, amount in naive.pending.items() if amount}
        standing = {} if book.rebalance is None else book.rebalance.pending
        assert {name: Fraction(amount) for name, amount in standing.items()} == pending
        for name, amount in pending.items():
            assert amount > 0 or not naive.free_cents(name), "free, and it has not moved"

    def _compare_ledger(self, owner: str) -> None:
        ledger, naive = self.gate.engine.book.strategies[owner].ledger, self.naive
        # A future's cost was never paid: what the ledger has as cash and as value, the model has the other way round.
        at_cost = [(p, Fraction(p.cost)) for p in ledger.positions.values() if p.settlement == BY_VARIATION]
        unpaid = sum((cost for position, cost in at_cost if position.account is None), Fraction(0))
        assert Fraction(ledger.cash) - unpaid == naive.cash[owner]
        assert Fraction(ledger.fees) == naive.fees.get((owner, "USD"), 0)
        assert set(ledger.foreign) <= {"EUR"}
        for currency, account in ledger.foreign.items():
            unpaid = sum((cost for position, cost in at_cost if position.account is account), Fraction(0))
            assert Fraction(account.cash) - unpaid == naive.cash_in(owner, currency)
            assert Fraction(account.fees) == naive.fees.get((owner, currency), 0)
            assert Fraction(account.reserved_cash) == naive.reserved_cash(owner, currency)
            assert Fraction(account.rate) == naive.rate(currency)
        assert Fraction(ledger.equity) == naive.equity_of(owner)
        assert Fraction(ledger.capital) == naive.capital[owner]
        unpaid = sum((cost * Fraction(position.rate) for position, cost in at_cost), Fraction(0))
        assert Fraction(ledger.market_value) + unpaid == naive.value(owner)
        assert Fraction(ledger.gross_exposure) == naive.gross_of(owner)
        assert Fraction(ledger.reserved_cash) == naive.reserved_cash(owner)
        assert Fraction(ledger.reserved_loss) == naive.reserved_loss(owner)
        earned = realised_pnl(ledger) + ledger.unrealised_pnl + ledger.exchange_pnl
        assert ledger.equity == ledger.capital + earned - fees_of(ledger)
        held = {symbol: quantity for (who, symbol), quantity in naive.held.items() if who == owner and quantity}
        assert {s: Fraction(p.quantity) for s, p in ledger.positions.items() if p.quantity} == held
        for symbol, position in ledger.positions.items():
            assert Fraction(position.mark) == naive.marks[symbol]
            assert Fraction(position.working_buys) == naive.working(owner, symbol, buys=True)
            assert Fraction(position.working_sells) == naive.working(owner, symbol, buys=False)


def judge(naive: Naive, event: journal_pb2.Event) -> None:
    """Hold a decision against what the naive model finds, before the event is folded."""
    if event.HasField("order_claimed"):
        order = naive.orders[event.order_claimed.order_id]
        assert not order.cancel_requested, "claimed, while being canceled"
        assert not naive.is_held_back(order), "claimed in a halt"
    if event.HasField("order_decided"):
        decided = event.order_decided
        _judge_decision(naive, event, decided, decided.order)
    elif event.HasField("replace_decided"):
        _judge_decision(naive, event, event.replace_decided, as_replaced(naive, event.replace_decided))


def as_replaced(naive: Naive, decided: journal_pb2.ReplaceDecided) -> orders_pb2.NewOrder:
    """Write the order that a replacement asks for."""
    order = orders_pb2.NewOrder.FromString(naive.orders[decided.order_id].request.SerializeToString())
    order.client_order_id, order.quantity = decided.replace.client_order_id, decided.replace.quantity
    order.limit_price = decided.replace.limit_price
    order.ClearField("emergency")
    return order


def _judge_decision(
    naive: Naive,
    event: journal_pb2.Event,
    decided: journal_pb2.OrderDecided | journal_pb2.ReplaceDecided,
    asked: orders_pb2.NewOrder,
) -> None:
    decision, now_ns = decided.decision, event.time.seconds * NS_PER_S + event.time.nanos
    replaced = decided.order_id if isinstance(decided, journal_pb2.ReplaceDecided) else ""
    expected = oracle.findings(naive, asked, now_ns, replaced)
    found = {(violation.reason_code, violation.action) for violation in decision.violations}
    assert found == expected, decision
    worst = max((action for _, action in expected), default=common_pb2.ACTION_ALLOW)
    assert decision.action == worst
    accepted = worst < common_pb2.ACTION_REJECT
    assert decision.order_id == ((replaced or str(event.sequence)) if accepted else "")
    assert decision.sequence == event.sequence
    assert Fraction(decision.approved_quantity) == (Fraction(asked.quantity) if accepted else 0)
    assert decision.HasField("route_by") is (accepted and not asked.route)
    if accepted:
        assert Fraction(decided.valuation_price) == oracle.unit_cost(naive, asked)
        assert Fraction(decided.unit_loss or 0) == oracle.unit_loss(naive, asked)


def replay_fresh(
    path: Path,
    commands: Sequence[Request],
    size: int,
    restarts: Sequence[int] = (),
    configuration: journal_pb2.PortfolioConfigured = CONFIGURATION,
) -> tuple[list[bytes], list[Reply]]:
    """Send the same commands to a gate on a journal of its own, in batches of another size, with the same restarts."""
    gate = open_gate(path, configuration)
    replies: list[Reply] = []
    for begin, end in pairwise((0, *restarts, len(commands))):
        if begin in restarts:
            close_gate(gate)
            gate = open_gate(path, configuration)
        for start in range(begin, end, size):
            replies += gate.process(commands[start : min(start + size, end)]).replies
    found = event_bytes(gate)
    close_gate(gate)
    return found, replies
