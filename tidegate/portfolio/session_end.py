"""What a portfolio was when a session ended: all that its report is made from, read off a journal as it grows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from tidegate.instruments import Instrument
from tidegate.numbers import ONE, ZERO, round_ratio
from tidegate.risk.book import Book
from tidegate.risk.high_water import NS_PER_DAY
from tidegate.risk.session_history import SESSIONS_MAX
from tidegate.strategy_book import SUSPENSE
from tidegate.times import to_ns
from tidegate.v1 import journal_pb2, risk_pb2
from tidegate.views import limits

# What the suspense ledger is called where strategies are.
SUSPENSE_NAME = "suspense"


@dataclass(frozen=True, slots=True)
class Held:
    """What a strategy held of an instrument, below zero for a short, and its mark: of an option the premium."""

    strategy_id: str
    instrument: Instrument
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class State:
    """
    The book just before the mark that ended the session.

    rates: what a unit of each foreign currency is worth in the portfolio's; one without a price is not in it.
    rate_symbols: by currency, the instrument whose price that is.
    """

    day: int
    time_ns: int
    equity: Decimal
    high_water_mark: Decimal
    held: tuple[Held, ...]
    limits: tuple[risk_pb2.LimitState, ...]
    currency: str
    rates: Mapping[str, Decimal]
    rate_symbols: Mapping[str, str]
    instruments: Mapping[str, Instrument]


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """
    The end of one session.

    end_sequence: the event that ended it. returns: by symbol, in its own currency, the session itself the newest, None
    without a mark.
    portfolio_returns, strategy_returns: what was made, what was moved in and out left out.
    """

    end_sequence: int
    state: State
    max_drawdown: Decimal
    returns: dict[str, tuple[float | None, ...]]
    portfolio_returns: tuple[float, ...]
    strategy_returns: dict[str, tuple[float, ...]]

    @property
    def session_ns(self) -> int:
        """When the UTC day began that the session was."""
        return self.state.day * NS_PER_DAY


class Course(NamedTuple):
    """
    What a followed book knows beside the book, as it was when a session ended.

    equity, deposits: of that moment. max_drawdown: the worst at the end of any session. made: session by session, the
    newest last.
    """

    equity: Decimal = ZERO
    deposits: Decimal = ZERO
    max_drawdown: Decimal = ZERO
    made: tuple[float, ...] = ()

    def to_text(self) -> str:
        """Write it so that whoever begins from a snapshot goes on from it."""
        return json.dumps([*map(str, self[:3]), self.made])

    @classmethod
    def from_text(cls, text: str) -> "Course":
        """Read what was written."""
        equity, deposits, max_drawdown, made = json.loads(text)
        return cls(Decimal(equity), Decimal(deposits), Decimal(max_drawdown), tuple(made))


# Before the end of the first session.
BEGUN = Course()


class FollowedBook:
    """A book of its own, kept by the events of a journal; it says when a session has ended."""

    def __init__(self, book: Book | None = None, course: Course = BEGUN) -> None:
        """Begin before the first event, or go on with a book and what was known when its newest session ended."""
        self.book = book or Book()
        self.course = course

    def take(self, event: journal_pb2.Event) -> SessionEnd | None:
        """
        Take the next event; return the session that it ended, if it did.

        Raises:
            BookError: it is not the next one, or cannot have happened.
        """
        book, kind = self.book, event.WhichOneof("body")
        state = _state(book) if _may_end_session(book, event) else None
        sessions = book.history.sessions
        book.apply(event, kind)
        if state is None or book.history.sessions == sessions:
            return None
        self.course = _next(self.course, state, book.deposits)
        return SessionEnd(
            end_sequence=event.sequence,
            state=state,
            max_drawdown=self.course.max_drawdown,
            returns={symbol: tuple(one) for symbol, one in book.history.returns.items()},
            portfolio_returns=self.course.made,
            strategy_returns={strategy_id: tuple(one) for strategy_id, one in book.strategy_returns.returns.items()},
        )


def _next(before: Course, state: State, deposits: Decimal) -> Course:
    """Take the end of a session; a mark ends it, so no capital has moved since."""
    made, worst = before.made, before.max_drawdown
    if before.equity > ZERO:
        earned = state.equity - (deposits - before.deposits)
        made = (*made, max(float(earned / before.equity) - 1.0, -1.0))[-SESSIONS_MAX:]
    if state.high_water_mark > ZERO:
        worst = min(worst, round_ratio(state.equity / state.high_water_mark - 1))
    return Course(state.equity, deposits, worst, made)


def _may_end_session(book: Book, event: journal_pb2.Event) -> bool:
    """Tell whether an event has a price of a later day; whether it ends the session is known once it is applied."""
    match event.WhichOneof("body"):
        case "bar_published":
            newest_ns = to_ns(event.bar_published.time)
        case "prices_published":
            newest_ns = max((to_ns(price.time) for price in event.prices_published.prices), default=0)
        case _:
            return False
    return newest_ns // NS_PER_DAY > book.history.day > 0


def _state(book: Book) -> State:
    return State(
        day=book.history.day,
        time_ns=book.time_ns,
        equity=book.equity,
        high_water_mark=book.high_water_mark,
        held=tuple(
            Held(
                strategy_id=SUSPENSE_NAME if strategy_id == SUSPENSE else strategy_id,
                # A fill may be in an instrument that nobody configured.
                instrument=book.instruments.get(symbol)
                or Instrument(symbol, ONE, ONE, position.multiplier, book.currency, "", ""),
                quantity=position.quantity,
                price=position.mark,
            )
            for strategy_id, strategy in book.strategies.items()
            for symbol, position in strategy.ledger.positions.items()
            if position.quantity
        ),
        limits=tuple(limits(book).in_force),
        currency=book.currency,
        rates=dict(book.currencies.rates),
        rate_symbols=dict(book.currencies.symbols),
        instruments=dict(book.instruments),
    )
