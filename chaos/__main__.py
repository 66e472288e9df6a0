"""``make chaos``: kill real processes under load, then have the checker look at what is left."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, NamedTuple

import psycopg
import typer
from rich.console import Console

from chaos.answers import Answers
from chaos.checker import Finding, check
from chaos.driver import Driver
from chaos.ending import live_answers, replayed_answers
from chaos.processes import RunError
from chaos.records import ORDER, read_log
from chaos.schedule import Step, steps
from chaos.session import ADDRESSES
from chaos.stores import OWN_SERVER, SQLITE, Store, open_store
from tidegate.errors import TidegateError
from tidegate.v1 import orders_pb2, portfolio_pb2

_FAILED = 1
_SHOWN_MAX = 20
_SAY_EVERY_S = 15.0


def main(  # noqa: PLR0913, PLR0917 -- each is an option of the command
    seed: Annotated[int, typer.Option(help="What is done, and when, is drawn from it.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.1, help="For how long at most things are killed.")] = 20.0,
    kills: Annotated[int, typer.Option(min=0, help="Enough, once as many orders are acknowledged as well.")] = 200,
    orders: Annotated[int, typer.Option(min=0, help="As --kills.")] = 100_000,
    folder: Annotated[Path, typer.Option(help="Journal, logs and clients' logs; an earlier run's are removed.")] = (
        Path("var/chaos")
    ),
    rate: Annotated[float, typer.Option(min=1, help="Orders a second, while they are answered.")] = 300.0,
    journal: Annotated[
        str, typer.Option(help="sqlite; postgresql, for a server of the run's own; or the URL of one that runs.")
    ] = SQLITE,
    *,
    parts_only: Annotated[
        bool, typer.Option("--parts-only", help="Kill parts of the run, never the whole of it.")
    ] = False,
) -> None:
    """Kill and stop the processes of a real run under load, then check that nothing acknowledged was lost."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    folder = folder.resolve()
    if (folder / ADDRESSES).exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    again = repeated(seed, journal, parts_only=parts_only)
    console.print(f"seed {seed}: starting Ray, the actors and the clients in {folder}")
    try:
        with closing(open_store(journal, folder)) as store:
            console.print(f"the journal is {store.location}")
            driver = Driver(folder, store, seed, rate)
            schedule = steps(seed, whole_runs=not parts_only, database=store.is_database, server=store.has_server)
            elapsed_s, live = _disturb(console, driver, schedule, Enough(minutes * 60, kills, orders))
            findings = _check(console, folder, store, driver, elapsed_s, live)
    except (RunError, TidegateError, psycopg.Error) as error:
        console.print(f"failed: {error}; everything is left in {folder}")
        console.print(f'again: make chaos ARGS="{again}"')
        raise typer.Exit(_FAILED) from error
    _show(console, findings, again)
    store.forget()


def repeated(seed: int, journal: str, *, parts_only: bool) -> str:
    """Write down what draws the same schedule again; a URL, which may hold a password, is for its owner to put in."""
    where = "" if journal == SQLITE else f" --journal {journal if journal == OWN_SERVER else 'URL'}"
    return f"--seed {seed}{where}{' --parts-only' if parts_only else ''}"


class Enough(NamedTuple):
    """When to end: after so long, or as soon as so many processes were killed and orders acknowledged."""

    seconds: float
    kills: int
    orders: int


def _disturb(console: Console, driver: Driver, schedule: Iterator[Step], enough: Enough) -> tuple[float, Answers]:
    """Do the schedule; return for how long, and what the gate said when everything was quiet."""
    try:
        driver.start()
        began = said = time.monotonic()
        for step in schedule:
            elapsed_s, answered = time.monotonic() - began, driver.count()
            if time.monotonic() - said > _SAY_EVERY_S:
                said = time.monotonic()
                console.print(f"{elapsed_s:4.0f} s  {driver.kills:,} kills  {answered:,} orders acknowledged")
            if elapsed_s > enough.seconds or (driver.kills >= enough.kills and answered >= enough.orders):
                break
            driver.do(step)
        driver.finish()
        live = live_answers(driver.run.addresses[0])
        driver.count()
    finally:
        driver.stop()
    return elapsed_s, live


def _check(  # noqa: PLR0913, PLR0917 -- what a run leaves
    console: Console, folder: Path, store: Store, driver: Driver, elapsed_s: float, live: Answers
) -> list[Finding]:
    console.print("checking ...")
    shown = portfolio_pb2.GetPortfolioResponse.FromString(live["GetPortfolio"][0]).sequence
    copy = store.copy(shown)
    began_replay = time.monotonic()
    replayed = replayed_answers(copy)
    replay_s = time.monotonic() - began_replay
    records = [record for path in sorted(folder.glob("*.log")) if _is_clients(path) for record in read_log(path)]
    links = list(store.links())
    findings = check(links, records, live, replayed)
    decided = [orders_pb2.Decision.FromString(r.answer) for r in records if r.is_answer and r.kind == ORDER]
    acknowledged = Counter(record.kind for record in records if record.is_answer)
    events = sum(len(link.events) for link in links)
    console.print(f"done: {', '.join(f'{action} {target} {n}' for (action, target), n in sorted(driver.done.items()))}")
    console.print(f"acknowledged: {', '.join(f'{kind} {n:,}' for kind, n in sorted(acknowledged.items()))}")
    console.print(
        f"{driver.kills:,} kills, {len(decided):,} orders acknowledged ({sum(bool(d.order_id) for d in decided):,} "
        f"accepted), {events:,} events by {links[-1].epoch:,} writers in {elapsed_s / 60:.1f} minutes"
    )
    if driver.silences_s:
        silences = sorted(driver.silences_s)
        console.print(
            f"after a kill of the RiskManager the next answer came within {silences[len(silences) // 2]:.1f} s "
            f"in the median, {silences[-1]:.1f} s at most; {events:,} events replayed in {replay_s:.1f} s"
        )
    return findings


def _is_clients(path: Path) -> bool:
    return path.name not in {"run.log", "clients.log", "server.log"}


def _show(console: Console, findings: list[Finding], again: str) -> None:
    console.print(f"{len(findings)} violations")
    for finding in findings[:_SHOWN_MAX]:
        console.print(f"{finding.promise}: {finding.text}")
    if findings:
        console.print(f'again: make chaos ARGS="{again}"')
        raise typer.Exit(_FAILED)


if __name__ == "__main__":
    typer.run(main)
