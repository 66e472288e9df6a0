"""Three strategies, each one class in one file."""
