"""Unit tests of the journal in SQLite."""
