"""Protobuf messages and gRPC stubs, generated from protos/tidegate/v1 by scripts/generate_protos.py."""
