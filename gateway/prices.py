"""Prices for a replay: a table from a user's function, as bars."""

import math
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
    """One row of the table: a bar at its time, UTC; a date is its midnight."""

    time_ns: int
    request: market_data_pb2.PublishBarsRequest


class Prices:
    """
    A table of closes: dates down, symbols across, as a pandas DataFrame is. Gaps (NaN) are instruments without a bar.

    Only the symbols of the portfolio file are taken; a row of gaps only is left out.
    """

    def __init__(self, source: str, symbols: list[str], *, folder: Path, begin: date | None, end: date | None) -> None:
        """
        Call the function ``module:name`` and cut the table to the period, both ends included.

        Raises:
            ConfigurationError: there is no such function, it fails, or its table lacks a symbol or has no times.
        """
        try:
            table: Any = load(source, folder)()
            missing = [symbol for symbol in symbols if symbol not in table.columns]
            rows = table.loc[begin and str(begin) : end and str(end), [s for s in symbols if s not in missing]]
            times = [_time_ns(moment) for moment in rows.index]
        except Exception as error:
            hint = "; it comes with the extra tidegate[demo]" if source.startswith("skfolio.") else ""
            message = f"cannot load the prices {source}: {type(error).__name__}: {error}{hint}"
            raise ConfigurationError(message) from error
        if missing:
            message = f"the prices {source} have no {', '.join(missing)}"
            raise ConfigurationError(message)
        self._sessions = [
            Session(time_ns, request)
            for time_ns, row in zip(times, rows.to_numpy(), strict=True)
            if (request := _bar(time_ns, symbols, row)).bars
        ]

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self._sessions)

    def sessions(self) -> Iterator[Session]:
        """Return the bars, oldest first."""
        return iter(self._sessions)


def _bar(time_ns: int, symbols: list[str], row: Any) -> market_data_pb2.PublishBarsRequest:
    request = market_data_pb2.PublishBarsRequest(time=to_stamp(time_ns))
    for symbol, close in zip(symbols, row, strict=True):
        if math.isfinite(close):
            request.bars.add(symbol=symbol, close=plain(round_ratio(Decimal(repr(float(close))))))
    return request


def _time_ns(moment: Any) -> int:
    when: datetime = moment.to_pydatetime()
    return from_datetime(when if when.tzinfo is not None else when.replace(tzinfo=UTC))
