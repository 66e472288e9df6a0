"""The portfolio file: read, checked whole, and refused with file, line and key before anything starts."""

from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tidegate.clocks import BARS, WALL
from tidegate.instruments import Instrument
from tidegate.numbers import FRACTION_DIGITS_MAX, INTEGER_DIGITS_MAX, ONE, ZERO, parse, plain, round_money
from tidegate.risk.consequences import GATE
from tidegate.risk.limits import Limits
from tidegate.risk.terms import CASH, MARGIN
from tidegate.times import NS_PER_S
from tidegate.v1 import journal_pb2, order_rules_pb2
from tidegate.yaml_file import Problem, duplicates, read_yaml

_DEFAULTS = Limits()


def _bounded(number: Decimal) -> Decimal:
    # A far exponent is refused unwritten: its plain spelling has that many digits.
    if abs(number.adjusted()) > INTEGER_DIGITS_MAX or parse(format(number, "f")) is None:
        message = f"takes at most {INTEGER_DIGITS_MAX} digits before the point and {FRACTION_DIGITS_MAX} behind"
        raise ValueError(message)
    return number


Positive = Annotated[Decimal, Field(gt=0), AfterValidator(_bounded)]
Share = Annotated[Decimal, Field(gt=0, le=1), AfterValidator(_bounded)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


def _text(number: Decimal | None) -> str:
    return "" if number is None else plain(number)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InstrumentSection(_Section):
    """One instrument that may be traded; everything else is refused."""

    symbol: Name
    tick: Positive = Decimal("0.01")
    lot: Positive = ONE
    multiplier: Positive = ONE
    currency: str | None = None
    sector: str = ""
    asset_class: str = "equity"
    min_quantity: Positive | None = None
    max_quantity: Positive | None = None
    min_notional: Positive | None = None
    max_notional: Positive | None = None
    calendar: str = ""

    @model_validator(mode="after")
    def _has_room_between_its_sizes(self) -> Self:
        for what in ("quantity", "notional"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if least is not None and most is not None and least > most:
                message = f"min_{what} is above max_{what}"
                raise ValueError(message)
        return self


class RatesSection(_Section):
    """How many orders, and of how much; none is asked for when left out."""

    max_messages_per_s: Count | None = None
    max_working_orders: Count | None = None
    max_daily_quantity: Positive | None = None
    max_daily_notional: Positive | None = None

    def rates(self) -> order_rules_pb2.OrderRates | None:
        """Write the rates; None when nothing is asked."""
        rates = order_rules_pb2.OrderRates(
            max_messages_per_s=self.max_messages_per_s or 0,
            max_working_orders=self.max_working_orders or 0,
            max_daily_quantity=_text(self.max_daily_quantity),
            max_daily_notional=_text(self.max_daily_notional),
        )
        return rates if rates.ByteSize() else None


class CollarSection(_Section):
    """How far from the mark a price may be; passive: also on the side where it only waits."""

    share: Annotated[Decimal, Field(gt=0, lt=1), AfterValidator(_bounded)]
    passive: bool = False


class PriceMoveSection(_Section):
    """How far the mark may have moved within some seconds, as a share; more stops added risk."""

    share: Positive
    within_s: Annotated[int, Field(ge=1, le=86_400)]


class ThrottleSection(_Section):
    """So many fills of one strategy, instrument and side within so many seconds turn it off."""

    fills: Annotated[int, Field(ge=2, le=1_000)]
    within_s: Annotated[int, Field(ge=1, le=86_400)]
    scope: Literal["strategy", "instrument"] = "strategy"


class OrdersSection(RatesSection):
    """What is asked of every order; the rates are those of all strategies together."""

    collar: CollarSection | None = None
    price_move: PriceMoveSection | None = None
    duplicate_within_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    throttle: ThrottleSection | None = None
    refuse_self_trade: bool = False

    def to_wire(self) -> order_rules_pb2.OrderRules | None:
        """Write the rules; None when nothing is asked."""
        collar, move, throttle = self.collar, self.price_move, self.throttle
        rules = order_rules_pb2.OrderRules(
            collar=_text(collar.share if collar else None),
            collar_passive=collar is not None and collar.passive,
            max_price_move=_text(move.share if move else None),
            price_move_within_s=move.within_s if move else 0,
            duplicate_within_ms=self.duplicate_within_ms or 0,
            rates=self.rates(),
            throttle_fills=throttle.fills if throttle else 0,
            throttle_within_s=throttle.within_s if throttle else 0,
            throttle_instrument=throttle is not None and throttle.scope == "instrument",
            self_trade=self.refuse_self_trade,
        )
        return rules if rules.ByteSize() else None


class LimitsSection(_Section):
    """The portfolio's limits; ``null`` switches one off."""

    max_leverage: Positive | None = _DEFAULTS.max_leverage
    warn_leverage: Positive | None = _DEFAULTS.warn_leverage
    max_concentration: Positive | None = _DEFAULTS.max_concentration
    warn_concentration: Positive | None = _DEFAULTS.warn_concentration
    halt_drawdown: Share | None = _DEFAULTS.halt_drawdown
    max_drawdown: Share | None = _DEFAULTS.max_drawdown
    warn_drawdown: Share | None = _DEFAULTS.warn_drawdown
    max_order_notional: Positive | None = None
    max_order_quantity: Positive | None = None
    max_price_age_s: Annotated[int, Field(ge=1, le=31_536_000)] = 60


class StrategySection(RatesSection):
    """One strategy: its code (none for kind external), its capital, and who routes its orders."""

    id: Name
    code: Annotated[ImportPath | None, Field(alias="class")] = None
    kind: Literal["cash", "margin", "external"] = "cash"
    allocation: Share
    max_leverage: Positive = ONE
    route: Name | None = None
    parameters: dict[str, Any] = {}
    instruments: Annotated[list[Name], Field(min_length=1)] | None = None
    short_selling: bool = True

    @model_validator(mode="after")
    def _has_code_unless_external(self) -> Self:
        if (self.code is None) is not (self.kind == "external"):
            message = "a strategy has a class, and one of kind external has none"
            raise ValueError(message)
        if self.code is not None and self.route is None:
            message = "a strategy with a class needs a route: the adapter that sends its orders"
            raise ValueError(message)
        return self


class AdapterSection(_Section):
    """
    A broker adapter that orders may be routed to.

    synchronised: strategies see a bar only once this adapter has reported on it; for replays.
    command: started by ``tidegate run`` as a process of its own, with ``--address`` and ``--adapter`` added.
    """

    name: Name
    synchronised: bool = False
    command: list[str] = []


class OperatorSection(_Section):
    """The operator that a replay simulates: resets a halt after some bars, by the real ResetHalt."""

    name: Name
    reset_after_bars: Annotated[int, Field(ge=1)]
    high_water_mark: Literal["rebase", "keep"] = "rebase"
    reason: Annotated[str, Field(min_length=1, max_length=500)] = "scheduled review"


class ReplaySection(_Section):
    """Where a replay's prices come from: a function that returns a table, dates down, symbols across."""

    prices: ImportPath
    operator: OperatorSection | None = None


class PortfolioFile(_Section):
    """A whole portfolio file."""

    name: Name
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3,4}$")]
    capital: Positive
    clock: Literal["wall", "bars"] = "wall"
    bar_deadline_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    route_within_s: Annotated[int, Field(ge=1, le=86_400)] = 30
    limits: LimitsSection = LimitsSection()
    orders: OrdersSection = OrdersSection()
    instruments: Annotated[list[InstrumentSection], Field(min_length=1)]
    strategies: Annotated[list[StrategySection], Field(min_length=1)]
    adapters: list[AdapterSection] = []
    replay: ReplaySection | None = None

    def problems(self) -> Iterator[Problem]:
        """Find what no single key shows: sums, duplicates and names without a meaning, with their places."""
        yield from duplicates("instruments", "symbol", [i.symbol for i in self.instruments])
        yield from duplicates("strategies", "id", [s.id for s in self.strategies])
        yield from duplicates("adapters", "name", [a.name for a in self.adapters])
        symbols = {instrument.symbol for instrument in self.instruments}
        total, adapters = ZERO, {adapter.name for adapter in self.adapters}
        for index, strategy in enumerate(self.strategies):
            total += strategy.allocation
            if total > ONE:
                text = f"allocations add up to {plain(total * 100)}%, over 100%"
                yield Problem(("strategies", index, "allocation"), text)
            unknown = [name for name in strategy.instruments or [] if name not in symbols]
            for name in unknown:
                yield Problem(("strategies", index, "instruments"), f"no instrument is called {name}")
            if strategy.route is not None and strategy.route not in adapters:
                yield Problem(("strategies", index, "route"), f"no adapter is called {strategy.route}")
        for index, instrument in enumerate(self.instruments):
            if instrument.currency not in (None, self.currency):
                text = f"only {self.currency}, the portfolio's currency, can be traded"
                yield Problem(("instruments", index, "currency"), text)
        operator = self.replay.operator if self.replay is not None else None
        if operator is not None and operator.name.casefold() == GATE:
            yield Problem(("replay", "operator", "name"), f"{GATE} is the gate itself; nobody else has this name")
        if self.replay is not None and self.clock != "bars":
            yield Problem(("clock",), "a replay needs the clock to be bars")

    def to_wire(self) -> journal_pb2.PortfolioConfigured:
        """Write what the journal has to know: everything that decides, nothing that only runs."""
        limits = self.limits.model_dump(exclude={"max_price_age_s"})
        return journal_pb2.PortfolioConfigured(
            name=self.name,
            currency=self.currency,
            capital=plain(self.capital),
            instruments=[self._instrument(section).to_wire() for section in self.instruments],
            strategies=[self._terms(section) for section in self.strategies],
            limits=Limits(**limits, max_price_age_ns=self.limits.max_price_age_s * NS_PER_S).to_wire(),
            adapters=[adapter.name for adapter in self.adapters],
            synchronised_adapters=[adapter.name for adapter in self.adapters if adapter.synchronised],
            clock=BARS if self.clock == "bars" else WALL,
            route_within_s=self.route_within_s,
            order_rules=self.orders.to_wire(),
        )

    def _instrument(self, section: InstrumentSection) -> Instrument:
        figures = section.model_dump() | {"currency": section.currency or self.currency}
        return Instrument(**figures)

    def _terms(self, section: StrategySection) -> journal_pb2.StrategyTerms:
        return journal_pb2.StrategyTerms(
            strategy_id=section.id,
            kind=CASH if section.kind == "cash" else MARGIN,
            capital=plain(round_money(self.capital * section.allocation, self.currency, rounding=ROUND_DOWN)),
            max_leverage=plain(section.max_leverage),
            instruments=section.instruments or (),
            rates=section.rates(),
            long_only=section.kind != "cash" and not section.short_selling,
        )


def read_portfolio_file(
    path: Path, check: Callable[[PortfolioFile], Iterable[Problem]] = lambda _portfolio: ()
) -> PortfolioFile:
    """
    Read and check a portfolio file; ``check`` may find more that is wrong with it.

    Raises:
        ConfigurationError: one line a problem, each with file, line and key.
    """
    return read_yaml(path, PortfolioFile, lambda portfolio: list(portfolio.problems()) or check(portfolio))
