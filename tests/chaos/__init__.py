"""The checker must be able to fail, the simulation must find what is planted, and a short run kills real processes."""
