"""The portfolio of a test that brings none of its own."""

from tidegate.portfolio_file import PortfolioFile

# One strategy that trades from outside, one adapter, two instruments; the other limits are those of any portfolio file.
DEFAULT_PORTFOLIO = PortfolioFile.model_validate(
    {
        "name": "testing",
        "currency": "USD",
        "capital": "1000000",
        "clock": "wall",
        # A day, so that a debugger's break does not make a price stale.
        "limits": {"max_price_age_s": 86_400},
        "instruments": [{"symbol": "AAA"}, {"symbol": "BBB"}],
        "strategies": [{"id": "desk", "kind": "external", "allocation": "0.9"}],
        "adapters": [{"name": "broker"}],
    }
)
