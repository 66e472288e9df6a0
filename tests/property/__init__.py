"""Property tests of the bottom floor: random sequences against a real gate, held against a naive model."""
