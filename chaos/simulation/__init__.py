"""Seeded histories in one process: the real gate; journal, clock and the order of messages are in our hands."""
