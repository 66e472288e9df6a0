"""The names under which the actors are found again."""

NAMESPACE = "tidegate"
RISK_MANAGER = "RiskManager"
ALLOCATOR = "PortfolioAllocator"
GATEWAY = "Gateway"


def strategy_name(strategy_id: str) -> str:
    """Name a strategy's actor."""
    return f"Strategy:{strategy_id}"
