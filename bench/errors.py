"""What ends a benchmark."""


class BenchError(Exception):
    """A run that did not do what its figure would claim; there is no figure then."""
