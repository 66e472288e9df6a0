"""Tests of the state as bytes."""
