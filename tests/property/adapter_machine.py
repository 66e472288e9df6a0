"""What adapters, operators and time bring to a life besides orders: replacements, busts, sessions, capital, timers."""

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.property import wire
from tests.property.facts import NS_PER_S, Accepted
from tests.property.machine import NUMBER, GateMachine
from tests.property.naive import HALTED
from tests.property.rig import ADAPTERS, DOOR_REASONS, request
from tidegate.reasons import Reason
from tidegate.risk.sessions import HEARTBEAT_DEFAULT_S
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, journal_pb2, orders_pb2

if TYPE_CHECKING:
    from tidegate.gate import Reply, Request

# Seconds around what falls due: heartbeats, alerts, cancels.
PAUSES = (3, 15, 16, 29, 30, 31, 60, 61)
ADAPTER = st.sampled_from(ADAPTERS)
LEVELS = (common_pb2.HALT_LEVEL_REDUCE_ONLY, HALTED)


class AdapterMachine(GateMachine):
    """A life with everything in it; each rule says beforehand what the gate has to answer and to record."""

    def __init__(self) -> None:
        """Begin with nobody heard of."""
        super().__init__()
        self.replaced: list[tuple[Request, Reply]] = []
        self.moved: list[tuple[Request, Reply]] = []
        # When an adapter was heard of last, and after how many restarts.
        self.heard: dict[str, tuple[int, int]] = {}

    # Orders.

    @rule(draft=wire.replace_drafts())
    def replace(self, draft: wire.ReplaceDraft) -> None:
        """Replace an order: refused for the reason that the model names, or decided; the rig judges the decision."""
        message = draft.request(self.rig.naive, self.next_id())
        expected, asked = self.refusal_of(message), request("ReplaceOrder", message)
        if any(asked == again for again, _ in self.replaced):
            return  # by chance a retry
        (reply,) = self.rig.send(asked)
        assert reply.reason == expected
        assert kinds(self.rig.events) == (
            ["replace_decided"] if not expected else [] if expected in DOOR_REASONS else ["command_refused"]
        )
        if not expected:
            self.replaced.append((asked, reply))

    def refusal_of(self, message: orders_pb2.ReplaceOrderRequest) -> str:
        naive = self.rig.naive
        order = naive.orders.get(naive.named(message.strategy_id, message.orig_client_order_id))
        if order is None:
            return Reason.ORDER_UNKNOWN
        if message.client_order_id in order.names:
            return Reason.CLIENT_ORDER_ID_REUSED
        if order.ended:
            return Reason.ORDER_DONE
        if bool(message.limit_price) is not bool(order.request.limit_price):
            return Reason.PRICE_INVALID
        return impossible(order, message)

    @precondition(lambda self: self.replaced)
    @rule(number=NUMBER)
    def replace_again(self, number: int) -> None:
        """Ask again: the first answer, to the byte; the id stands neither for another replacement nor for an order."""
        again, first = self.replaced[number % len(self.replaced)]
        head = self.rig.gate.journal.head()
        assert self.rig.send(again) == [first]
        assert self.rig.gate.journal.head() == head
        message = orders_pb2.ReplaceOrderRequest.FromString(again.body)
        order = orders_pb2.NewOrder(
            strategy_id=message.strategy_id,
            client_order_id=message.client_order_id,
            symbol="ONE",
            side=common_pb2.SIDE_BUY,
            order_type=common_pb2.ORDER_TYPE_MARKET,
            quantity="1",
        )
        message.quantity = "1" if message.quantity != "1" else "2"
        for reply in self.rig.send(
            request("ReplaceOrder", message), request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))
        ):
            assert reply.reason == Reason.CLIENT_ORDER_ID_REUSED

    @rule(scope=wire.SCOPES)
    def cancel_all(self, scope: common_pb2.Scope) -> None:
        """Ask for the cancel of a scope: of what works in it and is not being canceled, and of nothing else."""
        expected = [
            order_id
            for order_id, order in self.rig.naive.working_orders()
            if not order.cancel_requested and is_covered(scope, order)
        ]
        (reply,) = self.rig.send(request("CancelAllOrders", orders_pb2.CancelAllOrdersRequest(scope=scope)))
        assert orders_pb2.CancelAllOrdersResponse.FromString(reply.body).cancels_requested == len(expected)
        assert due(self.rig.events) == [(order_id, Reason.CANCEL_ALL) for order_id in expected]

    @rule(draft=wire.order_drafts())
    def check(self, draft: wire.OrderDraft) -> None:
        """Ask about an order before it is submitted: the same decision but for its place, and no trace."""
        order = draft.order(self.rig.naive, self.next_id())
        before = self.rig.snapshot()
        checked = self.rig.send(request("CheckOrder", orders_pb2.CheckOrderRequest(order=order)))[0]
        assert not self.rig.events
        assert self.rig.snapshot() == before
        submitted = self.rig.send(request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order)))[0]
        self.submitted.append((order, submitted))
        said = orders_pb2.CheckOrderResponse.FromString(checked.body).decision
        decided = orders_pb2.SubmitOrderResponse.FromString(submitted.body).decision
        decided.ClearField("order_id")
        decided.ClearField("sequence")
        assert said == decided

    # Executions.

    @rule(draft=wire.reversal_drafts())
    def take_back(self, draft: wire.ReversalDraft) -> None:
        """Bust or correct a fill: once, and only one that stands."""
        execution = draft.execution(self.rig.naive, self.next_id())
        stands = execution.reference_execution_id in self.rig.naive.fills
        (reply,) = self.rig.send(wire.report([execution]))
        (sequence,) = orders_pb2.ReportExecutionsResponse.FromString(reply.body).sequences
        if stands:
            assert sequence
            self.executions.append((execution, sequence))
        else:
            assert not sequence
            (alert,) = self.rig.events
            assert alert.alert_raised.reason_code == Reason.EXECUTION_REFERENCE_UNKNOWN

    # Capital.

    @rule(amount=wire.AMOUNTS, take=st.booleans())
    def move_capital(self, amount: str, *, take: bool) -> None:
        """Deposit or withdraw: never more than the reserve has free of the strategies' losses, and never a halt."""
        naive, fields = self.rig.naive, {"transfer_id": self.next_id(), "operator": "ann", "reason": "owners"}
        method = "WithdrawCapital" if take else "DepositCapital"
        message = (admin_pb2.WithdrawCapitalRequest if take else admin_pb2.DepositCapitalRequest)(
            amount=amount, **fields
        )
        is_refused = take and Fraction(amount) > min(naive.reserve, naive.equity())
        halted = dict(naive.halts)
        (reply,) = self.rig.send(request(method, message))
        assert reply.reason == (Reason.CASH_NOT_AVAILABLE if is_refused else "")
        if not is_refused:
            self.moved.append((request(method, message), reply))
            assert naive.halts == halted or naive.equity() <= 0

    @precondition(lambda self: self.moved)
    @rule(number=NUMBER)
    def move_capital_again(self, number: int) -> None:
        """Repeat a movement: answered as before, and nothing moves."""
        again, first = self.moved[number % len(self.moved)]
        assert self.rig.send(again) == [first]
        assert not self.rig.events

    # Sessions and time.

    @rule(adapter=ADAPTER, heartbeat_s=st.sampled_from([0, 1, 5, 60]), level=st.sampled_from([0, 0, *LEVELS]))
    def open_session(self, adapter: str, heartbeat_s: int, level: common_pb2.HaltLevel.ValueType) -> None:
        """Open a session, perhaps in the place of another, which cancels nothing."""
        message = actors_pb2.OpenSessionRequest(
            adapter=adapter, session_id=self.next_id(), heartbeat_s=heartbeat_s, halt_on_loss=level
        )
        self.rig.send(request("OpenSession", message))
        assert kinds(self.rig.events) == ["session_opened"]
        assert self.rig.naive.sessions[adapter] == (message.session_id, heartbeat_s or HEARTBEAT_DEFAULT_S, level)
        self.hear(adapter)

    @rule(adapter=ADAPTER, right=st.sampled_from([True, True, True, False]))
    def heartbeat(self, adapter: str, *, right: bool) -> None:
        """Show that an adapter is alive; with another session's id it is refused, and counts for nothing."""
        session_id, _, _ = self.rig.naive.sessions.get(adapter, ("none", 0, 0))
        is_open = right and adapter in self.rig.naive.sessions
        message = orders_pb2.HeartbeatRequest(adapter=adapter, session_id=session_id if right else "other")
        (reply,) = self.rig.send(request("Heartbeat", message))
        assert reply.reason == ("" if is_open else Reason.SESSION_UNKNOWN)
        if is_open:
            self.hear(adapter)

    @rule(adapter=ADAPTER, right=st.booleans())
    def close_session(self, adapter: str, *, right: bool) -> None:
        """Lose a stream: its session ends and its orders are to be canceled, unless it was replaced already."""
        session_id, _, _ = self.rig.naive.sessions.get(adapter, ("none", 0, 0))
        is_open = right and adapter in self.rig.naive.sessions
        expected = self.lost(adapter, Reason.ADAPTER_DISCONNECTED, set(), {}) if is_open else []
        message = actors_pb2.CloseSessionRequest(adapter=adapter, session_id=session_id if right else "other")
        self.rig.send(request("CloseSession", message))
        assert due(self.rig.events) == expected

    def hear(self, adapter: str) -> None:
        self.heard[adapter] = self.rig.naive.time_ns, len(self.rig.restarts)

    def silence_ns(self, adapter: str) -> int:
        """Say for how long nothing was heard; a restart forgets, and counts from when time first goes on."""
        heard_ns, restarts = self.heard.get(adapter, (0, -1))
        if restarts != len(self.rig.restarts):
            self.hear(adapter)
            return 0
        return self.rig.naive.time_ns - heard_ns

    def lost(self, adapter: str, reason: str, asked: set[str], levels: dict[str, int]) -> list[tuple[str, str]]:
        """
        Say what a lost session records: its end, the cancels that are not asked for already, and its dead-man's halts.

        asked, levels: cancels and halts that are recorded before it; this session's are added to them.
        """
        naive, found = self.rig.naive, [(adapter, reason)]
        working = list(naive.working_orders())

        def cancel(orders: list[tuple[str, Accepted]], why: str) -> None:
            fresh = [o for o, order in orders if not order.cancel_requested and o not in asked]
            asked.update(fresh)
            found.extend((o, why) for o in fresh)

        mine = [(o, order) for o, order in working if order.request.route == adapter]
        cancel(mine, reason)
        level = naive.sessions[adapter][2]
        routes = set(naive.routes.items())
        routes |= {(order.request.strategy_id, adapter) for _, order in mine}
        for name in naive.terms if level else ():
            standing = naive.halts.get((common_pb2.SCOPE_KIND_STRATEGY, name), 0)
            if (name, adapter) in routes and max(standing, levels.get(name, 0)) < level:
                levels[name] = level
                found.append((name, Reason.DEAD_MAN))
                own = [(o, order) for o, order in working if order.request.strategy_id == name and not order.is_exit]
                cancel(own if level == HALTED else [], Reason.DEAD_MAN)
        return found

    @rule()
    def advance_time(self) -> None:
        """Let fall due what is due: exactly the alerts, cancels and lost sessions that the model names."""
        naive = self.rig.naive
        given_up = naive.to_give_up()
        expected = [(order_id, "") for order_id in naive.overdue()]
        expected += [(order_id, Reason.ORDER_OVERDUE) for order_id in given_up]
        asked, levels = set(given_up), dict[str, int]()
        for adapter, (_, heartbeat_s, _) in list(naive.sessions.items()):
            if self.silence_ns(adapter) > 3 * heartbeat_s * NS_PER_S:
                expected += self.lost(adapter, Reason.ADAPTER_SILENT, asked, levels)
        self.rig.send(request("AdvanceTime", actors_pb2.AdvanceTimeRequest()))
        assert sorted(due(self.rig.events)) == sorted(expected)

    @rule(factor=wire.FACTORS, step=st.sampled_from(PAUSES))
    def wait(self, factor: Decimal, step: int) -> None:
        """Let a while pass, with a price at its end."""
        self.publish_prices(["ONE"], factor, step)
        self.advance_time()

    @rule(adapter=ADAPTER, number=NUMBER)
    def watch(self, adapter: str, number: int) -> None:
        """Watch again from some place: all that is to be done and was not told up to there, in its order."""
        naive = self.rig.naive
        after = number % (naive.sequence + 1) if number % 3 else 0
        message = orders_pb2.WatchOrdersRequest(adapter=adapter, after_sequence=after)
        answer = self.rig.ask("WatchOrders", message, orders_pb2.WatchOrdersResponse)
        told = [(word := i.WhichOneof("instruction"), getattr(i, word).order_id) for i in answer.instructions]
        assert told == list(naive.to_do(adapter, after))


def impossible(order: Accepted, message: orders_pb2.ReplaceOrderRequest) -> str:
    """Say why an order cannot become this now; empty when it can."""
    quantity, price = Fraction(message.quantity), Fraction(message.limit_price or 0)
    if order.cancel_requested:
        return Reason.ORDER_PENDING_CANCEL
    if order.replacement is not None:
        return Reason.REPLACE_PENDING
    if quantity <= order.filled:
        return Reason.REPLACE_BELOW_FILLED
    is_same = (quantity, price) == (order.quantity, Fraction(order.request.limit_price or 0))
    return Reason.REPLACE_CHANGES_NOTHING if is_same else ""


def is_covered(scope: common_pb2.Scope, order: Accepted) -> bool:
    """Tell whether an order belongs to a scope."""
    if scope.kind == common_pb2.SCOPE_KIND_STRATEGY:
        return order.request.strategy_id == scope.name
    return scope.kind != common_pb2.SCOPE_KIND_INSTRUMENT or order.request.symbol == scope.name


def kinds(events: list[journal_pb2.Event]) -> list[str]:
    """Name what was recorded."""
    return [event.WhichOneof("body") or "" for event in events]


def due(events: list[journal_pb2.Event]) -> list[tuple[str, str]]:
    """Name what fell due: whom or what it is about, and why."""
    found = []
    for event in events:
        body = getattr(event, event.WhichOneof("body") or "")
        about = body.adapter if event.HasField("session_closed") else ""
        about = body.scope.name if event.HasField("trading_halted") else about or body.order_id
        found.append((about, "" if event.HasField("order_overdue") else body.reason_code))
    return found
