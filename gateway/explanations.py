"""What an auditor reads of an explanation: one screen, or JSON."""

import re
from decimal import Decimal
from typing import Any

from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table

from tidegate.explanation import CheckResult, Explanation
from tidegate.risk.figure import Figure
from tidegate.v1 import common_pb2

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def show_explanation(explanation: Explanation, proof: str, console: Console) -> None:
    """Show the decision, then what it was made from, then whether it follows again."""
    decision, event = explanation.decision, explanation.event
    console.print(f"{_order_line(explanation)}, event {event.sequence} of {event.time.ToJsonString()}")
    console.print(
        f"decision {_action(decision.action)}, approved quantity {decision.approved_quantity}"
        + (f", {decision.reason_code}: {decision.reason}" if decision.reason_code else "")
    )
    if explanation.inputs:
        console.print(
            "given    " + "; ".join(f"{figure.name} {_grouped(figure.actual)}" for figure in explanation.inputs)
        )
    console.print(_checks(explanation.checks))
    console.print(_limits(explanation))
    for halt in explanation.halts:
        level = common_pb2.HaltLevel.Name(halt.level).removeprefix("HALT_LEVEL_")
        console.print(f"halted   {halt.scope}: {level} by {halt.operator} (event {halt.sequence}): {halt.text}")
    if explanation.counted:
        console.print(
            f"note     {explanation.counted:,} refusals near this decision are in the journal as a number only: "
            "a rate that counted them may come out lower now"
        )
    console.print(f"read     {proof}")
    if not explanation.differences:
        console.print("recomputed: same")
    for found in explanation.differences:
        console.print(f"RECOMPUTED: DIFFERENT {found.field}: recorded {found.recorded}; now {found.recomputed}")


def as_json(explanation: Explanation, proof: str) -> dict[str, Any]:
    """Write an explanation for machines; numbers are decimals as text, as on the wire."""
    return {
        "event": explanation.event.sequence,
        "time": explanation.event.time.ToJsonString(),
        "order": _wire(explanation.asked),
        "decision": _wire(explanation.decision),
        "inputs": {figure.name: figure.actual for figure in explanation.inputs},
        "checks": [
            {
                "name": result.name,
                "outcome": _outcome(result),
                "figures": [figure._asdict() for figure in result.figures],
                "violation": None if result.violation is None else _wire(result.violation.to_wire()),
            }
            for result in explanation.checks
        ],
        "limits": [limit._asdict() for limit in explanation.limits],
        "halts": [_wire(halt.to_wire()) for halt in explanation.halts],
        "refusals_only_counted": explanation.counted,
        "recomputed": "different" if explanation.differences else "same",
        "differences": [difference._asdict() for difference in explanation.differences],
        "read_from": proof,
    }


def _order_line(explanation: Explanation) -> str:
    asked, replaces = explanation.asked, explanation.event.HasField("replace_decided")
    side = common_pb2.Side.Name(asked.side).removeprefix("SIDE_")
    price = f"limit {asked.limit_price}" if asked.limit_price else "at market"
    stop = f" stop {asked.stop_price}" if asked.stop_price else ""
    what = f"{side} {asked.quantity} {asked.symbol}{stop} {price}" + (" reduce only" if asked.reduce_only else "")
    order = f" for order {explanation.event.replace_decided.order_id}" if replaces else ""
    word = "replacement" if replaces else "order"
    route = asked.route or "its submitter"
    return f"{word} {asked.client_order_id} of {asked.strategy_id}{order}: {what}, sent by {route}"


def _checks(results: list[CheckResult]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("check", "outcome", "held against"):
        table.add_column(column, overflow="fold")
    for result in results:
        lines = [_figure(figure) for figure in result.figures]
        if result.violation is not None:
            lines.append(result.violation.text)
        table.add_row(result.name, _outcome(result), "\n".join(lines))
    return table


def _outcome(result: CheckResult) -> str:
    if result.violation is not None:
        return f"{_action(result.violation.action)} {result.violation.reason}"
    return "passed" if result.is_held else "not held: only reduces"


def _figure(figure: Figure) -> str:
    against = f" against {_grouped(figure.limit)}" if figure.limit else ""
    return f"{figure.name}: {_grouped(figure.actual)}{against}"


def _grouped(text: str) -> str:
    """Write a number as people read it; what is a word stays as it is."""
    return f"{Decimal(text):,f}" if _NUMBER.fullmatch(text) else text


def _limits(explanation: Explanation) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("in force", "value", "set by"):
        table.add_column(column, overflow="fold")
    for limit in explanation.limits:
        table.add_row(limit.name, limit.value, f"{limit.set_by}, event {limit.sequence}")
    return table


def _action(action: common_pb2.Action.ValueType) -> str:
    return common_pb2.Action.Name(action).removeprefix("ACTION_")


def _wire(message: Any) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)
