"""Tests that need gRPC, Ray or processes of their own."""
