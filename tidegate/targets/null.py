"""No risk model: every target passes as it is."""

from collections.abc import Sequence

from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel
from tidegate.targets.target import PortfolioTarget


class NullRiskModel(RiskModel):
    """Change nothing."""

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:  # noqa: ARG002 -- it looks at nothing
        """Return no change."""
        return []
