"""What the portfolio file says about the reports of sessions: how they estimate, and what is too much in them."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ReportRules:
    """
    The figures are Chapter 8's; shares of equity but for the correlation and the leverage. Exactly at one passes.

    benchmark: the instrument that beta is against; empty for no beta. confidence, method: of the components and of each
    position. critical_drawdown: when a session ends so far below the high-water mark, that is an alert of its own.
    risk_free_rate: of a year, for the Sharpe ratio.
    """

    benchmark: str = ""
    confidence: Decimal = Decimal("0.95")
    method: str = "historical"
    position_risk: Decimal = Decimal("0.02")
    position_correlation: Decimal = Decimal("0.70")
    position_size: Decimal = Decimal("0.20")
    sector_exposure: Decimal = Decimal("0.30")
    leverage: Decimal = Decimal("2.0")
    critical_drawdown: Decimal = Decimal("0.10")
    risk_free_rate: Decimal = Decimal("0.02")
