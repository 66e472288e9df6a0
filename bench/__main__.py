"""``make bench``: measure, show the figures against their targets, write them to a file."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from actors import cluster
from bench import h2load, report
from bench.errors import BenchError
from bench.rounds import QUICK, TARGETS, Plan, Rounds
from tidegate.errors import TidegateError

_FAILED = 1
_STOPPED = 130


def main(
    output: Annotated[Path, typer.Option(help="The file for the figures; journals are kept beside it meanwhile.")] = (
        Path("var/bench.json")
    ),
    rounds: Annotated[int | None, typer.Option(min=1, help="How often each of the three is driven.")] = None,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Little of everything: whether it runs, not how fast.")
    ] = False,
) -> None:
    """Measure the gateway against a bare gRPC echo on this machine, under the same load."""
    plan = QUICK if quick else Plan()
    if rounds is not None:
        plan = replace(plan, rounds=rounds)
    console = Console(markup=False, highlight=False)
    load_average = os.getloadavg()
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        samples = _measure(plan, output.parent.resolve(), console)
    except (BenchError, TidegateError) as error:
        console.print(f"no figures: {error}", soft_wrap=True)
        raise typer.Exit(_FAILED) from error
    except KeyboardInterrupt as error:
        console.print("stopped: no figures")
        raise typer.Exit(_STOPPED) from error
    report.write(output, samples, plan, load_average)
    console.print(report.table(report.figures_of(samples)))
    console.print(f"written to {output}; what each figure means: docs/performance.md", soft_wrap=True)


def _measure(plan: Plan, folder: Path, console: Console) -> dict[str, list[float]]:
    if not h2load.is_installed():
        console.print(h2load.MISSING, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as own,
        Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=2) as progress,
    ):
        steps = progress.add_task("starting Ray", total=plan.rounds * (1 + len(TARGETS)))
        console.print("starting Ray")
        cluster.start_ray()
        rounds = Rounds(plan, Path(own), console.print)
        try:
            for number in range(plan.rounds):
                # Each round begins with another one, so that none is always the first or always after the same.
                first = number % len(TARGETS)
                for target in ("engine", *TARGETS[first:], *TARGETS[:first]):
                    progress.update(steps, description=f"round {number + 1} of {plan.rounds}: {target}")
                    if target == "engine":
                        rounds.measure_engine(number + 1)
                    else:
                        rounds.visit(target, number + 1)
                    progress.advance(steps)
        finally:
            rounds.close()
            cluster.stop_ray()
    return rounds.samples


if __name__ == "__main__":
    typer.run(main)
