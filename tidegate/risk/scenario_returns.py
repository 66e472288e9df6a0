"""Whose returns an instrument has in the scenarios: its own, or those of its proxy while it has too few."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tidegate.risk.session_history import OBSERVATIONS_MIN, SESSIONS_MAX, SessionHistory

if TYPE_CHECKING:
    from tidegate.risk.book import Book

Vector = NDArray[np.float64]


class ScenarioReturns:
    """
    Returns by session, the newest last, in a window of one length for all: a session without one is 0.

    The window is all the instrument's own or all its proxy's, times the proxy's scale; a proxy of a proxy is not asked.
    """

    def __init__(self, book: "Book", history: SessionHistory) -> None:
        """Stand on a book's instruments and on its history."""
        self._book: Book = book
        self._history: SessionHistory = history

    def are_too_few(self, symbol: str) -> bool:
        """Tell whether neither the instrument nor its proxy has enough observations."""
        source, _ = self._source(symbol)
        return self._history.observations.get(source, 0) < OBSERVATIONS_MIN

    def of(self, symbol: str) -> Vector:
        """Return the window of an instrument."""
        source, scale = self._source(symbol)
        returns: Vector = np.zeros(SESSIONS_MAX)
        known = self._history.returns.get(source, ())
        if known:
            returns[-len(known) :] = [one or 0.0 for one in known]
        return returns * scale

    def _source(self, symbol: str) -> tuple[str, float]:
        """Return whose returns stand for an instrument's, and times how much."""
        observations = self._history.observations
        instrument = self._book.instruments.get(symbol)
        if instrument is None or not instrument.proxy or observations.get(symbol, 0) >= OBSERVATIONS_MIN:
            return symbol, 1.0
        if observations.get(instrument.proxy, 0) < OBSERVATIONS_MIN:
            return symbol, 1.0
        return instrument.proxy, float(instrument.proxy_scale)
