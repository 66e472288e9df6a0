"""Unit tests of the bottom floor: real parts, no Ray, no gRPC, no clock."""
