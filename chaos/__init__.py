"""Kill anything, then check: a checker that knows nothing of the engine, a simulation, and runs with real processes."""
