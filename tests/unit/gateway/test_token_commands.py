"""``tidegate token``: tokens are shown once, kept as hashes, and a person's file stays that person's."""

import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.access_file import read_access_file
from gateway.cli import app
from gateway.tokens import read_token

ANN = ["ann", "--role", "risk", "--role", "viewer"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "access.yaml"


def token(path: Path, *words: str) -> Result:
    """Run a command on the file."""
    return CliRunner().invoke(app, ["token", *words, "--access", str(path)], env={"COLUMNS": "200"})


def test_a_token_is_printed_once_and_kept_as_its_hash(path: Path) -> None:
    """Pins what goes where: the token alone to standard output, its hash into a file of its owner's."""
    made = token(path, "create", *ANN, "--expires", "7")
    assert re.fullmatch(r"tg_[a-z]{8}_[0-9a-f]{64}\n", made.stdout)
    secret = made.stdout.strip().split("_")[2]
    assert secret not in made.stderr + path.read_text(encoding="utf-8")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    (ann,) = read_access_file(path).principals
    (kept,) = ann.tokens
    assert (kept.id, kept.sha256) == read_token(made.stdout.strip())
    assert 7 == (kept.expires - kept.created).days
    assert ["risk", "viewer"] == ann.roles
    assert [path.name] == [file.name for file in path.parent.iterdir()]


def test_a_known_name_gets_another_token_and_keeps_its_rights(path: Path) -> None:
    """Pins how a token is renewed; rights are changed in the file, by a person."""
    token(path, "create", "bot", "--role", "trader", "--strategy", "one", "--strategy", "two", "--adapter", "*")
    assert 0 == token(path, "create", "bot").exit_code
    refused = token(path, "create", "bot", "--role", "admin")
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "bot stands in" in refused.stderr
    (bot,) = read_access_file(path).principals
    assert (["trader"], ["one", "two"], ["*"], 2) == (bot.roles, bot.strategies, bot.adapters, len(bot.tokens))


def test_a_persons_file_keeps_its_comments_and_its_order(path: Path) -> None:
    """Pins that the program changes what it must, and nothing else."""
    written = """\
# The desk in London.
principals:
  # Reviewed in January.
  - name: ann   # head of risk
    roles: [risk, viewer]
  - name: paper
    roles: [trader]
    adapters: ['paper']  # its own
    certificate: paper.example.org
"""
    path.write_text(written, encoding="utf-8")
    path.chmod(0o600)
    assert 0 == token(path, "create", "paper").exit_code
    text = path.read_text(encoding="utf-8")
    assert text.startswith(written)
    assert text.removeprefix(written).startswith("    tokens:\n      - id: ")


def test_a_revoked_token_is_gone_and_the_others_stay(path: Path) -> None:
    """Pins that one id is one token, and that an unknown one is an error."""
    ids = [token(path, "create", *words).stdout[3:11] for words in (ANN, ["ann"], ["bob", "--role", "viewer"])]
    revoked = token(path, "revoke", ids[1])
    assert f"token {ids[1]} of ann is revoked\n" == revoked.stdout
    again = token(path, "revoke", ids[1])
    assert (1, f"{path} has no token {ids[1]}\n") == (again.exit_code, again.stderr)
    # Somebody appends to the file by hand: each change leaves it with its last line ended.
    with path.open("a", encoding="utf-8") as file:
        file.write("  - name: desk\n    roles: [viewer]\n    certificate: desk")
    token(path, "revoke", ids[0])
    token(path, "create", "ann")
    assert path.read_text(encoding="utf-8").endswith("certificate: desk\n")
    ids[0] = read_access_file(path).principals[0].tokens[0].id
    ann, bob, _ = read_access_file(path).principals
    assert [[ids[0]], [ids[2]]] == [[one.id for one in principal.tokens] for principal in (ann, bob)]


def test_the_list_shows_who_may_what_until_when_and_no_hash(path: Path) -> None:
    """Pins a line a token; who comes by certificate, or not at all yet, has one as well."""
    made = token(path, "create", "bot", "--role", "trader", "--strategy", "one", "--adapter", "paper").stdout
    text = path.read_text(encoding="utf-8")
    text += "  - {name: cert, roles: [viewer], certificate: cert.example.org}\n  - {name: idle, roles: [viewer]}\n"
    old = "{id: oldtoken, sha256: " + "0f" * 32 + ", created: 2020-01-01T00:00:00Z, expires: 2020-02-01T00:00:00Z}"
    path.write_text(f"{text}  - {{name: old, roles: [viewer], tokens: [{old}]}}\n", encoding="utf-8")
    lines = token(path, "list").stdout.splitlines()
    assert ["bot", "trader", "one", "paper", made[3:11]] == lines[1].split()[:5]
    assert ["cert", "viewer", "certificate", "cert.example.org"] == lines[2].split()
    assert ["idle", "viewer"] == lines[3].split()
    assert lines[4].rstrip().endswith("2020-02-01 00:00Z (expired)")
    hashes = [one.sha256 for principal in read_access_file(path).principals for one in principal.tokens]
    assert 2 == len(hashes)
    assert not any(one in "".join(lines) for one in hashes)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["create", "ann"], "ann is not in"),
        (["create", "ann", "--role", "viewer", "--strategy", "one"], "only a trader has strategies"),
        (["create", "tidegate", "--role", "viewer"], "tidegate is the gate itself"),
        (["create", "two words", "--role", "viewer"], "String should match pattern"),
        (["revoke", "abcdefgh"], "No such file"),
        (["list"], "No such file"),
    ],
)
def test_what_the_file_cannot_hold_is_refused_and_leaves_nothing(path: Path, words: list[str], text: str) -> None:
    """Pins one line, exit code 1, no token, no file."""
    refused = token(path, *words)
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert text in refused.stderr
    assert [] == list(path.parent.iterdir())


def test_a_file_that_is_wrong_or_not_private_is_left_as_it_is(path: Path) -> None:
    """Pins that nothing is written over what could not be read."""
    path.write_text("principals: 5\n", encoding="utf-8")
    path.chmod(0o600)
    assert f"{path}:1: principals: Input should be" in token(path, "create", *ANN).stderr
    path.write_text("principals: []\n", encoding="utf-8")
    path.chmod(0o644)
    assert "chmod 600 it" in token(path, "create", *ANN).stderr
    assert "principals: []\n" == path.read_text(encoding="utf-8")


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """Pins that the file behind it is changed, where it is."""
    real = tmp_path / "elsewhere"
    real.mkdir()
    path.symlink_to(real / "access.yaml")
    assert 0 == token(path, "create", *ANN).exit_code
    assert path.is_symlink()
    assert ["access.yaml"] == [file.name for file in real.iterdir()]
