"""Who may: whatever a caller sends, it moves and sees nothing that is not its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property import garbage
from tests.property.rig import STRATEGIES
from tests.property.test_hostile_input import seeded
from tidegate.gate import Request
from tidegate.permissions import Caller, Role
from tidegate.reasons import Reason
from tidegate.strategy_book import strategies_of
from tidegate.v1 import common_pb2

OWN = "payer"
OTHERS = [strategy.encode() for strategy in STRATEGIES if strategy != OWN]
TRADER = Caller("bob", frozenset({Role.TRADER}), frozenset({OWN}))
REQUESTS = st.lists(st.one_of(garbage.structured(), garbage.damaged(), garbage.raw()), min_size=1, max_size=12)


@pytest.mark.control("access")
@given(REQUESTS)
def test_a_trader_moves_and_sees_nothing_of_anybody_elses(requests: list[Request]) -> None:
    """No request, of whatever method, changes another strategy's book, halts more than its own, or shows another's."""
    with seeded() as (gate, _):
        book, head = gate.engine.book, gate.journal.head().sequence
        digests = {name: book.strategies[name].ledger.digest() for name in STRATEGIES}
        for one in requests:
            (reply,) = gate.process([one._replace(caller=TRADER)]).replies
            assert not [name for name in OTHERS if name in reply.body], one
        for event in gate.journal.read(head):
            assert set(strategies_of(event)) <= {OWN}, event
            halted = event.trading_halted.scope if event.HasField("trading_halted") else None
            assert halted is None or (common_pb2.SCOPE_KIND_STRATEGY, OWN) == (halted.kind, halted.name)
        assert {OWN} >= {name for name in STRATEGIES if digests[name] != book.strategies[name].ledger.digest()}


@given(REQUESTS, st.sets(st.sampled_from([Role.VIEWER])))
def test_a_viewer_and_a_caller_without_a_role_move_nothing(requests: list[Request], roles: set[Role]) -> None:
    """Nothing they send is recorded; without a role nothing is answered either."""
    with seeded() as (gate, _):
        head = gate.journal.head()
        caller = Caller("bob", frozenset(roles), frozenset({"*"}), frozenset({"*"}))
        replies = gate.process([one._replace(caller=caller) for one in requests]).replies
        assert head == gate.journal.head()
        expected = {Reason.PERMISSION_DENIED, Reason.METHOD_UNKNOWN, Reason.MESSAGE_MALFORMED}
        assert roles or {reply.reason for reply in replies} <= expected
