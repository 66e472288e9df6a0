"""An account at a broker: what went through the gate for it, summed from the executions as they are booked."""

from collections import deque
from decimal import Decimal
from typing import NamedTuple

from tidegate.instruments import BY_EXCHANGE
from tidegate.numbers import ZERO
from tidegate.orders import is_fill, is_reversal
from tidegate.risk.scopes import Scope
from tidegate.strategy_book import StrategyBook
from tidegate.times import NS_PER_S, to_ns
from tidegate.v1 import journal_pb2, reconciliation_pb2

# So many executions back a statement may be; what is older cannot be told apart from what it knows.
EFFECTS_MAX = 10_000


class Effect(NamedTuple):
    """What one execution did to the account; time_ns is the broker's."""

    sequence: int
    time_ns: int
    order_id: str
    symbol: str
    quantity: Decimal
    cash: tuple[tuple[str, Decimal], ...]


class BrokerAccount:
    """
    The sums of one account, and what its last statement differed in.

    differences: of the last statement; since_ns: when each was seen first, by what it is and what we had then.
    """

    def __init__(self, terms: journal_pb2.BrokerAccount, books: StrategyBook) -> None:
        """Begin with the cash that the portfolio file states; books: a ledger of this account's alone."""
        self.name = terms.account
        self.adapter = terms.adapter
        self.in_flight_ns = terms.in_flight_s * NS_PER_S
        self.halt_level = terms.halt_level
        self.halt_scope = Scope.from_wire(terms.halt_scope)
        self.differences: list[reconciliation_pb2.Difference] = []
        self.since_ns: dict[tuple[int, str, str], int] = {}
        self.difference_count = 0
        self.break_count = 0
        self.statement_ns = 0
        self.clean_ns = 0
        self._books: StrategyBook = books
        self._given = {cash.currency: Decimal(cash.amount) for cash in terms.cash}
        self._effects: deque[Effect] = deque()
        self._forgotten_ns = 0
        self._forgotten_sequence = 0

    def take(self, event: journal_pb2.Event) -> None:
        """Take an execution of this account."""
        booked = event.execution_booked
        execution = booked.execution
        if not is_fill(execution) and not is_reversal(execution):
            return
        symbol, books = booked.symbol, self._books
        known = books.instruments.get(symbol)
        currencies = {books.ledger.currency} if known is None else {known.currency, known.buys} - {""}
        held, before = self._held(symbol), [(currency, self._cash(currency)) for currency in sorted(currencies)]
        books.apply(event)
        time_ns = to_ns(execution.time if execution.HasField("time") else event.time)
        cash = tuple((currency, self._cash(currency) - amount) for currency, amount in before)
        if len(self._effects) == EFFECTS_MAX:
            oldest = self._effects.popleft()
            self._forgotten_ns = max(self._forgotten_ns, oldest.time_ns)
            self._forgotten_sequence = oldest.sequence
        quantity = self._held(symbol) - held
        self._effects.append(Effect(event.sequence, time_ns, execution.order_id, symbol, quantity, cash))

    def give(self, currency: str, amount: Decimal) -> None:
        """Put cash in that no execution brought, or take it out."""
        self._given[currency] = self._given.get(currency, ZERO) + amount

    def note(self, event: journal_pb2.Event) -> None:
        """Keep what a statement differed in."""
        reconciled = event.positions_reconciled
        self.differences = list(reconciled.differences)
        self.since_ns = {key_of(found): to_ns(found.since) for found in self.differences}
        self.difference_count, self.break_count = reconciled.difference_count, reconciled.break_count
        self.statement_ns = to_ns(reconciled.statement_time)
        if not self.difference_count:
            self.clean_ns = self.statement_ns

    def remembers(self, time_ns: int, sequence: int) -> bool:
        """Tell whether what a statement did not know yet can still be told."""
        return sequence >= self._forgotten_sequence if sequence else time_ns >= self._forgotten_ns

    def effects_after(self, time_ns: int, sequence: int) -> list[Effect]:
        """Return the executions that a statement did not know yet."""
        if sequence:
            return [effect for effect in self._effects if effect.sequence > sequence]
        return [effect for effect in self._effects if effect.time_ns > time_ns]

    def positions(self) -> dict[str, Decimal]:
        """Return what is held; fx is its currencies' cash."""
        positions = self._books.ledger.positions.items()
        return {symbol: held.quantity for symbol, held in positions if held.settlement != BY_EXCHANGE}

    def cash(self) -> dict[str, Decimal]:
        """Return the cash in each currency that the account has had to do with."""
        ledger = self._books.ledger
        return {c: self._cash(c) for c in sorted({ledger.currency, *ledger.foreign, *self._given})}

    def _cash(self, currency: str) -> Decimal:
        ledger, given = self._books.ledger, self._given.get(currency, ZERO)
        if currency == ledger.currency:
            return given + ledger.cash
        account = ledger.foreign.get(currency)
        return given if account is None else given + account.cash

    def _held(self, symbol: str) -> Decimal:
        position = self._books.ledger.positions.get(symbol)
        return ZERO if position is None else position.quantity


def key_of(found: reconciliation_pb2.Difference) -> tuple[int, str, str]:
    """Name a difference by what it is about and what we had: when that moves, reports are coming."""
    return found.kind, found.order_id or found.broker_order_id or found.symbol or found.currency, found.ours
