"""One figure of a check, as an explanation shows it."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One number or word that was looked at, and what it was held against; an empty limit is none."""

    name: str
    actual: str
    limit: str = ""
