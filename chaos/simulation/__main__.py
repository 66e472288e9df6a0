"""``make simulate``: thousands of seeded histories; a seed that fails is printed, and can be run again."""

import os
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from chaos.simulation.history import STEPS
from chaos.simulation.living import live_all

_FAILED = 1
_SHOWN_MAX = 10


def main(
    histories: Annotated[int, typer.Option(min=1, help="How many histories.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The first history's seed; the others count on from it.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a history before it heals.")] = STEPS,
    processes: Annotated[int, typer.Option(min=1, help="Each history is one process's.")] = os.cpu_count() or 1,
) -> None:
    """Run seeded histories with faults, and check each of them."""
    console = Console(markup=False, highlight=False)
    began, counted, failing = time.monotonic(), Counter[str](), list[int]()
    with TemporaryDirectory(prefix="simulation-") as folder:
        lived = live_all(range(seed, seed + histories), steps, Path(folder), processes)
        for one in track(lived, "histories", histories, console=console, disable=not console.is_terminal):
            counted.update(one.counted)
            if one.findings:
                failing.append(one.seed)
            for finding in one.findings[:_SHOWN_MAX] if len(failing) <= _SHOWN_MAX else ():
                console.print(f"seed {one.seed}: {finding.promise}: {finding.text}", soft_wrap=True)
    elapsed_s = time.monotonic() - began
    figures = ", ".join(f"{count:,} {what}" for what, count in counted.items())
    console.print(f"{histories:,} histories in {elapsed_s:.0f} s: {figures}; {len(failing)} with violations")
    if failing:
        console.print(f'again: make simulate ARGS="--seed {failing[0]} --histories 1"')
        raise typer.Exit(_FAILED)


if __name__ == "__main__":
    typer.run(main)
