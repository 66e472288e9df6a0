"""The limits of a portfolio file: a profile, the portfolio's own, and further ones of any scope."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tidegate.numbers import FRACTION_DIGITS_MAX, INTEGER_DIGITS_MAX, parse, plain
from tidegate.risk.limit import CONFIDENCE, CORRELATION_MAX, LEVERAGE_MAX, SCOPES, Limit, figure_name
from tidegate.risk.limit_changes import fault_of
from tidegate.risk.limits import Limits
from tidegate.risk.scopes import Scope
from tidegate.times import NS_PER_S
from tidegate.v1 import common_pb2

_DEFAULTS = Limits()
_FIGURES = {figure_name(figure): figure for figure in SCOPES}
_KINDS = {
    "strategy": common_pb2.SCOPE_KIND_STRATEGY,
    "instrument": common_pb2.SCOPE_KIND_INSTRUMENT,
    "sector": common_pb2.SCOPE_KIND_SECTOR,
    "asset_class": common_pb2.SCOPE_KIND_ASSET_CLASS,
}
_WARNED = (
    ("warn_leverage", "max_leverage"),
    ("warn_concentration", "max_concentration"),
    ("warn_drawdown", "max_drawdown"),
)

# RustyBT's examples; the warnings, which they leave above their limits, come at the same part of them as by default.
PROFILES: dict[str, dict[str, Decimal]] = {
    "standard": {},
    "conservative": {
        "max_leverage": Decimal("1.5"),
        "warn_leverage": Decimal("1.35"),
        "max_concentration": Decimal("0.10"),
        "warn_concentration": Decimal("0.075"),
        "max_drawdown": Decimal("0.12"),
        "warn_drawdown": Decimal("0.08"),
    },
    "aggressive": {
        "max_leverage": Decimal("4.0"),
        "warn_leverage": Decimal("3.6"),
        "max_concentration": Decimal("0.25"),
        "warn_concentration": Decimal("0.1875"),
        "max_drawdown": Decimal("0.20"),
        "warn_drawdown": Decimal("0.13"),
    },
}


def bounded(number: Decimal) -> Decimal:
    """Take a number of a bounded length; a far exponent is refused unwritten, for its spelling has that many digits."""
    if abs(number.adjusted()) > INTEGER_DIGITS_MAX or parse(format(number, "f")) is None:
        message = f"takes at most {INTEGER_DIGITS_MAX} digits before the point and {FRACTION_DIGITS_MAX} behind"
        raise ValueError(message)
    return number


Positive = Annotated[Decimal, Field(gt=0), AfterValidator(bounded)]
Share = Annotated[Decimal, Field(gt=0, le=1), AfterValidator(bounded)]
Leverage = Annotated[Decimal, Field(gt=0, le=LEVERAGE_MAX), AfterValidator(bounded)]


class FurtherLimit(BaseModel):
    """One limit of any scope: without a strategy, instrument, sector or asset class it is the portfolio's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    figure: Literal[
        "leverage",
        "concentration",
        "gross_exposure",
        "drawdown",
        "daily_loss",
        "order_quantity",
        "order_notional",
        "value_at_risk",
        "expected_shortfall",
        "volatility",
        "net_exposure",
        "strategy_correlation",
    ]
    strategy: str | None = None
    instrument: str | None = None
    sector: str | None = None
    asset_class: str | None = None
    warn: Positive | None = None
    limit: Positive | None = None
    action: Literal["warn", "reduce", "reject", "halt"] = "reject"
    confidence: Share = CONFIDENCE
    on_undefined: Literal["warn", "reject"] = "reject"

    @model_validator(mode="before")
    @classmethod
    def _take_default(cls, data: Any) -> Any:
        if (
            isinstance(data, dict)
            and data.get("figure") == "strategy_correlation"
            and not data.keys() & {"warn", "limit"}
        ):
            return {**data, "limit": CORRELATION_MAX}
        return data

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if len(self._named()) > 1:
            message = "a limit has one scope: a strategy, an instrument, a sector or an asset_class"
            raise ValueError(message)
        limit = self.to_limit()
        if limit.is_none:
            message = "a limit needs warn, limit or both"
            raise ValueError(message)
        if fault := fault_of(limit):
            raise ValueError(fault)
        return self

    @property
    def scope(self) -> Scope:
        """What it limits."""
        for kind, name in self._named():
            return Scope(_KINDS[kind], name)
        return Scope(common_pb2.SCOPE_KIND_PORTFOLIO)

    def to_limit(self) -> Limit:
        """Turn the entry into a limit."""
        action = common_pb2.Action.Value(f"ACTION_{self.action.upper()}")
        on_undefined = common_pb2.Action.Value(f"ACTION_{self.on_undefined.upper()}")
        figures = (self.scope, self.warn, self.limit, action)
        return Limit(_FIGURES[self.figure], *figures, confidence=self.confidence, on_undefined=on_undefined)

    def _named(self) -> list[tuple[str, str]]:
        return [(kind, name) for kind in _KINDS if (name := getattr(self, kind)) is not None]


class LimitsSection(BaseModel):
    """The portfolio's limits; ``null`` switches one off, ``profile`` says what those are that are not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Literal["standard", "conservative", "aggressive"] = "standard"
    max_leverage: Leverage | None = _DEFAULTS.max_leverage
    warn_leverage: Leverage | None = _DEFAULTS.warn_leverage
    max_concentration: Positive | None = _DEFAULTS.max_concentration
    warn_concentration: Positive | None = _DEFAULTS.warn_concentration
    halt_drawdown: Share | None = _DEFAULTS.halt_drawdown
    max_drawdown: Share | None = _DEFAULTS.max_drawdown
    warn_drawdown: Share | None = _DEFAULTS.warn_drawdown
    max_order_notional: Positive | None = None
    max_order_quantity: Positive | None = None
    max_price_age_s: Annotated[int, Field(ge=1, le=31_536_000)] = 60
    further: list[FurtherLimit] = []

    @model_validator(mode="before")
    @classmethod
    def _take_profile(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {**PROFILES.get(str(data.get("profile")), {}), **data}

    def to_limits(self) -> Limits:
        """Turn the section's own keys into the portfolio's limits."""
        figures = self.model_dump(exclude={"profile", "max_price_age_s", "further"})
        return Limits(**figures, max_price_age_ns=self.max_price_age_s * NS_PER_S)

    def warnings(self) -> Iterator[str]:
        """Say what is allowed and unwise."""
        for warn_name, limit_name in _WARNED:
            warn, limit = getattr(self, warn_name), getattr(self, limit_name)
            if limit is not None and (warn is None or warn > limit):
                yield f"limits: nothing warns before {limit_name} {plain(limit)}; set {warn_name} below it"
        for index, further in enumerate(self.further):
            if further.warn is None and further.limit is not None and not further.figure.startswith("order_"):
                yield f"limits.further[{index}]: nothing warns before the {further.figure} limit {plain(further.limit)}"
            if further.figure == "strategy_correlation" and further.on_undefined == "reject":
                yield (
                    f"limits.further[{index}]: no strategy can begin: one without 60 sessions of returns has no "
                    "correlation, and may not add risk; on_undefined: warn lets it"
                )
