"""The names under which the actors are found again."""

NAMESPACE = "tidegate"
RISK_MANAGER = "RiskManager"
ALLOCATOR = "PortfolioAllocator"
REPORTER = "RiskReporter"

# What a node offers that the journal is near: the RiskManager runs on such a node, and on no other.
JOURNAL_RESOURCE = "tidegate_journal"
# What everything else asks for. Ray spreads only what asks for something, and starts it where there is a CPU for it:
# a head that offers none runs nothing of the portfolio.
CPU_SHARE = 0.001


STRATEGY = "Strategy:"
GATEWAY = "Gateway:"


def strategy_name(strategy_id: str) -> str:
    """Name a strategy's actor."""
    return f"{STRATEGY}{strategy_id}"


def gateway_name(name: str) -> str:
    """Name the actor of a gateway apart."""
    return f"{GATEWAY}{name}"
