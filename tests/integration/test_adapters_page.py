"""docs/adapters.md says what is so: its code is the tested code, and its commands print what it shows."""

import contextlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from gateway.addresses import DEFAULT_ADDRESS
from gateway.testing import free_address, gateway_in_thread
from tidegate.portfolio_file import PortfolioFile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
MINIMAL = ROOT / "examples" / "minimal_portfolio.yaml"
TIDEGATE = str(Path(sys.executable).parent / "tidegate")


class Step(NamedTuple):
    """A command of the page, and what it prints; ``...`` stands for anything."""

    words: list[str]
    prints: str


def blocks(language: str) -> list[str]:
    """Cut out the page's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def steps() -> list[Step]:
    """Read the page's console blocks, in their order."""
    found = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, prints = part.partition("\n")
            found.append(Step(shlex.split(command), prints))
    return found


def is_shown(text: str, printed: str) -> bool:
    """Tell whether a command printed what the page shows, wherever its lines were broken."""
    pattern = re.escape(" ".join(text.split())).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, " ".join(printed.split())) is not None


@contextlib.contextmanager
def left_running(words: list[str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a program that goes on until it is ended."""
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def read_until_shown(process: "subprocess.Popen[str]", text: str) -> None:
    """Read what a program prints until it is what the page shows."""
    assert process.stdout is not None
    printed = ""
    while not is_shown(text, printed):
        line = process.stdout.readline()
        assert line, f"ended after {printed}"
        printed += line


def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    """From nothing to a filled order, as a reader does it: the gate, the adapter, then orders."""
    address = free_address()
    (tmp_path / "examples").mkdir()
    for name in ("minimal_portfolio.yaml", "minimal_adapter.py"):
        shutil.copy(ROOT / "examples" / name, tmp_path / "examples")
    programs = {".venv/bin/tidegate": TIDEGATE, ".venv/bin/python": sys.executable}
    page = [
        Step(
            [programs[words[0]], *words[1:], "--address", address],
            prints.replace(DEFAULT_ADDRESS, address),
        )
        for words, prints in steps()
    ]
    gate, adapter, *orders = page
    with left_running(gate.words, tmp_path) as serving:
        read_until_shown(serving, gate.prints)
        with left_running(adapter.words, tmp_path) as working:
            read_until_shown(working, adapter.prints)
            for words, prints in orders:
                deadline = time.monotonic() + 10
                while True:
                    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
                    if is_shown(prints, ran.stdout):
                        break
                    # A reader looks again as well: the fill may be under way.
                    assert "show" in words, ran
                    assert time.monotonic() < deadline, ran
    assert 7 == len(orders)


def test_its_python_is_the_tested_python() -> None:
    """Each block stands, word for word, in the example or in the tests of it."""
    files = ("examples/minimal_adapter.py", "tests/integration/test_minimal_adapter.py")
    sources = [(ROOT / name).read_text(encoding="utf-8") for name in files]
    found = blocks("python")
    assert 7 == len(found)
    assert [] == [block for block in found if not any(block in source for source in sources)]


def test_its_portfolio_is_the_example_and_its_other_parts_fit_into_it() -> None:
    """What is shown as a whole is the file; what is shown in part makes a valid file with the rest."""
    whole, *parts = blocks("yaml")
    assert MINIMAL.read_text(encoding="utf-8").endswith(whole)
    assert parts
    for part in parts:
        content = yaml.safe_load(MINIMAL.read_text(encoding="utf-8")) | yaml.safe_load(part)
        assert [] == list(PortfolioFile.model_validate(content).problems())


def test_its_links_lead_somewhere() -> None:
    """A file that was moved is missed here, not by a reader."""
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [] == [link for link in links if not (ROOT / "docs" / link).exists()]


@pytest.mark.parametrize(
    ("words", "code", "printed"),
    [
        (["AAA=100.00", "BBB=5"], 0, r"bar of \S+Z published \(event 2\)\n"),
        (["AAA"], 1, r"PRICE_INVALID: bars\[0\].close is ''.*\n"),
        (["CCC=1"], 1, r"INSTRUMENT_UNKNOWN: bars\[0\].symbol is 'CCC'.*\n"),
    ],
)
def test_a_bar_by_hand_moves_the_marks_or_says_what_is_wrong(words: list[str], code: int, printed: str) -> None:
    """The gate's own words reach the person who typed."""
    with gateway_in_thread() as gateway:
        command = [TIDEGATE, "bar", *words, "--address", gateway.address]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert code == ran.returncode
    assert re.fullmatch(printed, ran.stdout + ran.stderr)
