"""``tidegate var``: how right the value at risk is, on real prices."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gateway.terminal import fail
from tidegate.errors import StatisticsError

if TYPE_CHECKING:
    from tidegate.statistics.backtest import Backtest, LikelihoodRatio
    from tidegate.statistics.vectors import Vector

var_app = typer.Typer(no_args_is_help=True, help="Judge the value at risk.")

_EXTRA = frozenset({"pandas", "scipy", "skfolio"})
_METHODS = ("historical", "filtered", "parametric")
# So that no row is wrapped where nobody watches.
_WIDTH = 4_096


@var_app.callback()
def var() -> None:
    """Judge the value at risk."""


@var_app.command()
def backtest(
    *,
    confidence: Annotated[list[float] | None, typer.Option(help="As in 0.95; may be given again.")] = None,
    window: Annotated[int, typer.Option(help="Sessions that each forecast is made from.")] = 500,
    method: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(_METHODS)}; may be given again.")] = None,
) -> None:
    """
    Forecast each session of the S&P 500, 1990 to 2022, from the sessions before it, and test what came of it.

    Kupiec asks whether losses beyond the forecast are as frequent as promised, Christoffersen whether they come apart.
    """
    levels, methods = confidence or [0.95, 0.99], method or list(_METHODS)
    if unknown := [name for name in methods if name not in _METHODS]:
        fail(f"no method {', '.join(unknown)}: {', '.join(_METHODS)}")
    try:
        days, returns = _index_returns()
        results = [(name, level, _run(returns, name, level, window)) for name in methods for level in levels]
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        fail(f"`tidegate var` needs {error.name}: install the extra tidegate[statistics]")
    except StatisticsError as error:
        fail(str(error))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    sessions = len(returns) - window
    title = f"S&P 500, {sessions:,} sessions, {days[window]} to {days[-1]}; window {window}, verdicts at 5%"
    console.print(title, highlight=False)
    console.print(_table(results))


def _index_returns() -> tuple[list[str], "Vector"]:
    """Return the days and the returns of the index that ships with skfolio, oldest first."""
    from skfolio.datasets import load_sp500_index  # noqa: PLC0415 -- an extra, and slow to import

    returns = load_sp500_index()["SP500"].pct_change().iloc[1:]
    return [str(day.date()) for day in returns.index], returns.to_numpy()


def _run(returns: "Vector", method: str, confidence: float, window: int) -> "Backtest":
    import numpy as np  # noqa: PLC0415 -- an extra

    from tidegate.statistics.backtest import assess, forecasts  # noqa: PLC0415 -- needs the extra
    from tidegate.statistics.value_at_risk import Method  # noqa: PLC0415 -- needs the extra

    steps = track(
        forecasts(returns, window, confidence, Method(method)),
        description=f"{method} {confidence:g}",
        total=max(0, len(returns) - window),
        console=Console(stderr=True),
        transient=True,
    )
    return assess(returns[window:], np.fromiter(steps, dtype=np.float64), confidence)


def _table(results: list[tuple[str, float, "Backtest"]]) -> Table:
    # 80 columns wide, so that it fits a plain terminal.
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("method", no_wrap=True)
    for name in ("conf.", "expected", "observed"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("Kupiec", "independence", "both"):
        table.add_column(name, no_wrap=True)
    for method, confidence, result in results:
        counts = f"{result.expected:,.1f}", f"{result.exceptions:,}"
        tests = result.coverage, result.independence, result.conditional
        table.add_row(method, f"{confidence:g}", *counts, *map(_shown, tests))
    return table


def _shown(test: "LikelihoodRatio") -> str:
    return str(test.verdict()) if test.p_value is None else f"{test.p_value:.3f} {test.verdict()}"
