"""Option hedge: protective puts for what is long above a threshold, sized by their delta."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from tidegate import black_scholes
from tidegate.numbers import ZERO
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel, positive
from tidegate.targets.target import PortfolioTarget, whole_lots

_DAYS_A_YEAR = 365
_DIGITS = 8
# A put that hardly moves with its underlying would be bought without end.
_DELTA_MIN = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Put:
    """A put that protects one underlying: its instrument, its terms, and the yearly volatility to reckon with."""

    symbol: str
    strike: Decimal
    expiry: date
    volatility: Decimal

    @classmethod
    def read(cls, symbol: str, strike: Decimal | str, expiry: date | str, volatility: Decimal | str) -> "Put":
        """Read a put from a model's parameters; raises as ``positive`` does, and on what is no date."""
        day = expiry if isinstance(expiry, date) else date.fromisoformat(expiry)
        return cls(symbol, positive("strike", strike), day, positive("volatility", volatility))

    def days_left(self, context: RiskContext) -> int:
        """Return the days to expiry; on the day itself there is nothing left to hedge with."""
        return (self.expiry - context.time.date()).days

    def protection(self, context: RiskContext, spot: Decimal, rate: Decimal) -> Decimal:
        """Return what value of the underlying one unit of the put takes away; zero when it is of no use (any more)."""
        days = self.days_left(context)
        if days <= 0 or self.symbol in context.suppressed or self.symbol not in context.prices:
            return ZERO
        slope = black_scholes.delta(
            "put",
            spot=float(spot),
            strike=float(self.strike),
            years=days / _DAYS_A_YEAR,
            volatility=float(self.volatility),
            rate=float(rate),
        )
        protects = -Decimal(str(round(slope, _DIGITS)))
        if protects < _DELTA_MIN:
            return ZERO
        return protects * spot * context.instruments[self.symbol].multiplier * context.rate(self.symbol)


class OptionHedge(RiskModel):
    """
    Keep each underlying's long value, less what its puts take away, within a share of the equity.

    The puts are the model's: it buys as many whole lots as are needed, and sells what is no longer. What they cannot
    protect (expired, no price, a delta under 0.05, liquidated by another model) is not held: the target of the
    underlying is cut to the threshold. Strict: exactly at the threshold needs no put. What is short is not looked at.
    """

    def __init__(
        self, puts: Mapping[str, Mapping[str, Any]], threshold: Decimal | str = "0.20", rate: Decimal | str = "0.02"
    ) -> None:
        """Take the puts by their underlying, the threshold as a share of the equity, and the yearly riskless rate."""
        self._puts = {underlying: Put.read(**terms) for underlying, terms in sorted(puts.items())}
        self._threshold, self._rate = positive("threshold", threshold), Decimal(rate)
        self._known: set[str] = set()

    def on_instruments_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """
        Refuse a hedge of or by an instrument that nobody configured.

        Raises:
            ValueError: an underlying or its put is not there (any more).
        """
        self._known = (self._known | set(added)) - set(removed)
        missing = sorted({*self._puts, *(put.symbol for put in self._puts.values())} - self._known)
        if missing:
            message = f"the option hedge names {', '.join(missing)}, which cannot be traded"
            raise ValueError(message)

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:
        """Return the puts' targets where they change, and the underlyings' where puts do not help."""
        wanted = {target.symbol: target for target in targets}
        changed = []
        for underlying, put in self._puts.items():
            quantity = wanted[underlying].quantity if underlying in wanted else context.worst(underlying)
            spot, room = context.price(underlying), max(self._threshold * context.equity, ZERO)
            value = context.value(underlying, quantity)
            contracts = ZERO
            if spot is not None and value is not None and value > room:
                is_out = put.symbol in wanted and wanted[put.symbol].liquidates
                protection = ZERO if is_out else put.protection(context, spot, self._rate)
                if protection:
                    lot = context.instruments[put.symbol].lot
                    contracts = ((value - room) / protection / lot).to_integral_value(rounding=ROUND_CEILING) * lot
                else:
                    fits = whole_lots(quantity * room / value, context.instruments[underlying].lot)
                    changed.append(PortfolioTarget(underlying, fits, reason="its put does not protect it"))
            before = wanted[put.symbol].quantity if put.symbol in wanted else context.expected(put.symbol)
            if contracts != before and put.days_left(context) > 0:
                changed.append(PortfolioTarget(put.symbol, contracts))
        return changed
