"""One limit: what it bounds, in which scope, from where on, and what is done above it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from tidegate.numbers import plain
from tidegate.risk.scopes import PORTFOLIO, Scope
from tidegate.times import to_ns, to_stamp
from tidegate.v1 import common_pb2, risk_pb2

Figure: TypeAlias = risk_pb2.LimitFigure.ValueType

LEVERAGE: Final = risk_pb2.LIMIT_FIGURE_LEVERAGE
CONCENTRATION: Final = risk_pb2.LIMIT_FIGURE_CONCENTRATION
GROSS_EXPOSURE: Final = risk_pb2.LIMIT_FIGURE_GROSS_EXPOSURE
DRAWDOWN: Final = risk_pb2.LIMIT_FIGURE_DRAWDOWN
DAILY_LOSS: Final = risk_pb2.LIMIT_FIGURE_DAILY_LOSS
ORDER_QUANTITY: Final = risk_pb2.LIMIT_FIGURE_ORDER_QUANTITY
ORDER_NOTIONAL: Final = risk_pb2.LIMIT_FIGURE_ORDER_NOTIONAL
VALUE_AT_RISK: Final = risk_pb2.LIMIT_FIGURE_VALUE_AT_RISK
EXPECTED_SHORTFALL: Final = risk_pb2.LIMIT_FIGURE_EXPECTED_SHORTFALL
VOLATILITY: Final = risk_pb2.LIMIT_FIGURE_VOLATILITY
NET_EXPOSURE: Final = risk_pb2.LIMIT_FIGURE_NET_EXPOSURE
STRATEGY_CORRELATION: Final = risk_pb2.LIMIT_FIGURE_STRATEGY_CORRELATION

_EVERYWHERE = frozenset(
    {
        common_pb2.SCOPE_KIND_PORTFOLIO,
        common_pb2.SCOPE_KIND_STRATEGY,
        common_pb2.SCOPE_KIND_INSTRUMENT,
        common_pb2.SCOPE_KIND_SECTOR,
        common_pb2.SCOPE_KIND_ASSET_CLASS,
    }
)
_OWNERS = frozenset({common_pb2.SCOPE_KIND_PORTFOLIO, common_pb2.SCOPE_KIND_STRATEGY})
_PORTFOLIO_ONLY = frozenset({common_pb2.SCOPE_KIND_PORTFOLIO})
# Where a figure has a meaning.
SCOPES: dict[Figure, frozenset[common_pb2.ScopeKind.ValueType]] = {
    LEVERAGE: _OWNERS,
    CONCENTRATION: _EVERYWHERE,
    GROSS_EXPOSURE: _EVERYWHERE,
    DRAWDOWN: _OWNERS,
    DAILY_LOSS: _OWNERS,
    ORDER_QUANTITY: _EVERYWHERE,
    ORDER_NOTIONAL: _EVERYWHERE,
    VALUE_AT_RISK: _PORTFOLIO_ONLY,
    EXPECTED_SHORTFALL: _PORTFOLIO_ONLY,
    VOLATILITY: _PORTFOLIO_ONLY,
    NET_EXPOSURE: _EVERYWHERE,
    STRATEGY_CORRELATION: _PORTFOLIO_ONLY,
}
# What is worked out on scenarios.
OF_SCENARIOS = frozenset({VALUE_AT_RISK, EXPECTED_SHORTFALL, VOLATILITY})
# What takes a history that there may not be.
MAY_BE_UNDEFINED = OF_SCENARIOS | {STRATEGY_CORRELATION}
CONFIDENCE = Decimal("0.95")
# Where a limit on it names no threshold (RustyBT).
CORRELATION_MAX = Decimal("0.80")
# Of what is a share of itself, all of it is the most that a limit may say.
SHARES = frozenset({DRAWDOWN, DAILY_LOSS})
# Above it a hedge fund is a bet; the configuration refuses it (RustyBT).
LEVERAGE_MAX = Decimal(6)


def figure_name(figure: Figure) -> str:
    """Name a figure in the portfolio file's words: ``daily_loss``."""
    return risk_pb2.LimitFigure.Name(figure).removeprefix("LIMIT_FIGURE_").lower()


class LimitKey(NamedTuple):
    """What there is one limit of."""

    figure: Figure
    scope: Scope
    action: common_pb2.Action.ValueType


@dataclass(frozen=True, slots=True)
class Limit:
    """
    Above ``warn`` an order is allowed with a warning, above ``limit`` the action is taken; None for no such threshold.

    operator, reason: who set it and why; empty for the portfolio file. expires_ns: 0 for never. confidence: of value at
    risk and expected shortfall. on_undefined: what is done while such a figure is undefined.
    """

    figure: Figure
    scope: Scope = PORTFOLIO
    warn: Decimal | None = None
    limit: Decimal | None = None
    action: common_pb2.Action.ValueType = common_pb2.ACTION_REJECT
    operator: str = ""
    reason: str = ""
    expires_ns: int = 0
    confidence: Decimal = CONFIDENCE
    on_undefined: common_pb2.Action.ValueType = common_pb2.ACTION_REJECT

    @property
    def key(self) -> LimitKey:
        """What it is the one limit of."""
        return LimitKey(self.figure, self.scope, self.action)

    @property
    def is_none(self) -> bool:
        """Whether it bounds nothing: it takes a limit away."""
        return self.warn is None and self.limit is None

    @classmethod
    def from_wire(cls, message: risk_pb2.Limit) -> "Limit":
        """Read a limit that was checked before it was recorded."""
        return cls(
            figure=message.figure,
            scope=Scope.from_wire(message.scope),
            warn=Decimal(message.warn) if message.warn else None,
            limit=Decimal(message.limit) if message.limit else None,
            action=message.action or common_pb2.ACTION_REJECT,
            operator=message.operator,
            reason=message.reason,
            expires_ns=to_ns(message.expires) if message.HasField("expires") else 0,
            confidence=Decimal(message.confidence) if message.confidence else CONFIDENCE,
            on_undefined=message.on_undefined or common_pb2.ACTION_REJECT,
        )

    def to_wire(self) -> risk_pb2.Limit:
        """Write the limit."""
        is_of_scenarios = self.figure in OF_SCENARIOS
        return risk_pb2.Limit(
            figure=self.figure,
            scope=self.scope.to_wire(),
            warn="" if self.warn is None else plain(self.warn),
            limit="" if self.limit is None else plain(self.limit),
            action=self.action,
            operator=self.operator,
            reason=self.reason,
            expires=to_stamp(self.expires_ns) if self.expires_ns else None,
            confidence=plain(self.confidence) if is_of_scenarios else "",
            on_undefined=self.on_undefined if self.figure in MAY_BE_UNDEFINED else common_pb2.ACTION_UNSPECIFIED,
        )
