"""Unit tests of the risk engine, through the gate."""
