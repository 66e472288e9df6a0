"""The access file: read whole, or refused with file, line and key."""

import re
from pathlib import Path

import pytest

from gateway.access_file import AccessFile, _is_private, read_access_file
from tidegate.errors import ConfigurationError
from tidegate.permissions import Caller, Role

HASH = "5e" * 32
GOOD = f"""\
principals:
  - name: ann
    roles: [risk, viewer]
    tokens:
      - id: abcdefgh
        sha256: {HASH}
        created: 2026-01-01T00:00:00Z
        expires: 2026-04-01T02:00:00+02:00
  - name: paper
    roles: [trader]
    strategies: ["*"]
    adapters: [paper, other]
    certificate: paper.example.org
"""
SAME_TOKEN = f"""\
    tokens: [{{id: abcdefgh, sha256: {HASH}, created: 2026-01-01T00:00:00Z, expires: 2026-02-01T00:00:00Z}}]
"""
SAME_CERTIFICATE = """\
    certificate: paper.example.org
    tokens:
"""


def write(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file with this text."""
    path = tmp_path / "access.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def read(tmp_path: Path, text: str) -> AccessFile:
    """Read a file with this text."""
    return read_access_file(write(tmp_path, text))


def test_a_good_file_says_who_may_what(tmp_path: Path) -> None:
    """Pins the callers that come out of it, and an expiry in any time zone."""
    ann, paper = read(tmp_path, GOOD).principals
    assert Caller("ann", frozenset({Role.RISK, Role.VIEWER})) == ann.to_caller()
    everything = Caller("paper", frozenset({Role.TRADER}), frozenset({"*"}), frozenset({"paper", "other"}))
    assert everything == paper.to_caller()
    assert "2026-04-01T00:00:00+00:00" == ann.tokens[0].expires.astimezone(ann.tokens[0].created.tzinfo).isoformat()
    assert [] == read(tmp_path, "principals: []").principals


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: paper", "name: ann", "9: principals[1].name: ann stands twice"),
        ("name: ann", "name: tidegate", "2: principals[0].name: tidegate is the gate itself"),
        ("name: ann", "name: TideGate", "2: principals[0].name: tidegate is the gate itself"),
        ("name: ann", "name: ann b", "2: principals[0].name: String should match pattern"),
        ("[risk, viewer]", "[risk, god]", "3: principals[0].roles[1]: Input should be 'viewer', 'trader'"),
        ("[risk, viewer]", "[]", "3: principals[0].roles: List should have at least 1 item"),
        ("    roles: [trader]\n", "", "9: principals[1].roles: Field required"),
        (
            '["*"]\n    adapters: [paper, other]',
            '["*"]\n    adapters: [""]',
            "12: principals[1].adapters[0]: String",
        ),
        ('[trader]\n    strategies: ["*"]\n', "[viewer]\n", "11: principals[1].adapters: only a trader has adapters"),
        ('["*"]', '["**"]', "11: principals[1].strategies[0]: String should match pattern"),
        ('["*"]', "[two words]", "11: principals[1].strategies[0]: String should match pattern"),
        ("id: abcdefgh", "id: ABCDEFGH", "5: principals[0].tokens[0].id: String should match pattern"),
        (HASH, HASH[:-1], "6: principals[0].tokens[0].sha256: String should match pattern"),
        ("2026-01-01T00:00:00Z", "yesterday", "7: principals[0].tokens[0].created: Input should be a valid datetime"),
        ("T02:00:00+02:00", "T02:00:00", "8: principals[0].tokens[0].expires: Input should have timezone info"),
        ("2026-04-01T", "2026-14-01T", "8: principals[0].tokens[0].expires: 2026-14-01T02:00:00+02:00 is not a time"),
        ("certificate:", "cert:", "13: principals[1].cert: Extra inputs are not permitted"),
        ("certificate: paper.example.org", "certificate: ''", "13: principals[1].certificate: String should have at"),
        ("    adapters: [paper, other]\n", SAME_TOKEN, "12: principals[1].tokens[0].id: abcdefgh stands twice"),
        ("    tokens:\n", SAME_CERTIFICATE, "14: principals[1].certificate: paper.example.org stands twice"),
        ("principals:", "principals: [", "2: "),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Pins one problem, its place and its text."""
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    (problem,) = str(caught.value).split("\n")
    assert problem.removeprefix(f"{tmp_path / 'access.yaml'}:").startswith(expected), problem


@pytest.mark.parametrize(
    ("mode", "owner", "reader", "is_taken"),
    [
        (0o440, 0, 1000, True),
        (0o640, 0, 1000, True),
        (0o660, 0, 1000, False),
        (0o644, 0, 1000, False),
        (0o640, 0, 0, False),
        (0o440, 1001, 1000, False),
        (0o440, 1000, 1000, False),
        (0o600, 1000, 1000, True),
    ],
)
def test_a_group_reads_only_what_root_keeps(mode: int, owner: int, reader: int, is_taken: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Pins how Kubernetes hands a secret to a user who is not root; PostgreSQL takes its key in the same way."""
    assert is_taken == _is_private(mode, owner, reader)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Pins that who may is no public matter, and nobody else's to change."""
    path = write(tmp_path, GOOD, mode)
    with pytest.raises(ConfigurationError, match=re.escape(f"{path}: others may read or write it (mode {mode:04o})")):
        read_access_file(path)
    path.chmod(0o400)
    assert read_access_file(path).principals


def test_a_token_pasted_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    """Pins that the refusal does not show what was written in the hash's place."""
    secret = "tg_abcdefgh_" + "7f" * 32
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, GOOD.replace(HASH, secret))
    assert secret not in str(caught.value)
