"""Unit tests of what the portfolio has done."""
