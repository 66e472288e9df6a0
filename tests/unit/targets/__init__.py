"""Unit tests of targets and the risk models that look at them."""
