"""``make simulate``: thousands of seeded histories; a seed that fails is printed, and can be run again."""

import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from chaos.simulation.history import STEPS, History, InFile, InMemory

# One history in so many is run on a real file.
FILE_EVERY = 20
_FAILED = 1
_SHOWN_MAX = 10


def main(
    histories: Annotated[int, typer.Option(min=1, help="How many histories.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The first history's seed; the others count on from it.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a history before it heals.")] = STEPS,
) -> None:
    """Run seeded histories with faults, in this process, and check each of them."""
    console = Console(markup=False, highlight=False)
    began, counted, failing = time.monotonic(), Counter[str](), list[int]()
    with TemporaryDirectory(prefix="simulation-") as folder:
        seeds = range(seed, seed + histories)
        for one in track(seeds, "histories", console=console, disable=not console.is_terminal):
            store = InFile(Path(folder) / f"{one}.db") if one % FILE_EVERY == 0 else InMemory()
            history = History(one, store)
            findings = history.run(steps)
            links = store.links()
            counted["events"] += sum(len(link.events) for link in links)
            counted["acknowledgements"] += sum(record.is_answer for record in history.records)
            counted["writers"] += links[-1].epoch
            counted["of them from a snapshot"] += history.resumed
            if findings:
                failing.append(one)
            for finding in findings[:_SHOWN_MAX] if len(failing) <= _SHOWN_MAX else ():
                console.print(f"seed {one}: {finding.promise}: {finding.text}", soft_wrap=True)
    elapsed_s = time.monotonic() - began
    figures = ", ".join(f"{count:,} {what}" for what, count in counted.items())
    console.print(f"{histories:,} histories in {elapsed_s:.0f} s: {figures}; {len(failing)} with violations")
    if failing:
        console.print(f'again: make simulate ARGS="--seed {failing[0]} --histories 1"')
        raise typer.Exit(_FAILED)


if __name__ == "__main__":
    typer.run(main)
