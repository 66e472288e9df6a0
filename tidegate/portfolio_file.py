"""The portfolio file: read, checked whole, and refused with file, line and key before anything starts."""

from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidegate.account_section import AccountSection
from tidegate.clocks import BARS, WALL
from tidegate.instruments import Instrument
from tidegate.instruments_section import Currency, InstrumentSection, instrument_problems
from tidegate.limits_section import Leverage, LimitsSection, Positive, Share
from tidegate.numbers import ONE, ZERO, plain, round_money
from tidegate.orders_section import OrdersSection, RatesSection
from tidegate.price_bands_section import BANDS, PriceBandSection
from tidegate.reports_section import ReportsSection
from tidegate.risk.consequences import GATE
from tidegate.risk.limit_table import portfolio_limits
from tidegate.risk.scopes import Scope, groups_of, instrument_scope, strategy_scope
from tidegate.risk.terms import CASH, MARGIN
from tidegate.v1 import common_pb2, journal_pb2
from tidegate.yaml_file import Problem, duplicates, read_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]
_RESERVE_MIN = Decimal("0.10")
_ALLOCATION_MAX = Decimal("0.5")
ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RiskModelSection(_Section):
    """One risk model that a strategy's targets pass; run by the strategy itself, so the journal does not know it."""

    code: Annotated[ImportPath, Field(alias="class")]
    parameters: dict[str, Any] = {}


class StrategySection(RatesSection):
    """One strategy: its code (none for kind external), its capital, and who routes its orders."""

    id: Name
    code: Annotated[ImportPath | None, Field(alias="class")] = None
    kind: Literal["cash", "margin", "external"] = "cash"
    allocation: Share
    max_leverage: Leverage = ONE
    route: Name | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    risk_models: list[RiskModelSection] = Field(default_factory=list)
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
        if self.code is None and self.risk_models:
            message = "risk models look at a class's targets, and a strategy of kind external has none"
            raise ValueError(message)
        return self


class AdapterSection(_Section):
    """
    A broker adapter that orders may be routed to.

    synchronised: strategies see a bar only once this adapter has reported on it; for replays.
    command: started by ``tidegate run`` as a process of its own, with ``--address`` and ``--adapter`` added.
    account: the one whose statements are held against the books.
    """

    name: Name
    synchronised: bool = False
    command: list[str] = []
    account: AccountSection | None = None


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


class ErrorRateSection(_Section):
    """How many refused commands of a strategy, within how many seconds, are still let pass without a halt."""

    count: Annotated[int, Field(ge=1, le=10_000)]
    within_s: Annotated[int, Field(ge=1, le=3_600)]


class HaltsSection(_Section):
    """
    What belongs to a halt besides refusing orders.

    flatten: a halt to HALTED closes the scope's positions. four_eyes: a second person confirms a reset, within
    confirm_within_s. error_rate: halts a strategy by itself.
    """

    flatten: bool = False
    four_eyes: bool = False
    confirm_within_s: Annotated[int, Field(ge=1, le=86_400)] = 3_600
    error_rate: ErrorRateSection | None = None

    def to_wire(self) -> journal_pb2.HaltRules | None:
        """Write what the journal has to know; nothing when nothing is asked for."""
        rules = journal_pb2.HaltRules(
            flatten=self.flatten, confirm_within_s=self.confirm_within_s if self.four_eyes else 0
        )
        if self.error_rate is not None:
            rules.error_count, rules.error_within_s = self.error_rate.count, self.error_rate.within_s
        return rules if rules.ByteSize() else None


class PortfolioFile(_Section):
    """
    A whole portfolio file.

    currencies: for each foreign currency, the fx instrument whose price is its rate. after_restart: the level after a
    restart that nobody has planned.
    reports: only runs beside the gate, and decides nothing: the journal does not know it.
    """

    name: Name
    currency: Currency
    currencies: dict[Currency, Name] = {}
    capital: Positive
    clock: Literal["wall", "bars"] = "wall"
    bar_deadline_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    route_within_s: Annotated[int, Field(ge=1, le=86_400)] = 30
    limits: LimitsSection = LimitsSection()
    orders: OrdersSection = OrdersSection()
    price_bands: list[PriceBandSection] = []
    halts: HaltsSection = HaltsSection()
    after_restart: Literal["as_journaled", "reduce_only"] = "as_journaled"
    reports: ReportsSection | None = None
    instruments: Annotated[list[InstrumentSection], Field(min_length=1)]
    strategies: Annotated[list[StrategySection], Field(min_length=1)]
    adapters: list[AdapterSection] = []
    replay: ReplaySection | None = None

    def problems(self) -> Iterator[Problem]:
        """Find what no single key shows: sums, duplicates and names without a meaning, with their places."""
        yield from duplicates("instruments", "symbol", [i.symbol for i in self.instruments])
        yield from duplicates("strategies", "id", [s.id for s in self.strategies])
        yield from duplicates("adapters", "name", [a.name for a in self.adapters])
        yield from self._strategy_problems()
        yield from instrument_problems(self.instruments, self.currency, self.currencies)
        yield from self._price_band_problems()
        yield from self._limit_problems()
        yield from self._account_problems()
        benchmark = self.reports.benchmark if self.reports is not None else ""
        if benchmark and benchmark not in {instrument.symbol for instrument in self.instruments}:
            yield Problem(("reports", "benchmark"), f"no instrument is called {benchmark}")
        operator = self.replay.operator if self.replay is not None else None
        if operator is not None and operator.name.casefold() == GATE:
            yield Problem(("replay", "operator", "name"), f"{GATE} is the gate itself; nobody else has this name")
        if operator is not None and self.halts.four_eyes:
            text = "with four eyes nobody resets alone, a replay's operator neither"
            yield Problem(("halts", "four_eyes"), text)
        if self.replay is not None and self.clock != "bars":
            yield Problem(("clock",), "a replay needs the clock to be bars")

    def _strategy_problems(self) -> Iterator[Problem]:
        """Find allocations over 100%, and strategies that name what there is not."""
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

    def _price_band_problems(self) -> Iterator[Problem]:
        """Find bands of instruments that there are not."""
        symbols = {instrument.symbol for instrument in self.instruments}
        for index, entry in enumerate(self.price_bands):
            if entry.symbol is not None and entry.symbol not in symbols:
                yield Problem(("price_bands", index, "symbol"), f"no instrument is called {entry.symbol}")

    def _account_problems(self) -> Iterator[Problem]:
        """Find accounts that stand twice, cash that is none, and halts of what there is not."""
        seen: set[str] = set()
        scopes = {strategy_scope(strategy.id) for strategy in self.strategies}
        scopes |= {instrument_scope(instrument.symbol) for instrument in self.instruments}
        for index, adapter in enumerate(self.adapters):
            account, place = adapter.account, ("adapters", index, "account")
            if account is None:
                continue
            if account.id in seen:
                yield Problem((*place, "id"), f"{account.id} stands twice")
            seen.add(account.id)
            for currency in account.cash:
                if currency != self.currency and currency not in self.currencies:
                    yield Problem((*place, "cash"), f"{currency} is no currency of this file")
            if account.halt is not None and account.halt.scope.name and account.halt.scope not in scopes:
                yield Problem((*place, "halt"), f"there is no {account.halt.scope}")

    def warnings(self) -> Iterator[str]:
        """Say what is allowed and unwise, a line each."""
        yield from self.limits.warnings()
        reserve = ONE - sum(strategy.allocation for strategy in self.strategies)
        if reserve < _RESERVE_MIN:
            yield f"strategies: the reserve is {plain(reserve * 100)}% of the capital; 10% or more is wise"
        for strategy in self.strategies:
            if strategy.allocation > _ALLOCATION_MAX:
                yield f"strategies: {strategy.id} has {plain(strategy.allocation * 100)}% of the capital, over half"

    def _limit_problems(self) -> Iterator[Problem]:
        """Find limits of what there is not, and limits that are stated twice."""
        known = {Scope(common_pb2.SCOPE_KIND_PORTFOLIO)}
        known |= {strategy_scope(strategy.id) for strategy in self.strategies}
        for section in self.instruments:
            known |= {instrument_scope(section.symbol), *groups_of(self._instrument(section))}
        stated = {limit.key for limit in portfolio_limits(self.limits.to_limits()) if not limit.is_none}
        for index, further in enumerate(self.limits.further):
            place, limit = ("limits", "further", index), further.to_limit()
            if limit.scope not in known:
                yield Problem(place, f"there is no {limit.scope}")
            if limit.key in stated:
                yield Problem(place, f"the {limit.scope} has a limit of {further.figure} with this action already")
            stated.add(limit.key)

    def to_wire(self) -> journal_pb2.PortfolioConfigured:
        """Write what the journal has to know: everything that decides, nothing that only runs."""
        return journal_pb2.PortfolioConfigured(
            name=self.name,
            currency=self.currency,
            capital=plain(self.capital),
            instruments=[self._instrument(section).to_wire() for section in self.instruments],
            strategies=[self._terms(section) for section in self.strategies],
            limits=self.limits.to_limits().to_wire(),
            further_limits=[further.to_limit().to_wire() for further in self.limits.further],
            adapters=[adapter.name for adapter in self.adapters],
            synchronised_adapters=[adapter.name for adapter in self.adapters if adapter.synchronised],
            clock=BARS if self.clock == "bars" else WALL,
            route_within_s=self.route_within_s,
            currency_rates=[journal_pb2.CurrencyRate(currency=c, symbol=s) for c, s in self.currencies.items()],
            order_rules=self.orders.to_wire(),
            price_bands=[band.to_wire() for band in (*BANDS, *(entry.to_band() for entry in self.price_bands))],
            routes=[journal_pb2.StrategyRoute(strategy_id=s.id, adapter=s.route) for s in self.strategies if s.route],
            halts=self.halts.to_wire(),
            reduce_only_after_restart=self.after_restart == "reduce_only",
            accounts=[a.account.to_wire(a.name) for a in self.adapters if a.account is not None],
            max_caller_messages_per_s=self.orders.max_caller_messages_per_s or 0,
        )

    def _instrument(self, section: InstrumentSection) -> Instrument:
        return section.to_instrument(self.currency)

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
