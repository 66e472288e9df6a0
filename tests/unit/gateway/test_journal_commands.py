"""``tidegate journal`` over both stores, beside a gate that is at work."""

import base64
import json
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from gateway.cli import app
from gateway.journal_commands import export
from tests.unit.builders import Desk, configuration, instrument, strategy_scope
from tests.unit.journal.stores import change
from tests.unit.risk.test_instrument_changes import upsert
from tests.unit.risk.test_lifecycle import added
from tests.unit.risk.test_reconciliation import reconcile, statement
from tests.unit.risk.test_suspense import stray
from tidegate.journal.contract import HASH_OF_NOTHING, link
from tidegate.journal.location import Database, Location
from tidegate.v1 import journal_pb2

ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(location: Location) -> Iterator[Desk]:
    """Trade a little, and go on: 12 events."""
    opened = Desk(Path(), configuration(max_leverage="3"), location=location)
    opened.bar(1, A="100", B="50", F="20")
    opened.hold("cash", "100", "99.5")
    opened.buy("cash", "3", "B")
    opened.deposit("500")
    opened.halt(strategy_scope("margin"))
    yield opened
    opened.gate.journal.close()


class Commands:
    """Runs the commands on a desk's journal."""

    def __init__(self, desk: Desk) -> None:
        """Name the journal as a user does."""
        assert desk.location is not None
        self.place = desk.location.url if isinstance(desk.location, Database) else str(desk.location)
        self.name = str(desk.location)

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run a command to its end; return what it says."""
        ran = CliRunner().invoke(app, ["journal", *words, "--journal", self.place])
        assert code == ran.exit_code, ran.output
        return ran.output


@pytest.fixture
def journal(desk: Desk) -> Commands:
    """Give the commands on the desk's journal."""
    return Commands(desk)


@pytest.mark.control("records")
def test_a_journal_is_verified_beside_its_writer_and_held_against_an_anchor(desk: Desk, journal: Commands) -> None:
    """Pins that the writer is not fenced, what is printed, and that a head kept elsewhere is found again."""
    anchor = journal("head").strip()
    sequence, digest = desk.gate.journal.head()
    assert f"{sequence}:{digest.hex()}" == anchor
    desk.buy("cash", "1")
    said = journal("verify", "--anchor", anchor)
    head = desk.gate.journal.head()
    batches = f"{head.sequence} events in 8 batches, epoch 1; the chain is unbroken"
    assert f"{journal.name}: {batches}\nhead {head.sequence}:{head.hash.hex()}\n" == said
    desk.buy("cash", "1")


@pytest.mark.control("records")
def test_a_journal_that_was_changed_or_is_another_one_is_not_verified(desk: Desk, journal: Commands) -> None:
    """Pins exit code 1 and the line: which event, what to do; and anchors of events that never were here."""
    assert desk.location is not None
    sequence, digest = desk.gate.journal.head()
    other = f"{sequence}:{HASH_OF_NOTHING.hex()}"
    assert "not that of the anchor" in journal("verify", "--anchor", other, code=1)
    assert "no batch ends with event 99" in journal("verify", "--anchor", f"99:{digest.hex()}", code=1)
    assert "x is no head: give SEQUENCE:HASH" in journal("verify", "--anchor", "x", code=1)
    change(desk.location, "DELETE FROM events WHERE sequence = 4")
    said = journal("verify", code=1)
    assert f"{journal.name}: the hash chain breaks between events 4 and 4: event 4 is missing; up to event 3" in said
    assert "go on from a copy, as docs/journal.md says under 'A damaged journal'" in said
    assert 4 == len(journal("export", code=1).splitlines())
    assert "event 4 is missing" in journal("replay", code=1)


@pytest.mark.control("records", "duplicate-ids")
@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        pytest.param("DELETE FROM keys WHERE sequence = 5", "has not 'order cash o3' of event 5", id="missing"),
        pytest.param("UPDATE keys SET sequence = 6 WHERE sequence = 5", "has not 'order cash o3'", id="moved"),
        pytest.param("INSERT INTO keys VALUES ('nobody', 5)", "has some that no event has used up", id="added"),
    ],
)
def test_an_index_of_ids_that_was_changed_is_not_verified(
    desk: Desk, journal: Commands, tampering: str, found: str
) -> None:
    """Pins what the chain does not cover: by the index an id is decided once."""
    assert desk.location is not None
    journal("verify")
    change(desk.location, tampering)
    assert found in journal("verify", code=1)


@pytest.mark.control("records")
def test_an_export_is_one_event_a_line_and_proves_itself(desk: Desk, journal: Commands) -> None:
    """Pins the fields, the range, and that the chain can be recomputed from the lines alone."""
    lines = [json.loads(line) for line in journal("export").splitlines()]
    events = desk.events()
    assert [event.sequence for event in events] == [line["sequence"] for line in lines]
    assert [event.WhichOneof("body") for event in events] == [line["kind"] for line in lines]
    assert events == [journal_pb2.Event.FromString(base64.b64decode(line["bytes"])) for line in lines]
    ordered = next(line for line in lines if line["kind"] == "order_decided")
    assert ("A", "2022-01-03T00:00:00Z") == (ordered["body"]["order"]["symbol"], ordered["time"])
    found, bodies = HASH_OF_NOTHING, []
    for line in lines:
        bodies.append(base64.b64decode(line["bytes"]))
        if "hash" in line:
            found, bodies = link(found, line["epoch"], bodies), []
            assert found.hex() == line["hash"]
    assert desk.gate.journal.head().hash == found
    assert [3, 4, 5] == [
        json.loads(line)["sequence"] for line in journal("export", "--from", "3", "--until", "5").splitlines()
    ]
    assert "there is no event 99; the journal has" in journal("export", "--until", "99", code=1)


def test_an_export_into_a_full_disk_says_that_it_is_not_whole(
    journal: Commands, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins one line and an exit code, whether a line or only the last flush does not fit."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(typer.Exit) as ended:
            export(journal=journal.place)
        monkeypatch.undo()
        with suppress(OSError):
            full.close()  # what did not fit is tried once more
    assert 1 == ended.value.exit_code
    assert "standard output: No space left on device; what was written is not whole\n" == capsys.readouterr().err


def test_the_check_of_an_export_that_the_page_shows_finds_what_was_changed(
    journal: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pins that docs/journal.md's program is right about an export, and about one that somebody edited."""
    page = (ROOT / "docs" / "journal.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    path = tmp_path / "export.jsonl"
    journal("export", "--output", str(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    exec(compile(program, "docs/journal.md", "exec"), {"lines": lines})  # noqa: S102 -- the page's own program
    assert f"{len(lines)} events, head {json.loads(lines[-1])['hash']}\n" == capsys.readouterr().out
    edited = json.loads(lines[3])
    edited["bytes"] = json.loads(lines[2])["bytes"]
    lines[3] = json.dumps(edited)
    with pytest.raises(SystemExit, match="the chain breaks at event"):
        exec(compile(program, "docs/journal.md", "exec"), {"lines": lines})  # noqa: S102 -- as above


def test_a_replay_shows_the_state_as_it_was(desk: Desk, journal: Commands) -> None:
    """Pins positions, cash, orders, halts and limits, as text and as JSON, now and before."""
    now = json.loads(journal("replay", "--json"))
    assert desk.book.sequence == now["sequence"]
    assert "100" == now["strategies"]["cash"]["positions"]["A"]["quantity"]
    assert "40050" == now["strategies"]["cash"]["cash"]
    assert ["B"] == [order["order"]["symbol"] for order in now["orders"].values()]
    assert "ann" == now["halts"]["strategy margin"]["operator"]
    assert "3" == now["limits"]["leverage of portfolio, reject"]["limit"]
    before = json.loads(journal("replay", "--until", "2", "--json"))
    assert (2, {}, "50000") == (before["sequence"], before["halts"], before["strategies"]["cash"]["cash"])
    text, _, last = journal("replay").rpartition("digest: ")
    assert now == yaml.safe_load(text)
    assert re.fullmatch(r"[0-9a-f]{64}\n", last)
    assert "there is no event 99; the journal has" in journal("replay", "--until", "99", code=1)


def test_a_diff_names_each_place_in_which_two_states_differ(desk: Desk, journal: Commands, tmp_path: Path) -> None:
    """Pins two events of one journal, and two journals after the same event; exit code 1 where they differ."""
    said = journal("diff", "2", str(desk.book.sequence), code=1)
    assert "strategies.cash.cash: 50000 -> 40050" in said
    assert 'strategies.cash.positions.A: nothing -> {"quantity": "100", "cost": "9950"' in said
    assert "" == journal("diff", "3", "3")
    other = Desk(tmp_path / "other.db", configuration(max_leverage="3"))
    other.bar(1, A="101", B="50", F="20")
    assert "" == journal("diff", "1", "--other", str(other.path))
    found = json.loads(journal("diff", "2", "--other", str(other.path), "--json", code=1))
    assert [{"path": "marks.A", "one": "100", "other": "101"}] == found
    other.gate.journal.close()
    assert "give a second event, or --other JOURNAL" in journal("diff", "3", code=1)


def test_a_state_tells_of_strategies_and_instruments_that_came_and_went_and_of_accounts(tmp_path: Path) -> None:
    """Pins that what changes no figure of the others still is a difference: each has a section of its own."""
    configured = configuration()
    configured.accounts.add(account="u1", adapter="paper", in_flight_s=60).cash.add(currency="USD", amount="500")
    desk = Desk(tmp_path / "journal.db", configured)
    desk.bar(1, A="100", B="50", F="20")
    begun = desk.book.sequence
    assert "" == added(desk, amount="")
    assert "" == upsert(desk, instrument("A", tick="0.05"))
    fill = stray(desk, "2", "100")
    reconcile(desk, statement({"A": "3"}))
    ran = CliRunner().invoke(
        app, ["journal", "diff", str(begun), str(desk.book.sequence), "--journal", str(desk.path), "--json"]
    )
    found = {place["path"]: place["other"] for place in json.loads(ran.output)}
    assert (begun + 1, "0.05") == (found["roster.added.new"], found["instruments.A.tick"])
    assert ("300", begun + 3) == (found["accounts.u1.cash.USD"], found[f"unassigned.u1 {fill.execution_id}"])
    (difference,) = found["accounts.u1.differences"]
    assert ("2", "3") == (difference["ours"], difference["stated"])
    desk.gate.journal.close()


def test_what_is_no_journal_is_said_in_one_line(tmp_path: Path) -> None:
    """Pins a file that is not there, and a URL that cannot be read: exit code 1, and nothing is created."""
    for place, line in (
        (str(tmp_path / "none.db"), f"{tmp_path}/none.db: there is no such journal\n"),
        ("postgresql://ann:se/cret@db/gate", "the journal's URL cannot be read"),
    ):
        ran = CliRunner().invoke(app, ["journal", "head", "--journal", place])
        assert (1, True) == (ran.exit_code, ran.output.startswith(line))
        assert "cret" not in ran.output
    assert [] == list(tmp_path.iterdir())
