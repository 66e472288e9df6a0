"""Outside prices, made up: two calm instruments and one that crashes."""

import pandas as pd

BARS = 60


def table() -> pd.DataFrame:
    """Return closes: UP climbs, FLAT waves, FALL loses half between bars 30 and 40."""
    rows = []
    for bar in range(BARS):
        fall = 50.0 if bar < 30 else 50.0 * max(0.5, 1.0 - 0.05 * (bar - 29))
        rows.append({"UP": 100.0 + bar, "FLAT": 20.0 + (bar % 5) * 0.25, "FALL": fall})
    return pd.DataFrame(rows, index=pd.bdate_range("2020-01-01", periods=BARS))
