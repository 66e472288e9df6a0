"""Unit tests of the gateway's parts that need neither Ray nor gRPC."""
