"""What each event moves between strategies and the reserve: one reading for the book, the copies and performance."""

from decimal import Decimal
from typing import Final

from tidegate.v1 import journal_pb2

# What moves capital into strategies or out of them.
FLOWS: Final = frozenset(
    {"capital_transferred", "strategy_added", "strategy_removed", "rebalanced", "rebalance_advanced"}
)


def flows_of(event: journal_pb2.Event) -> dict[str, Decimal]:
    """Return what each strategy gets by an event of such a kind; negative where it is taken from it."""
    match event.WhichOneof("body"):
        case "capital_transferred":
            transfer = event.capital_transferred
            amount = Decimal(transfer.amount)
            sides = {transfer.from_strategy_id: -amount, transfer.to_strategy_id: amount}
            return {strategy_id: step for strategy_id, step in sides.items() if strategy_id}
        case "strategy_added":
            terms = event.strategy_added.terms
            return {terms.strategy_id: Decimal(terms.capital)}
        case "strategy_removed":
            removed = event.strategy_removed
            return {removed.strategy_id: -Decimal(removed.amount)}
        case "rebalanced":
            moves = event.rebalanced.moves
        case _:
            moves = event.rebalance_advanced.moves
    return {move.strategy_id: Decimal(move.amount) for move in moves}
