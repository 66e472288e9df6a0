"""Who may: the table is complete, and every role may what it is there for and nothing else."""

import copy
import pickle
from typing import Any

import pytest
from google.protobuf.message import Message

from gateway.methods import methods
from tests.unit.builders import BUY, PORTFOLIO, Desk, instrument_scope, strategy_scope
from tidegate.errors import RefusedError
from tidegate.gate import Reply, Request
from tidegate.history import HISTORY
from tidegate.methods import METHODS
from tidegate.permissions import ALL, GATEWAY, INTERNAL, LOCAL, RULES, Caller, Role, admit, may_call
from tidegate.reasons import Reason
from tidegate.v1 import (
    actors_pb2,
    admin_pb2,
    common_pb2,
    market_data_pb2,
    orders_pb2,
    portfolio_pb2,
    reconciliation_pb2,
    risk_pb2,
)

NOT_ON_THE_WIRE = {
    "NextBar",
    "CompleteBar",
    "RecordRiskReport",
    "ReadHistory",
    "ReadTopic",
    "OpenSession",
    "CloseSession",
    "AdvanceTime",
}

OWN = orders_pb2.NewOrder(strategy_id="mine")
OTHERS = orders_pb2.NewOrder(strategy_id="theirs")


def caller(*roles: Role, strategies: tuple[str, ...] = (), adapters: tuple[str, ...] = ()) -> Caller:
    """Name a caller with some roles."""
    return Caller("bob", frozenset(roles), frozenset(strategies), frozenset(adapters))


TRADER = caller(Role.TRADER, strategies=("mine",), adapters=("paper",))
EVERYTHING = caller(Role.TRADER, strategies=(ALL,), adapters=(ALL,))


def refusal(who: Caller, method: str, request: Message) -> str:
    """Return the reason why a caller is refused; empty when it is not."""
    try:
        admit(who, method, request)
    except RefusedError as error:
        return error.reason
    return ""


def test_every_method_has_its_rule_and_no_rule_is_without_a_method() -> None:
    """Pins that no method is forgotten: neither of the wire, nor of the gate, nor of the actors."""
    assert {method.name for method in methods()} | NOT_ON_THE_WIRE == set(RULES)
    assert set(METHODS) | set(HISTORY) == set(RULES)


def test_every_request_with_an_operator_is_signed() -> None:
    """Pins that no method lets its caller write another name into the journal."""
    named = {name for name, method in METHODS.items() if "operator" in method.request_type.DESCRIPTOR.fields_by_name}
    assert named == {name for name, rule in RULES.items() if rule.is_signed}


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_field_that_names_a_strategy_or_an_adapter_is_looked_at(method: str) -> None:
    """Pins that a trader's request is refused when such a field, wherever it stands, names somebody else's."""
    rule = RULES[method]
    if rule.strategies is None and rule.adapters is None:
        assert not may_call(TRADER, method)
        return
    checked = 0
    for path, request in foreign_requests(METHODS[method].request_type):
        assert Reason.PERMISSION_DENIED == refusal(TRADER, method, request), path
        checked += 1
    assert checked or method in {"ListStrategies", "ListInstruments"}


def foreign_requests(kind: type[Any]) -> list[tuple[str, Message]]:
    """Write one request for each field that can name a strategy or an adapter, with another one's name in it."""
    found: list[tuple[str, Message]] = []

    def walk(descriptor: Any, path: tuple[str, ...]) -> None:
        for field in descriptor.fields:
            if field.name in ("strategy_id", "adapter", "from_strategy_id", "to_strategy_id"):
                request = kind()
                setattr(reach(request, path), field.name, "theirs")
                found.append((".".join((*path, field.name)), request))
            elif field.message_type is not None and field.message_type.full_name.startswith("tidegate."):
                walk(field.message_type, (*path, field.name))

    def reach(message: Any, path: tuple[str, ...]) -> Any:
        for name in path:
            inner = getattr(message, name)
            message = inner.add() if hasattr(inner, "add") else inner
            message.SetInParent()
        return message

    walk(kind.DESCRIPTOR, ())
    if "scope" in kind.DESCRIPTOR.fields_by_name:
        found.append(("scope", kind(scope=strategy_scope("theirs"))))
    return found


VIEWERS = {Role.VIEWER, Role.RISK, Role.ADMIN}
OFFICERS = {Role.RISK, Role.ADMIN}
WHOLE: dict[str, set[Role]] = {
    "SubmitOrder": set(),
    "SubmitOrders": set(),
    "CheckOrder": set(),
    "ReplaceOrder": set(),
    "CancelOrder": OFFICERS,
    "CancelAllOrders": OFFICERS,
    "Heartbeat": set(),
    "ReportExecutions": set(),
    "ClaimOrders": set(),
    "WatchOrders": set(),
    "GetOrder": VIEWERS,
    "ListOrders": VIEWERS,
    "PublishBars": {Role.MARKET_DATA},
    "PublishPrices": {Role.MARKET_DATA},
    "WatchBars": VIEWERS | {Role.MARKET_DATA},
    "AwaitBar": VIEWERS,
    "GetRiskMetrics": VIEWERS,
    "GetHaltState": VIEWERS,
    "GetLimits": VIEWERS,
    "GetCorrelations": VIEWERS,
    "ListRiskReports": VIEWERS,
    "WatchRiskMetrics": VIEWERS,
    "ListAlerts": VIEWERS,
    "WatchAlerts": VIEWERS,
    "AcknowledgeAlert": OFFICERS,
    "GetPerformance": VIEWERS,
    "DepositCapital": {Role.ADMIN},
    "WithdrawCapital": {Role.ADMIN},
    "AddStrategy": {Role.ADMIN},
    "RemoveStrategy": OFFICERS,
    "LiquidateStrategy": OFFICERS,
    "Rebalance": OFFICERS,
    "ReadJournal": VIEWERS,
    "GetPortfolio": VIEWERS,
    "ListStrategies": VIEWERS,
    "GetStrategy": VIEWERS,
    "Halt": OFFICERS,
    "ResetHalt": OFFICERS,
    "ReleaseThrottle": OFFICERS,
    "ReconcilePositions": OFFICERS,
    "AssignSuspense": OFFICERS,
    "ListSuspense": VIEWERS,
    "ListAccounts": VIEWERS,
    "ConfirmReset": OFFICERS,
    "Flatten": OFFICERS,
    "TransferCapital": OFFICERS,
    "UpdateLimits": OFFICERS,
    "UpsertInstruments": {Role.ADMIN},
    "ListInstruments": VIEWERS,
    "PauseStrategy": OFFICERS,
    "ResumeStrategy": OFFICERS,
    "NextBar": set(),
    "CompleteBar": set(),
    "RecordRiskReport": set(),
    "ReadHistory": set(),
    "ReadTopic": set(),
    "OpenSession": set(),
    "CloseSession": set(),
    "AdvanceTime": set(),
}


@pytest.mark.control("access", "exclusive-control")
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TRADER])
@pytest.mark.parametrize("method", sorted(RULES))
def test_a_role_may_what_it_is_there_for_and_nothing_else(method: str, role: Role) -> None:
    """Pins the whole table once more, written by another hand than the code's."""
    kind = (METHODS.get(method) or HISTORY[method]).request_type
    assert (role in WHOLE[method]) is (refusal(caller(role), method, kind()) == "")


@pytest.mark.parametrize("method", sorted(RULES))
def test_a_caller_without_a_role_may_nothing(method: str) -> None:
    """Pins that names of strategies and adapters alone are no role."""
    kind = (METHODS.get(method) or HISTORY[method]).request_type
    nobody = caller(strategies=(ALL, "mine", ""), adapters=(ALL, "paper", ""))
    assert Reason.PERMISSION_DENIED == refusal(nobody, method, kind())


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SubmitOrder", orders_pb2.SubmitOrderRequest(order=OWN)),
        ("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=[OWN, OWN])),
        ("CancelOrder", orders_pb2.CancelOrderRequest(strategy_id="mine")),
        ("GetOrder", orders_pb2.GetOrderRequest(strategy_id="mine")),
        ("GetOrder", orders_pb2.GetOrderRequest(order_id="1")),
        ("ListOrders", orders_pb2.ListOrdersRequest(strategy_id="mine")),
        ("ListOrders", orders_pb2.ListOrdersRequest()),
        ("ReportExecutions", orders_pb2.ReportExecutionsRequest(adapter="paper")),
        ("ClaimOrders", orders_pb2.ClaimOrdersRequest(adapter="paper")),
        ("WatchOrders", orders_pb2.WatchOrdersRequest(adapter="paper")),
        ("WatchBars", market_data_pb2.WatchBarsRequest(adapter="paper")),
        ("WatchBars", market_data_pb2.WatchBarsRequest()),
        ("ListStrategies", portfolio_pb2.ListStrategiesRequest()),
        ("ListInstruments", portfolio_pb2.ListInstrumentsRequest()),
        ("GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id="mine")),
        ("Halt", admin_pb2.HaltRequest(scope=strategy_scope("mine"))),
    ],
)
def test_a_trader_may_act_for_its_own(method: str, request_: Message) -> None:
    """Pins what a trader needs; without strategies and adapters the same is refused, where it names one."""
    assert "" == refusal(TRADER, method, copy.copy(request_)) == refusal(EVERYTHING, method, copy.copy(request_))
    names_one = b"mine" in request_.SerializeToString() or b"paper" in request_.SerializeToString()
    bare = refusal(caller(Role.TRADER), method, request_)
    assert (Reason.PERMISSION_DENIED if names_one else "") == bare


@pytest.mark.control("access")
@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SubmitOrder", orders_pb2.SubmitOrderRequest()),
        ("SubmitOrder", orders_pb2.SubmitOrderRequest(order=OTHERS)),
        ("SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=[OWN, OTHERS, OWN])),
        ("ReportExecutions", orders_pb2.ReportExecutionsRequest()),
        ("WatchBars", market_data_pb2.WatchBarsRequest(adapter="other")),
        ("Halt", admin_pb2.HaltRequest(scope=strategy_scope("theirs"))),
        ("ResetHalt", admin_pb2.ResetHaltRequest(scope=strategy_scope("mine"))),
        ("UpsertInstruments", admin_pb2.UpsertInstrumentsRequest()),
        ("PauseStrategy", admin_pb2.PauseStrategyRequest(strategy_id="mine")),
        ("GetPortfolio", portfolio_pb2.GetPortfolioRequest()),
        ("GetRiskMetrics", risk_pb2.GetRiskMetricsRequest()),
        ("PublishPrices", market_data_pb2.PublishPricesRequest()),
    ],
)
def test_a_trader_may_not_act_for_others(method: str, request_: Message) -> None:
    """Pins that one foreign order refuses its whole batch, and that nameless is not own."""
    assert Reason.PERMISSION_DENIED == refusal(TRADER, method, request_)


@pytest.mark.parametrize("scope", [PORTFOLIO, instrument_scope("mine"), admin_pb2.HaltRequest().scope])
@pytest.mark.parametrize("who", [TRADER, EVERYTHING])
def test_no_trader_halts_more_than_a_strategy(who: Caller, scope: Any) -> None:
    """Pins that all strategies are not the portfolio, and that a symbol is no strategy's name."""
    assert Reason.PERMISSION_DENIED == refusal(who, "Halt", admin_pb2.HaltRequest(scope=scope))


def test_a_second_role_adds_to_the_first() -> None:
    """Pins that a trader who views as well is not held to its own."""
    both = caller(Role.TRADER, Role.VIEWER, strategies=("mine",))
    assert "" == refusal(both, "GetStrategy", portfolio_pb2.GetStrategyRequest(strategy_id="theirs"))
    assert Reason.PERMISSION_DENIED == refusal(both, "SubmitOrder", orders_pb2.SubmitOrderRequest(order=OTHERS))


def test_a_method_that_the_table_does_not_know_is_refused_to_everybody() -> None:
    """Pins that forgetting fails closed."""
    for who in (LOCAL, INTERNAL, caller(*Role, strategies=(ALL,), adapters=(ALL,))):
        assert Reason.PERMISSION_DENIED == refusal(who, "DropTables", orders_pb2.GetOrderRequest())


@pytest.mark.parametrize("method", sorted(NOT_ON_THE_WIRE))
def test_what_the_actors_ask_each_other_is_for_them_alone(method: str) -> None:
    """Pins that neither this machine nor every role together, nor one who borrows the name, is one of them."""
    forged, of_gateways = Caller(*INTERNAL), {"OpenSession", "CloseSession", "ReadTopic"}
    its, other = (GATEWAY, INTERNAL) if method in of_gateways else (INTERNAL, GATEWAY)
    for who in (LOCAL, caller(*Role, strategies=(ALL,), adapters=(ALL,)), forged, other):
        assert Reason.PERMISSION_DENIED == refusal(who, method, actors_pb2.NextBarRequest())
    assert "" == refusal(its, method, actors_pb2.NextBarRequest())
    assert all(not may_call(INTERNAL, name) for name in RULES if name not in NOT_ON_THE_WIRE)


def test_the_two_callers_stay_themselves_in_another_process() -> None:
    """Pins what the check by identity stands on when requests travel over Ray; others travel by value."""
    for who in (LOCAL, INTERNAL):
        assert who is pickle.loads(pickle.dumps(Request("Halt", b"", who))).caller  # noqa: S301 -- our own bytes
    assert TRADER == pickle.loads(pickle.dumps(TRADER))  # noqa: S301 -- our own bytes


# Operators.


def halt(operator: str) -> admin_pb2.HaltRequest:
    """Write a halt in somebody's name."""
    return admin_pb2.HaltRequest(operator=operator, reason="drill")


def test_a_callers_name_is_the_operator() -> None:
    """Pins who signs: the caller, named or not."""
    for operator in ("", "bob"):
        request = halt(operator)
        admit(caller(Role.RISK), "Halt", request)
        assert "bob" == request.operator


@pytest.mark.control("exclusive-control")
@pytest.mark.parametrize("operator", ["ann", "Bob", "tidegate", " "])
def test_nobody_signs_for_somebody_else(operator: str) -> None:
    """Pins that another name than the caller's is refused."""
    assert Reason.OPERATOR_NOT_CALLER == refusal(caller(Role.RISK), "Halt", halt(operator))


@pytest.mark.control("exclusive-control")
@pytest.mark.parametrize("operator", ["tidegate", "Tidegate", "TIDEGATE"])
def test_nobody_on_this_machine_signs_for_the_gate(operator: str) -> None:
    """Pins that without roles any name goes, except the gate's own; a missing one is still malformed."""
    assert Reason.OPERATOR_NOT_CALLER == refusal(LOCAL, "Halt", halt(operator))
    assert "" == refusal(LOCAL, "Halt", halt("ann")) == refusal(LOCAL, "Halt", halt(""))


# In the gate.


def call(desk: Desk, who: Caller, method: str, request: Message) -> Reply:
    """Send one request in somebody's name."""
    (reply,) = desk.gate.process([Request(method, request.SerializeToString(), who)]).replies
    return reply


def test_what_is_not_permitted_leaves_no_trace(desk: Desk) -> None:
    """Pins that the gate refuses before it decides, in a batch with what is permitted."""
    trader = caller(Role.TRADER, strategies=("cash",))
    own, foreign = desk.order("cash", BUY, "1", "A"), desk.order("margin", BUY, "1", "A")
    before = len(desk.events())
    denied = call(desk, trader, "SubmitOrders", orders_pb2.SubmitOrdersRequest(orders=[own, foreign]))
    assert (Reason.PERMISSION_DENIED, "bob may not act for strategy 'margin'") == (denied.reason, denied.text)
    assert before == len(desk.events())
    assert "" == call(desk, trader, "SubmitOrder", orders_pb2.SubmitOrderRequest(order=own)).reason


@pytest.mark.control("responsibility")
def test_an_operator_is_journaled_by_the_name_that_was_proved(desk: Desk) -> None:
    """Pins what an auditor reads."""
    call(desk, caller(Role.RISK), "Halt", admin_pb2.HaltRequest(reason="drill"))
    assert ["bob"] == [event.trading_halted.operator for event in desk.events("trading_halted")]


def test_a_trader_sees_its_own_orders_and_those_that_its_adapter_routes(desk: Desk) -> None:
    """Pins both ways to an order, alone and in a list, and that everything else is not shown."""
    by_cash, by_margin = desk.buy("cash", "1"), desk.buy("margin", "1")
    seen = {
        "mine": caller(Role.TRADER, strategies=("cash",)),
        "routed": caller(Role.TRADER, adapters=("paper",)),
        "none": caller(Role.TRADER, strategies=("else",), adapters=("other",)),
        "all": caller(Role.VIEWER),
    }
    listed = {}
    for name, who in seen.items():
        reply = call(desk, who, "ListOrders", orders_pb2.ListOrdersRequest())
        orders = orders_pb2.ListOrdersResponse.FromString(reply.body).orders
        listed[name] = [order.order_id for order in orders]
        for order_id in (by_cash.order_id, by_margin.order_id):
            shown = call(desk, who, "GetOrder", orders_pb2.GetOrderRequest(order_id=order_id))
            assert ("" if order_id in listed[name] else Reason.PERMISSION_DENIED) == shown.reason
    every = [by_cash.order_id, by_margin.order_id]
    assert {"mine": every[:1], "routed": every, "none": [], "all": every} == listed


def test_a_short_page_still_leads_to_the_next_one(desk: Desk) -> None:
    """Pins that whoever turns all pages finds all that is its own."""
    own = [desk.buy(strategy_id, "1").order_id for strategy_id in ("margin", "margin", "cash", "margin", "cash")]
    request, found = orders_pb2.ListOrdersRequest(page_size=2), list[str]()
    while True:
        reply = call(desk, caller(Role.TRADER, strategies=("cash",)), "ListOrders", request)
        page = orders_pb2.ListOrdersResponse.FromString(reply.body)
        found += [order.order_id for order in page.orders]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert [own[2], own[4]] == found


def test_a_trader_sees_its_own_strategies_only(desk: Desk) -> None:
    """Pins what a list of strategies shows to whom."""
    for who, expected in ((caller(Role.TRADER, strategies=("cash",)), ["cash"]), (EVERYTHING, ["cash", "margin"])):
        reply = call(desk, who, "ListStrategies", portfolio_pb2.ListStrategiesRequest())
        strategies = portfolio_pb2.ListStrategiesResponse.FromString(reply.body).strategies
        assert expected == [strategy.strategy_id for strategy in strategies]


def test_an_adapter_states_its_own_account_and_halts_no_more_than_its_own_strategy() -> None:
    """Pins whose name a statement may carry, and that a halt with it is a halt like any other."""
    level = common_pb2.HALT_LEVEL_HALTED

    def stated(adapter: str, **fields: Any) -> str:
        request = reconciliation_pb2.ReconcilePositionsRequest(account="u1", adapter=adapter, **fields)
        return refusal(TRADER, "ReconcilePositions", request)

    denied = Reason.PERMISSION_DENIED
    assert ["", denied, denied] == [stated("paper"), stated("theirs"), stated("")]
    mine, theirs = strategy_scope("mine"), strategy_scope("theirs")
    halts = [stated("paper", halt_level=level, halt_scope=scope) for scope in (mine, theirs, PORTFOLIO)]
    assert ["", denied, denied] == halts
