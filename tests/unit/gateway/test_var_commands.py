"""``tidegate var backtest``: run for real on the index that ships with skfolio, against figures made another way."""

import math
import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, chi2_contingency, power_divergence
from skfolio.datasets import load_sp500_index
from typer.testing import CliRunner, Result

from gateway.cli import app

WINDOW = 500


def backtest(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["var", "backtest", *words], env={"COLUMNS": "200"})


def filtered(window: list[float], rate: float) -> float:
    """Forecast by Hull and White's filter, written out session by session."""
    variance = math.fsum(one * one for one in window) / len(window)
    standard = []
    for one in window:
        standard.append(one / math.sqrt(variance))
        variance = 0.94 * variance + 0.06 * one * one
    standard.sort()
    place = rate * (len(standard) - 1)
    low = math.floor(place)
    quantile = standard[low] + (place - low) * (standard[low + 1] - standard[low])
    return -quantile * math.sqrt(variance)


def expected_row(returns: pd.Series, method: str, confidence: float) -> list[str]:
    """Write the row that another calculation of everything comes to: pandas' windows, scipy's likelihood ratios."""
    rate = 1.0 - confidence
    rolling = returns.rolling(WINDOW)
    if method == "historical":
        forecast = -rolling.quantile(rate)
    elif method == "parametric":
        forecast = NormalDist().inv_cdf(confidence) * rolling.std() - rolling.mean()
    else:
        listed = returns.tolist()
        ends = range(WINDOW, len(listed) + 1)
        forecast = pd.Series(np.nan, index=returns.index)
        forecast.iloc[WINDOW - 1 :] = [filtered(listed[end - WINDOW : end], rate) for end in ends]
    hits = (-returns > forecast.shift(1).clip(lower=0.0)).iloc[WINDOW:].to_numpy()
    count, struck = len(hits), int(hits.sum())
    coverage = power_divergence(
        [struck, count - struck], [rate * count, (1.0 - rate) * count], lambda_="log-likelihood"
    )
    table = pd.crosstab(hits[:-1], hits[1:]).to_numpy()
    apart = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    values = [coverage.pvalue, apart.pvalue, chi2.sf(coverage.statistic + apart.statistic, 2)]
    verdicts = [word for p in values for word in (f"{p:.3f}", "rejected" if p < 0.05 else "passed")]
    return [method, f"{confidence:g}", f"{rate * count:,.1f}", str(struck), *verdicts]


def test_the_table_is_what_another_calculation_comes_to() -> None:
    """Pins every figure and verdict of the real run, whatever they are: three methods, two confidences."""
    done = backtest()
    assert (0, "") == (done.exit_code, done.stderr.strip())
    returns = load_sp500_index()["SP500"].pct_change().iloc[1:]
    title, _, *rows = done.stdout.splitlines()
    assert "S&P 500, 7,812 sessions, 1991-12-24 to 2022-12-28; window 500, verdicts at 5%" == title
    expected = [
        expected_row(returns, method, confidence)
        for method in ("historical", "filtered", "parametric")
        for confidence in (0.95, 0.99)
    ]
    assert expected == [row.split() for row in rows]


def test_the_table_fits_a_plain_terminal() -> None:
    """Pins that no verdict is cut off where a person reads it."""
    done = backtest("--window", "8000")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_methods_confidences_and_the_window_can_be_chosen() -> None:
    """Pins the options: rows come in the order asked for."""
    done = backtest("--method", "parametric", "--confidence", "0.975", "--confidence", "0.9", "--window", "8000")
    assert 0 == done.exit_code
    title, _, *rows = done.stdout.splitlines()
    assert "312 sessions, " in title
    assert "window 8000" in title
    assert [["parametric", "0.975", "7.8"], ["parametric", "0.9", "31.2"]] == [row.split()[:3] for row in rows]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--method", "guess"], "no method guess: historical, filtered, parametric"),
        (["--confidence", "95"], "a confidence lies between 0 and 1, as 0.95 does, not 95.0"),
        (["--window", "59"], "a window of 59 sessions is too short: at least 60"),
        (["--window", "8312"], "a window of 8312 sessions leaves none of 8312 to forecast"),
    ],
)
def test_what_cannot_be_run_is_one_clear_line(words: list[str], line: str) -> None:
    """Pins the line, the exit code, and that no half of a table is shown."""
    done = backtest(*words)
    assert (1, "", line) == (done.exit_code, done.stdout, done.stderr.strip())


@pytest.mark.parametrize("missing", ["pandas", "scipy", "skfolio"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    """Pins one line and no traceback, in a process where the library cannot be imported."""
    program = f"import sys; sys.modules[{missing!r}] = None; from gateway.cli import app; app()"
    command = [sys.executable, "-c", program, "var", "backtest", "--window", "8000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 -- our own
    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("`tidegate var` needs ")
    assert done.stderr.endswith(": install the extra tidegate[statistics]\n")
    assert 1 == done.stderr.count("\n")


def test_the_command_line_and_the_bottom_floor_need_no_statistics() -> None:
    """Pins that the extra is imported where it is asked for: not by the engine, a strategy or another command."""
    modules = "gateway.cli, tidegate, tidegate.gate, tidegate.strategy_runner"
    program = f"import sys, {modules}; print(sorted({{'numpy', 'pandas', 'scipy', 'skfolio'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    assert "[]\n" == done.stdout
