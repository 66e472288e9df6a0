"""A day that touches every method, each request as it should be: what is odd about a request then stands alone."""

from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import strategies as st

from tests.callers import caller_of
from tests.property import garbage
from tidegate.gate import Request

SCOPE = {"kind": "SCOPE_KIND_PORTFOLIO"}
SHORT = {"kind": "SCOPE_KIND_STRATEGY", "name": "short"}
SIGNED = {"operator": "ann", "reason": "a reason"}
_ONE = {"symbol": "ONE", "side": "SIDE_BUY", "order_type": "ORDER_TYPE_LIMIT", "limit_price": "99", "quantity": "10"}
_REPORT = {"account": "main", "adapter": "paper"}


def _execution(execution_id: str, kind: str, order_id: str = "3", **fields: str) -> dict[str, Any]:
    """Write a report of one execution."""
    execution = {"execution_id": execution_id, "execution_type": f"EXECUTION_TYPE_{kind}", "order_id": order_id}
    return _REPORT | {"executions": [execution | fields]}


_FILL = {"last_quantity": "4", "last_price": "100", "fee": "0.5"}
_STATEMENT = {
    "account": "main",
    "adapter": "paper",
    "operator": "ann",
    "time": "2001-09-09T01:46:41Z",
    "positions": [{"symbol": "LOT", "quantity": "-3"}],
    "cash": [{"currency": "USD", "amount": "1400"}],
    "orders": [{"order_id": "4", "symbol": "ONE", "side": "SIDE_BUY", "leaves_quantity": "9"}],
    "halt_level": "HALT_LEVEL_REDUCE_ONLY",
    "halt_scope": SHORT,
}
# It follows the seed of test_hostile_input.py: bar 2, and orders 3 and 4.
_DAY: list[tuple[str, dict[str, Any]]] = [
    # Events 5 to 8, before everything that may change.
    ("Halt", SIGNED | {"scope": SHORT}),
    ("ResetHalt", SIGNED | {"scope": SHORT}),
    ("ConfirmReset", {"request_sequence": 7, "operator": "bob", "reason": "seen"}),
    ("WatchOrders", {"adapter": "paper"}),
    ("OpenSession", {"adapter": "paper", "session_id": "s1", "heartbeat_s": 5}),
    ("Heartbeat", {"adapter": "paper", "session_id": "s1"}),
    ("ClaimOrders", {"adapter": "paper", "order_ids": ["3"]}),
    ("ReportExecutions", _execution("a1", "NEW")),
    ("ReportExecutions", _execution("a2", "TRADE", **_FILL)),
    ("ReportExecutions", _execution("a3", "TRADE_CORRECT", reference_execution_id="a2", **_FILL)),
    ("ReportExecutions", _execution("a4", "TRADE_CANCEL", reference_execution_id="a3")),
    ("ReportExecutions", _execution("a5", "TRADE", "", symbol="LOT", side="SIDE_SELL", **_FILL)),
    ("ListSuspense", {}),
    ("AssignSuspense", SIGNED | {"account": "main", "execution_id": "a5", "strategy_id": "lever"}),
    ("ReportExecutions", _REPORT | {"bar_sequence": 2}),
    ("NextBar", {}),
    (
        "CompleteBar",
        {
            "bar_sequence": 2,
            "seen_sequence": 2,
            "strategy_ids": ["saver", "payer"],
            "faults": [{"strategy_id": "lever", "reason_code": "STRATEGY_FAILED", "reason": "it raised"}],
            "orders": [_ONE | {"strategy_id": "payer", "client_order_id": "bar-1", "route": "paper"}],
        },
    ),
    ("AwaitBar", {}),
    ("ResumeStrategy", SIGNED | {"strategy_id": "lever"}),
    (
        "ReplaceOrder",
        {"strategy_id": "saver", "orig_client_order_id": "seed-1", "client_order_id": "seed-1b", "quantity": "12"},
    ),
    ("ReportExecutions", _execution("a6", "REPLACE_REJECTED")),
    ("CancelOrder", {"strategy_id": "saver", "client_order_id": "seed-1"}),
    ("ReportExecutions", _execution("a7", "CANCEL_REJECTED")),
    ("ReportExecutions", _execution("a8", "EXPIRED")),
    ("CheckOrder", {"order": _ONE | {"strategy_id": "lever", "client_order_id": "l-1"}}),
    ("SubmitOrder", {"order": _ONE | {"strategy_id": "lever", "client_order_id": "l-1"}}),
    ("SubmitOrders", {"orders": [_ONE | {"strategy_id": "saver", "client_order_id": f"m-{n}"} for n in (1, 2)]}),
    ("PublishPrices", {"prices": [{"symbol": "ONE", "price": "101", "time": "2001-09-09T01:46:41Z"}]}),
    ("UpdateLimits", SIGNED | {"limits": [{"figure": 5, "warn": "0.9", "limit": "1"}]}),
    (
        "UpsertInstruments",
        SIGNED
        | {
            "instruments": [
                {"symbol": "ONE", "tick": "0.05", "max_quantity": "5000", "sector": "tech", "proxy": "LOT"},
                {"symbol": "NEW", "lot": "0.1", "multiplier": "2", "asset_class": "future", "proxy_scale": ""},
            ],
            "permitted_strategy_ids": ["saver"],
        },
    ),
    ("TransferCapital", SIGNED | {"transfer_id": "t-1", "from_strategy_id": "payer", "amount": "10"}),
    ("DepositCapital", SIGNED | {"transfer_id": "t-2", "amount": "1000", "account": "main"}),
    ("ReconcilePositions", _STATEMENT),
    ("ListAccounts", {}),
    ("WithdrawCapital", SIGNED | {"transfer_id": "t-3", "amount": "1000"}),
    ("AddStrategy", SIGNED | {"strategy_id": "late", "amount": "500", "instruments": ["ONE"], "route": "paper"}),
    ("Rebalance", SIGNED | {"rebalance_id": "t-4", "weights": [{"strategy_id": "saver", "weight": "0.2"}]}),
    ("LiquidateStrategy", SIGNED | {"strategy_id": "short", "remove": True}),
    ("RemoveStrategy", SIGNED | {"strategy_id": "late"}),
    ("PauseStrategy", SIGNED | {"strategy_id": "saver"}),
    ("CancelAllOrders", {"scope": {"kind": "SCOPE_KIND_STRATEGY", "name": "saver"}}),
    ("Halt", SIGNED | {"scope": SCOPE, "level": "HALT_LEVEL_REDUCE_ONLY"}),
    ("Halt", SIGNED | {"scope": SCOPE}),
    ("ListAlerts", {}),
    ("Flatten", SIGNED | {"scope": SCOPE}),
    ("ResetHalt", SIGNED | {"scope": SCOPE, "high_water_mark": "HIGH_WATER_MARK_CHOICE_REBASE"}),
    ("ReleaseThrottle", SIGNED | {"strategy_id": "saver"}),
    ("PublishBars", {"time": "2001-09-09T01:46:42Z", "bars": [{"symbol": "ONE", "close": "98", "volume": "5"}]}),
    ("CloseSession", {"adapter": "paper", "session_id": "s1"}),
    ("AdvanceTime", {}),
    ("AcknowledgeAlert", {"alert_sequence": 16, "operator": "ann"}),
    ("GetOrder", {"strategy_id": "saver", "client_order_id": "seed-1"}),
    ("GetOrder", {"order_id": "3"}),
    ("ListOrders", {"strategy_id": "saver", "page_size": 1}),
    ("WatchBars", {"adapter": "paper", "after_sequence": 1}),
    ("WatchAlerts", {}),
    ("WatchRiskMetrics", {"period_ms": 200}),
    ("GetRiskMetrics", {}),
    ("GetHaltState", {}),
    ("GetLimits", {}),
    ("GetCorrelations", {}),
    (
        "RecordRiskReport",
        {
            "report": {"end_sequence": 2, "findings": 1},
            "begun": [{"reason_code": "POSITION_RISK", "scope": SCOPE, "text": "too much"}],
        },
    ),
    ("GetPerformance", {"strategy_id": "saver"}),
    ("GetPortfolio", {}),
    ("ListStrategies", {}),
    ("ListInstruments", {}),
    ("GetStrategy", {"strategy_id": "saver"}),
    ("ReadJournal", {"page_size": 3}),
    ("ListRiskReports", {"newest_first": True, "page_size": 3, "page_token": "9"}),
    ("ReadTopic", {"topic": "bars"}),
    ("ReadHistory", {"strategy_id": "saver", "up_to_sequence": 9}),
]


def day() -> list[Request]:
    """Return the day's requests, in their order."""
    return [_request(method, _message(method, fields)) for method, fields in _DAY]


@st.composite
def with_one_odd_field(draw: st.DrawFn, request: Request) -> Request:
    """Draw a request with one field, wherever it is, that holds what hardly fits."""
    message = garbage.REQUEST_TYPES[request.method].FromString(request.body)
    fields = list(_fields(message))
    if fields:
        owner, field = draw(st.sampled_from(fields))
        garbage.set_odd(draw, owner, field)
    return _request(request.method, message)


def _fields(message: Message) -> Iterator[tuple[Message, Any]]:
    for field in message.DESCRIPTOR.fields:
        yield message, field
        if field.message_type is not None:
            values = getattr(message, field.name)
            for inner in values if field.is_repeated else [values] if message.HasField(field.name) else []:
                yield from _fields(inner)


def _message(method: str, fields: dict[str, Any]) -> Message:
    message: Message = json_format.ParseDict(fields, garbage.REQUEST_TYPES[method]())
    return message


def _request(method: str, message: Message) -> Request:
    return Request(method, message.SerializeToString(), caller_of(method))
