"""Targets instead of orders: what a strategy wants to hold, the risk models that look at it, and what is to be done."""
