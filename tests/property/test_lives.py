"""Random lives of a gate: short ones that hypothesis draws and shrinks, and long ones of busy trading."""

import os
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.property import wire
from tests.property.adapter_machine import LEVELS, PAUSES
from tests.property.capital_machine import NAMES, CapitalMachine
from tests.property.listing_machine import CHANGED, LOTS, MULTIPLIERS, TICKS
from tests.property.rig import ADAPTERS, STRATEGIES, SYMBOLS
from tidegate.v1 import admin_pb2, common_pb2, orders_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = range(300 if os.environ.get("TIDEGATE_HYPOTHESIS") == "long" else 12)
STEPS = 150

TestGate = CapitalMachine.TestCase

_SIZES = ("lots", "held", "half", "left", "flip", "large", "large", "large", "full", "full", "odd")
_WAYS_OUT = ("half", "left", "held")
_TRADE = orders_pb2.EXECUTION_TYPE_TRADE


class Day:
    """One long life by one seed, with the odds of a busy day: many orders and fills, few halts and crashes."""

    def __init__(self, seed: int) -> None:
        """Begin with a bar in which everything gets a price."""
        self.random = Random(seed)  # noqa: S311 -- a test that can be repeated
        self.machine = CapitalMachine()
        self.machine.first_bar(symbols=list(SYMBOLS))
        self.steps: list[tuple[int, Callable[[], None]]] = [
            (30, self.submit),
            (8, self.leave),
            (30, self.execute),
            (8, self.move),
            (2, self.crash_for_real),
            (6, lambda: self.machine.settle_and_complete(number=self.number())),
            (3, lambda: self.machine.settle(fill=True)),
            (6, self.transfer),
            (4, lambda: self.machine.cancel(number=self.number())),
            (4, self.claim),
            (4, self.operate),
            (3, lambda: self.machine.retry(number=self.number())),
            (3, lambda: self.machine.execute_again(number=self.number())),
            (3, self.machine.reopen),
            (15, self.replace),
            (5, self.take_back),
            (3, self.move_capital),
            (3, self.change_roster),
            (6, self.rebalance),
            (3, self.adapters),
            (4, self.pass_time),
            (1, lambda: self.machine.check(self.draft(*self.place(), self.random.choice(_SIZES)))),
            (1, lambda: self.machine.replace_again(number=self.number()) if self.machine.replaced else None),
            (1, self.crash),
            (2, self.list_anew),
        ]

    def live(self, steps: int) -> None:
        weights = [weight for weight, _ in self.steps]
        self.submit()
        self.execute()
        for _, step in self.random.choices(self.steps, weights, k=steps):
            step()

    def number(self) -> int:
        return self.random.randrange(1_000)

    def submit(self) -> None:
        self.order(*self.place(), self.random.choice(_SIZES))

    def place(self) -> tuple[str, str]:
        pick = self.random.choice
        return pick([*STRATEGIES * 10, *wire.ADDED * 3, "ghost"]), pick([*SYMBOLS * 10, "GONE"])

    def leave(self) -> None:
        """Order a way out of a position."""
        held = [place for place, quantity in self.machine.rig.naive.held.items() if place[0] and quantity]
        if held:
            self.order(*self.random.choice(held), self.random.choice(_WAYS_OUT))

    def order(self, strategy_id: str, symbol: str, size: str) -> None:
        self.machine.submit([self.draft(strategy_id, symbol, size)], alone=True)

    def draft(self, strategy_id: str, symbol: str, size: str) -> wire.OrderDraft:
        pick = self.random.choice
        return wire.OrderDraft(
            strategy_id=strategy_id,
            symbol=symbol,
            side=pick([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL]),
            size=size,
            lots=self.random.randint(1, 300),
            limit=pick([None, None, *wire.LIMIT_FACTORS]),
            reduce_only=self.random.random() < 1 / 20,
            route=pick([*("", "paper", "spare") * 10, "fax"]),
            emergency=self.random.random() < 1 / 10,
        )

    def replace(self) -> None:
        pick = self.random.choice
        draft = wire.ReplaceDraft(
            number=self.number(),
            size=pick(wire.REPLACE_SIZES),
            lots=self.random.randint(1, 300),
            limit=pick([*wire.LIMIT_FACTORS * 4, None]),
            reuse=self.random.random() < 1 / 20,
        )
        self.machine.replace(draft)

    def take_back(self) -> None:
        pick = self.random.choice
        draft = wire.ReversalDraft(
            number=self.number(), portion=pick(wire.CORRECTIONS), slip=pick(wire.SLIPS), fee=pick(["", "1.25", "-0.31"])
        )
        self.machine.take_back(draft)

    def move_capital(self) -> None:
        self.machine.move_capital(
            self.random.choice(["0.00000001", "999.99", "25000", "100000.00"]), take=self.random.random() < 1 / 2
        )

    def change_roster(self) -> None:
        """Add and remove strategies; those of the portfolio file leave late and seldom, so that a life goes on."""
        pick = self.random.choice
        name = pick([*wire.ADDED * 8, *STRATEGIES])
        match self.random.randrange(6):
            case 0:
                self.machine.remove_strategy(name)
            case 1:
                self.machine.liquidate(name, remove=self.random.random() < 1 / 2)
                self.machine.settle(fill=True)
            case _:
                name, route = pick(wire.ADDED), pick(["paper", "spare", ""])
                self.machine.add_strategy(name, pick(["", "999.99", "25000"]), route)

    def rebalance(self) -> None:
        names = self.random.sample(NAMES, self.random.randint(0, 3))
        self.machine.rebalance(names, self.number(), dry_run=self.random.random() < 1 / 8)
        if self.machine.rebalanced and self.random.random() < 1 / 8:
            self.machine.rebalance_again(self.number())
        if self.random.random() < 1 / 2:
            self.machine.settle(fill=True)

    def adapters(self) -> None:
        adapter = self.random.choice(ADAPTERS)
        match self.random.randrange(4):
            case 0:
                level = self.random.choice([common_pb2.HALT_LEVEL_UNSPECIFIED] * 3 + [*LEVELS])
                self.machine.open_session(adapter, self.random.choice([0, 5, 60]), level)
                self.pass_time()
            case 1:
                self.machine.heartbeat(adapter, right=True)
            case 2:
                self.machine.close_session(adapter, right=self.random.random() < 1 / 2)
            case _:
                self.machine.watch(adapter, self.number())

    def crash(self) -> None:
        """Come back from the journal; silence is counted from the first tick."""
        self.machine.restart()
        self.machine.advance_time()
        self.pass_time()

    def list_anew(self) -> None:
        """Change an instrument's terms."""
        pick = self.random.choice
        self.machine.change_instrument(pick(CHANGED), pick(TICKS), pick(LOTS), pick(MULTIPLIERS), pick(["", "tech"]))

    def pass_time(self) -> None:
        if self.random.random() < 1 / 2:
            self.machine.advance_time()
        else:
            self.machine.wait(self.random.choice(wire.MODERATE), step=self.random.choice(PAUSES))

    def execute(self) -> None:
        pick = self.random.choice
        draft = wire.ExecutionDraft(
            number=self.number(),
            kind=pick([_TRADE] * 12 + wire.EXECUTION_TYPES),
            portion=pick([Fraction(1), Fraction(1), Fraction(1, 3), Fraction(1, 2), Fraction(3, 2)]),
            slip=pick(wire.SLIPS),
            fee=pick(["", "1.25", "-0.31", "17.00000001", "900"]),
            symbol=pick([*SYMBOLS, "GONE"]),
            side=pick([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL]),
        )
        self.machine.execute([draft])

    def move(self) -> None:
        factors = wire.MODERATE * 6 + wire.CRASHING
        moves = {symbol: self.random.choice(factors) for symbol in SYMBOLS}
        if self.random.random() < 2 / 3:
            self.machine.publish_bar(moves, step=self.random.randint(1, 40))
        else:
            symbols = self.random.sample(SYMBOLS, 2)
            feed = self.random.choice(["", "rough"])
            self.machine.publish_prices(symbols, self.random.choice(factors), self.random.randint(-1, 30), feed)

    def crash_for_real(self) -> None:
        factors, steps = self.random.choices(wire.CRASHING, k=4), self.random.choices(range(-1, 3), k=5)
        self.machine.crash_for_real(self.random.choice(SYMBOLS), factors, steps)

    def transfer(self) -> None:
        source, destination = self.random.sample(["", *STRATEGIES], 2)
        amount = self.random.choice(["0.00000001", "999.99", "25000", "100000.00"])
        self.machine.transfer(source, destination, amount)

    def claim(self) -> None:
        self.machine.claim([self.number()], self.random.choice(["", "", "", *ADAPTERS]))

    def operate(self) -> None:
        kind, names = self.random.choice(
            [
                (common_pb2.SCOPE_KIND_PORTFOLIO, ("",)),
                (common_pb2.SCOPE_KIND_STRATEGY, STRATEGIES),
                (common_pb2.SCOPE_KIND_INSTRUMENT, SYMBOLS),
            ]
        )
        scope = common_pb2.Scope(kind=kind, name=self.random.choice(names))
        match self.random.randrange(6):
            case 0:
                self.machine.pause_or_resume(self.random.choice(STRATEGIES), resume=False)
            case 1:
                self.machine.reset(scope, admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP)
            case 2:
                self.machine.halt(scope, common_pb2.HALT_LEVEL_REDUCE_ONLY, flatten=False)
                for adapter in ADAPTERS:
                    self.machine.claim([self.number() for _ in range(3)], adapter)
                    self.machine.watch(adapter, number=0)
            case 3:
                self.machine.cancel_all(scope)
            case 4:
                self.machine.flatten(scope)
                for _ in range(5):
                    self.execute()
            case _:
                self.machine.halt(scope, common_pb2.HALT_LEVEL_HALTED, flatten=self.random.random() < 1 / 3)


@pytest.mark.control("conservation", "gross-exposure", "concentration", "way-out", "continuity", "explanation")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_day_of_trading_keeps_every_invariant(seed: int) -> None:
    """Nothing that holds in a short life is lost in a long one, and it can be replayed."""
    day = Day(seed)
    try:
        day.live(STEPS)
    finally:
        day.machine.teardown()
