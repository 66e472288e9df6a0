"""The state as bytes: what a snapshot holds, what two states differ in."""
