"""Runs a user's strategy on what the journal says: bar by bar, live or through its history."""

import zlib
from collections.abc import Iterable, Sequence
from decimal import Decimal

from tidegate.accounts import Currencies
from tidegate.errors import BookError, StateError
from tidegate.instruments import Instrument
from tidegate.ledger import Ledger
from tidegate.numbers import ONE, ZERO
from tidegate.options import Options
from tidegate.orders import sign_of
from tidegate.risk.terms import Terms
from tidegate.state import codec
from tidegate.state.classes import VERSION
from tidegate.strategy import Bar, Context, Fill, Strategy
from tidegate.strategy_book import StrategyBook
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel
from tidegate.targets.move import Move
from tidegate.targets.targeting import Targeting
from tidegate.times import compact, to_datetime, to_ns
from tidegate.v1 import actors_pb2, common_pb2, journal_pb2, orders_pb2

# Of what a strategy's class may save.
STATE_BYTES_MAX = 1024 * 1024


class LedgerDiffersError(BookError):
    """The strategy's ledger is not what the RiskManager's book says it is."""


class StrategyRunner:
    """
    A strategy with its own ledger, fed by the same events as the RiskManager's book.

    sequence: the journal's place that the strategy has seen up to.
    cancels: the client_order_ids of working orders that the last bar's targets want canceled.
    """

    def __init__(
        self,
        strategy_id: str,
        strategy: Strategy,
        configuration: journal_pb2.PortfolioConfigured,
        *,
        route: str,
        risk_models: Sequence[RiskModel] = (),
    ) -> None:
        """
        Begin before the first bar, with the capital that the configuration gives the strategy.

        risk_models: what the strategy's targets pass, in this order.
        """
        terms = {s.strategy_id: Terms.from_wire(s) for s in configuration.strategies}[strategy_id]
        self.sequence = 0
        self._id = strategy_id
        self._strategy = strategy
        self._marks: dict[str, Decimal] = {}
        instruments = {i.symbol: Instrument.from_wire(i) for i in configuration.instruments}
        self._currencies = Currencies().configure(configuration.currency_rates, instruments)
        self._options = Options().configure(instruments)
        ledger = Ledger(configuration.currency, rates=self._currencies.rates, options=self._options)
        self._book = StrategyBook(strategy_id, ledger, instruments, self._marks)
        self._book.ledger.transfer(terms.capital)
        self.cancels: list[str] = []
        self._instruments = instruments
        self._targeting = Targeting(risk_models)
        self._targeting.on_instruments_changed(added=tuple(instruments), removed=())
        self._context = Context(instruments, self._book.ledger, route, marks=self._marks, targeting=self._targeting)
        self._unseen: list[journal_pb2.Event] = []
        self._bars: dict[int, journal_pb2.Event] = {}
        self._strategy.on_start(self._context)

    def run_bar(self, update: actors_pb2.BarUpdate) -> list[orders_pb2.NewOrder]:
        """
        Take what happened since the last bar, then the bar; return the orders that the strategy asks for.

        Raises:
            LedgerDiffersError: after what happened, the ledger's digest is not the book's.
        """
        (own,) = (entry for entry in update.strategies if entry.strategy_id == self._id)
        bar = self._mark(update.bar)
        self._take(own.events)
        self.sequence = update.sequence
        if self._book.ledger.digest() != own.digest:
            text = f"the ledger of strategy {self._id} differs from the book at event {update.sequence}"
            raise LedgerDiffersError(text)
        return self._decide(bar, to_ns(update.bar.bar_published.time))

    def catch_up(self, events: Iterable[journal_pb2.Event]) -> None:
        """
        Live through a part of the history; parts follow each other.

        Every bar that was completed is run again if the strategy ran on it then, and its orders are thrown away: they
        were decided then. What happened after the last completed bar comes again with the next one. A history that
        begins later has the strategy's saved state in it, and no bars of before that.

        Raises:
            StateError: the saved state is of another version; the whole history is not.
        """
        for event in events:
            match event.WhichOneof("body"):
                case "bar_published":
                    self._bars[event.sequence] = event
                case "bar_completed":
                    self._end_bar(event.bar_completed)
                case "portfolio_configured":
                    pass
                case _:
                    self._unseen.append(event)

    def save(self) -> journal_pb2.SavedState | None:
        """
        Return what the strategy goes on from after the bar that it has just decided on; None when it saves nothing.

        Raises:
            ValueError: it wants to keep more than it may.
        """
        state = None if self._targeting.has_models else self._strategy.save_state()
        if state is None:
            return None
        if len(state) > STATE_BYTES_MAX:
            text = f"save_state returned {len(state):,} bytes; it may keep {STATE_BYTES_MAX:,}"
            raise ValueError(text)
        ledger = zlib.compress(codec.write((self._book, self._marks, self._currencies, self._options)))
        return journal_pb2.SavedState(strategy_id=self._id, version=VERSION, ledger=ledger, state=state)

    def _end_bar(self, completed: journal_pb2.BarCompleted) -> None:
        if completed.bar_sequence in self._bars:
            self._relive(completed)
            return
        for saved in completed.states:
            if saved.strategy_id == self._id:
                self._resume(completed, saved)

    def _resume(self, completed: journal_pb2.BarCompleted, saved: journal_pb2.SavedState) -> None:
        """Be as it was after a bar; what came before that it has seen, and what follows it has not."""
        if saved.version != VERSION:
            text = f"the state that {self._id} saved is of version {saved.version}, and this one of {VERSION}"
            raise StateError(text)
        self._book, self._marks, self._currencies, self._options = codec.read(zlib.decompress(saved.ledger))
        self._context.ledger, self._context.marks = self._book.ledger, self._marks
        added = tuple(symbol for symbol in self._book.instruments if symbol not in self._instruments)
        self._instruments.update(self._book.instruments)
        self._book.instruments = self._instruments
        self._targeting.on_instruments_changed(added=added, removed=())
        self._context.orders.clear()
        self.sequence = completed.seen_sequence
        self._unseen = [event for event in self._unseen if event.sequence > completed.seen_sequence]
        self._strategy.load_state(saved.state)

    def end_catch_up(self) -> None:
        """Forget what no completed bar has shown yet: it comes with the next bar."""
        self._unseen.clear()
        self._bars.clear()

    def _relive(self, completed: journal_pb2.BarCompleted) -> None:
        seen = [event for event in self._unseen if event.sequence <= completed.seen_sequence]
        self._unseen = [event for event in self._unseen if event.sequence > completed.seen_sequence]
        event = self._bars[completed.bar_sequence]
        bar = self._mark(event)
        for sequence in [sequence for sequence in self._bars if sequence <= completed.bar_sequence]:
            del self._bars[sequence]
        self._take(seen)
        self.sequence = completed.seen_sequence
        if self._id in completed.strategy_ids:
            self._decide(bar, to_ns(event.bar_published.time))
        else:
            self._targeting.warm_up(self._seen_on(bar))
        self._context.orders.clear()

    def _mark(self, event: journal_pb2.Event) -> Bar:
        closes = {entry.symbol: Decimal(entry.close) for entry in event.bar_published.bars}
        time_ns = to_ns(event.bar_published.time)
        self._marks.update(closes)
        for symbol, close in closes.items():
            self._book.ledger.mark(symbol, close)
            for option in self._options.take(symbol, close, time_ns):
                self._book.ledger.weigh(option)
            currency, _ = self._currencies.take(symbol, close)
            self._book.ledger.translate(currency, close)
        return Bar(to_datetime(time_ns), closes)

    def _take(self, events: Iterable[journal_pb2.Event]) -> None:
        for event in events:
            if event.HasField("instrument_upserted"):
                self._change(Instrument.from_wire(event.instrument_upserted.instrument))
                continue
            working = self._book.orders.get(event.execution_booked.execution.order_id)
            self._book.apply(event)
            is_assigned = event.HasField("suspense_assigned")
            booked = event.suspense_assigned.fill if is_assigned else event.execution_booked
            if booked.execution.execution_type == orders_pb2.EXECUTION_TYPE_TRADE:
                fill = Fill(
                    client_order_id=working.request.client_order_id if working is not None else "",
                    symbol=booked.symbol,
                    quantity=sign_of(booked.side) * Decimal(booked.execution.last_quantity),
                    price=Decimal(booked.execution.last_price),
                    fee=Decimal(booked.execution.fee or 0),
                )
                self._strategy.on_fill(fill, self._context)

    def _change(self, instrument: Instrument) -> None:
        """Take an instrument that was added or changed."""
        is_new = instrument.symbol not in self._instruments
        self._instruments[instrument.symbol] = instrument
        self._currencies.place(instrument)
        self._options.place(instrument)
        if is_new:
            self._targeting.on_instruments_changed(added=(instrument.symbol,), removed=())

    def _decide(self, bar: Bar, time_ns: int) -> list[orders_pb2.NewOrder]:
        self._strategy.on_bar(bar, self._context)
        moves = self._targeting.decide(self._seen_on(bar))
        orders = [*self._context.orders, *(self._order(move) for move in moves if move.quantity)]
        self.cancels = [client_order_id for move in moves for client_order_id in self._in_the_way(move)]
        self._context.orders.clear()
        for ordinal, order in enumerate(orders, start=1):
            order.strategy_id = self._id
            order.client_order_id = f"{self._id}-{compact(time_ns)}-{ordinal}"
        return orders

    def _seen_on(self, bar: Bar) -> RiskContext:
        """Show the risk models the ledger at the end of a bar."""
        ledger = self._book.ledger
        return RiskContext(
            time=bar.time,
            equity=ledger.equity,
            capital=ledger.capital,
            instruments=self._instruments,
            positions={symbol: held for symbol, held in ledger.positions.items() if symbol in self._instruments},
            prices=self._marks,
            closes=bar.closes,
            rates={**self._currencies.rates, ledger.currency: ONE},
        )

    def _order(self, move: Move) -> orders_pb2.NewOrder:
        side = common_pb2.SIDE_BUY if move.quantity > ZERO else common_pb2.SIDE_SELL
        return self._context.write(move.symbol, side, abs(move.quantity))

    def _in_the_way(self, move: Move) -> list[str]:
        """Name the working orders that lead away from a target and are not asked to be canceled yet."""
        return [
            order.request.client_order_id
            for order in self._book.orders.values()
            if order.request.symbol == move.symbol and order.sign == move.cancel and not order.cancel_requested
        ]
