"""Bearer tokens: what one looks like, and what is kept of it."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import NamedTuple

SECRET_BYTES = 32
_ID_LENGTH = 8
_TOKEN = re.compile(rf"tg_([a-z]{{{_ID_LENGTH}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. Its text is shown to its owner once, and kept nowhere."""

    id: str
    sha256: str
    text: str = field(repr=False)


class ReadToken(NamedTuple):
    """A token that somebody showed: its public id, and the SHA-256 of its secret."""

    id: str
    sha256: str


def new_token() -> NewToken:
    """Make a token with a random secret of 256 bits; only its hash is for keeping."""
    token_id = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_ID_LENGTH))
    secret = secrets.token_hex(SECRET_BYTES)
    return NewToken(token_id, _sha256(secret), f"tg_{token_id}_{secret}")


def read_token(text: str) -> ReadToken | None:
    """Take a token apart; None when it is none."""
    match = _TOKEN.fullmatch(text)
    return None if match is None else ReadToken(match[1], _sha256(match[2]))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
