"""The report: ratios of medians, a table against the targets, and a file for machines."""

import json
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from rich.table import Table

from bench import h2load
from bench.rounds import Plan

_PACKAGES = ("grpcio", "protobuf", "ray", "uvloop")


@dataclass(frozen=True)
class Figure:
    """A figure to reach; what it is, and in which direction it is good."""

    key: str
    name: str
    reach: float | None = None
    stretch: float | None = None
    more_is_better: bool = False
    digits: int = 2

    def verdict(self, value: float) -> str:
        """Say what the figure has come to."""
        if self.reach is None or self.stretch is None:
            return ""
        sign = 1 if self.more_is_better else -1
        if sign * value >= sign * self.stretch:
            return "stretch"
        return "reached" if sign * value >= sign * self.reach else "missed"


FIGURES = (
    Figure("unary_saturated_beside_vs_echo", "saturated unary, beside / echo", 0.85, 0.95, more_is_better=True),
    Figure("unary_alone_p50_beside_vs_echo", "p50 alone, beside / echo", 2.0, 1.6),
    Figure("unary_saturated_apart_vs_echo", "saturated unary, apart / echo", 0.65, 0.75, more_is_better=True),
    Figure("unary_alone_p50_apart_vs_echo", "p50 alone, apart / echo"),
    Figure(
        "batch500_orders_per_s_beside",
        "500 orders a call, orders/s",
        40_000,
        70_000,
        more_is_better=True,
        digits=0,
    ),
    Figure("engine_us_per_decision", "engine, µs an order", 20, 12, digits=1),
    Figure("decision_cost_500_vs_1_positions", "the same, 500 positions / 1", 1.1, 1.05),
    Figure("engine_us_every_check", "engine, limits of every scope", 30, 15, digits=1),
    Figure("engine_us_every_check_and_var", "the same and VaR on 252 scenarios", 60, 40, digits=1),
    Figure("decision_cost_50_vs_1_strategies", "the same, 50 strategies / 2", 1.1, 1.05),
    Figure("halt_under_load_ms_p99", "halt under load, p99 ms", 50, 20, digits=1),
    Figure("engine_us_per_decision_with_commit", "engine and commit, µs an order", digits=1),
    Figure("unary_alone_p50_sdk_beside_vs_echo", "p50 alone by SDK, beside / echo"),
    Figure("unary_alone_p50_sdk_apart_vs_echo", "p50 alone by SDK, apart / echo"),
    Figure("unary_saturated_beside_vs_echo_uvloop", "saturated unary, beside / echo on uvloop"),
    Figure("unary_alone_p50_beside_vs_echo_uvloop", "p50 alone, beside / echo on uvloop"),
    Figure("unary_saturated_retry_beside_vs_echo", "h2load, same order, beside / echo"),
    Figure("echo_h2load_vs_own_load", "echo by h2load / by our load"),
)


def figures_of(samples: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    """Make the figures of the rounds: medians over the rounds, and ratios of medians; None for what was left out."""
    medians = {name: median(values) for name, values in samples.items()}

    def ratio(above: str, below: str) -> float | None:
        return medians[above] / medians[below] if above in medians and below in medians else None

    return {
        "unary_saturated_beside_vs_echo": ratio("beside_saturated_per_s", "echo_saturated_per_s"),
        "unary_alone_p50_beside_vs_echo": ratio("beside_alone_p50_ms", "echo_alone_p50_ms"),
        "unary_saturated_apart_vs_echo": ratio("apart_saturated_per_s", "echo_saturated_per_s"),
        "unary_alone_p50_apart_vs_echo": ratio("apart_alone_p50_ms", "echo_alone_p50_ms"),
        "batch500_orders_per_s_beside": medians["beside_batch500_orders_per_s"],
        "engine_us_per_decision": medians["engine_us"],
        "decision_cost_500_vs_1_positions": ratio("engine_500_positions_us", "engine_1_position_us"),
        "engine_us_every_check": medians["engine_every_scope_us"],
        "engine_us_every_check_and_var": medians["engine_every_scope_and_var_us"],
        "decision_cost_50_vs_1_strategies": ratio("engine_every_scope_50_strategies_us", "engine_every_scope_us"),
        "halt_under_load_ms_p99": quantiles(samples["halt_under_load_ms"], n=100, method="inclusive")[98],
        "engine_us_per_decision_with_commit": medians["engine_with_commit_us"],
        "unary_alone_p50_sdk_beside_vs_echo": ratio("beside_sdk_alone_p50_ms", "echo_sdk_alone_p50_ms"),
        "unary_alone_p50_sdk_apart_vs_echo": ratio("apart_sdk_alone_p50_ms", "echo_sdk_alone_p50_ms"),
        "unary_saturated_beside_vs_echo_uvloop": ratio("beside_saturated_per_s", "echo_uvloop_saturated_per_s"),
        "unary_alone_p50_beside_vs_echo_uvloop": ratio("beside_alone_p50_ms", "echo_uvloop_alone_p50_ms"),
        "unary_saturated_retry_beside_vs_echo": ratio("beside_h2load_same_order_per_s", "echo_h2load_same_order_per_s"),
        "echo_h2load_vs_own_load": ratio("echo_h2load_same_order_per_s", "echo_saturated_per_s"),
    }


def table(figures: Mapping[str, float | None]) -> Table:
    """Show each figure against its target."""
    shown = Table(box=None, padding=(0, 2, 0, 0))
    shown.add_column("figure", no_wrap=True)
    for name in ("measured", "reach", "stretch"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("")
    for figure in FIGURES:
        value = figures[figure.key]
        if value is None:
            shown.add_row(figure.name, "left out")
            continue
        bounds = ["" if bound is None else f"{bound:,g}" for bound in (figure.reach, figure.stretch)]
        shown.add_row(figure.name, f"{value:,.{figure.digits}f}", *bounds, figure.verdict(value))
    return shown


def write(path: Path, samples: Mapping[str, Sequence[float]], plan: Plan, load_average: Sequence[float]) -> None:
    """Write the figures and all that they are made of."""
    content: dict[str, object] = {
        **figures_of(samples),
        "medians": {name: median(values) for name, values in samples.items()},
        "rounds": samples,
        "load": asdict(plan),
        "h2load": "ran" if h2load.is_installed() else h2load.MISSING,
        "machine": {
            "cpus": len(os.sched_getaffinity(0)),
            "cpu": _cpu(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **{name: version(name) for name in _PACKAGES},
            "load_average_before": load_average,
        },
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
