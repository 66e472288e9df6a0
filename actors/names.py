"""The names under which the actors are found again."""

NAMESPACE = "tidegate"
RISK_MANAGER = "RiskManager"
ALLOCATOR = "PortfolioAllocator"
REPORTER = "RiskReporter"


def strategy_name(strategy_id: str) -> str:
    """Name a strategy's actor."""
    return f"Strategy:{strategy_id}"


def gateway_name(name: str) -> str:
    """Name the actor of a gateway apart."""
    return f"Gateway:{name}"
