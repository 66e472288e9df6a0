"""The portfolio file's ``reports``: that a report is made of every session, and what is too much in it."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tidegate.limits_section import Leverage, Share, bounded
from tidegate.report_rules import ReportRules

_DEFAULTS = ReportRules()
Rate = Annotated[Decimal, Field(gt=-1, lt=1), AfterValidator(bounded)]
Confidence = Annotated[Decimal, Field(ge=Decimal("0.5"), lt=1), AfterValidator(bounded)]


class ReportsSection(BaseModel):
    """The section; without it no report is made, and its process is not started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: str = _DEFAULTS.benchmark
    confidence: Confidence = _DEFAULTS.confidence
    method: Literal["historical", "filtered", "parametric"] = "historical"
    position_risk: Share = _DEFAULTS.position_risk
    position_correlation: Share = _DEFAULTS.position_correlation
    position_size: Share = _DEFAULTS.position_size
    sector_exposure: Share = _DEFAULTS.sector_exposure
    leverage: Leverage = _DEFAULTS.leverage
    critical_drawdown: Share = _DEFAULTS.critical_drawdown
    risk_free_rate: Rate = _DEFAULTS.risk_free_rate

    def to_rules(self) -> ReportRules:
        """Turn the section into what the report is made by."""
        return ReportRules(**self.model_dump())
