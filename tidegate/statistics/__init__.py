"""
Statistics of a portfolio, in float64: what is estimated, as against what is booked.

Needs the extra ``tidegate[statistics]``. Neither the engine nor a strategy's process imports it.
"""
