"""Prices for a replay: a table from a user's function, as bars."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tidegate.errors import ConfigurationError
from tidegate.imports import load
from tidegate.numbers import plain, round_ratio
from tidegate.times import from_datetime, to_stamp
from tidegate.v1 import market_data_pb2


class Session(NamedTuple):
    """One row of the table: a bar at midnight, UTC, of its date."""

    time_ns: int
    request: market_data_pb2.PublishBarsRequest


class Prices:
    """
    A table of closes: dates down, symbols across, as a pandas DataFrame is. Gaps (NaN) are instruments without a bar.

    Only the symbols of the portfolio file are taken.
    """

    def __init__(self, source: str, symbols: list[str], *, folder: Path, begin: date | None, end: date | None) -> None:
        """
        Call the function ``module:name`` and cut the table to the period, both ends included.

        Raises:
            ConfigurationError: there is no such function, or the table lacks a symbol.
        """
        try:
            table: Any = load(source, folder)()
        except (ImportError, AttributeError) as error:
            hint = "; it comes with the extra tidegate[demo]" if source.startswith("skfolio.") else ""
            message = f"cannot load the prices {source}: {error}{hint}"
            raise ConfigurationError(message) from error
        if missing := [symbol for symbol in symbols if symbol not in table.columns]:
            message = f"the prices {source} have no {', '.join(missing)}"
            raise ConfigurationError(message)
        self._symbols = symbols
        self._table = table.loc[begin and str(begin) : end and str(end), symbols]

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self._table)

    def sessions(self) -> Iterator[Session]:
        """Return the bars, oldest first."""
        for moment, row in zip(self._table.index, self._table.to_numpy(), strict=True):
            time_ns = from_datetime(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))
            request = market_data_pb2.PublishBarsRequest(time=to_stamp(time_ns))
            for symbol, close in zip(self._symbols, row, strict=True):
                if close == close:  # noqa: PLR0124 -- NaN is the one number that differs from itself
                    request.bars.add(symbol=symbol, close=plain(round_ratio(Decimal(repr(float(close))))))
            yield Session(time_ns, request)
