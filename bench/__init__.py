"""``make bench``: the gateway against a bare gRPC echo, on one machine, under one load."""
