"""Who is calling: tokens and certificates against a directory."""

import string
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access_file import PrincipalSection, TokenSection
from gateway.authentication import Directory, Identity, UnauthenticatedError
from gateway.tokens import NewToken, new_token, read_token
from tidegate.permissions import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Shown:
    """What a call shows, in the form that gRPC gives it."""

    metadata: tuple[tuple[str, str], ...] | None = None
    certificate: dict[str, list[bytes]] = field(default_factory=dict)

    def invocation_metadata(self) -> tuple[tuple[str, str], ...] | None:
        """Return the call's metadata; gRPC has None for none."""
        return self.metadata

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return what the handshake proved."""
        return self.certificate


def bearer(text: str) -> Shown:
    """Show a token."""
    return Shown((("user-agent", "test"), ("authorization", f"Bearer {text}")))


def principal(name: str, *made: NewToken, certificate: str | None = None, life_s: float = 60) -> PrincipalSection:
    """Name somebody with tokens."""
    expires = NOW + timedelta(seconds=life_s)
    tokens = [TokenSection(id=one.id, sha256=one.sha256, created=NOW, expires=expires) for one in made]
    return PrincipalSection(name=name, roles=[Role.VIEWER], tokens=tokens, certificate=certificate)


def directory(*principals: PrincipalSection, after_s: float = 0) -> Directory:
    """Make a directory that is asked so long after the tokens were made."""
    return Directory(principals, lambda: NOW.timestamp() + after_s)


MADE = [new_token() for _ in range(3)]
KNOWN = directory(principal("ann", *MADE[:2]), principal("bob", MADE[2]))


def test_a_token_that_was_made_says_whose_it_is() -> None:
    """Pins the round trip, by whatever spelling of the scheme."""
    for made, name in zip(MADE, ("ann", "ann", "bob"), strict=True):
        identity = KNOWN.identify(bearer(made.text))
        assert (name, made.id, "") == (identity.caller.name, identity.token_id, identity.certificate)
        assert identity == KNOWN.identify(Shown((("authorization", f"bearer {made.text}"),)))


def test_a_tokens_text_is_not_in_what_is_kept_or_shown_of_it() -> None:
    """Pins that neither a repr nor a hash gives it away, and that no two are alike."""
    made = MADE[0]
    secret = made.text.split("_")[2]
    assert 64 == len(secret)
    assert secret not in repr(made)
    assert secret != made.sha256
    assert 100 == len({new_token().text for _ in range(100)})


SECRETS = st.text("0123456789abcdef", min_size=64, max_size=64)
FORGED = st.one_of(
    st.text(),
    st.builds("tg_{}_{}".format, st.text(string.ascii_lowercase, min_size=8, max_size=8), SECRETS),
    # A right id with another secret, and a right token with something changed, added or cut off.
    st.builds(lambda made, secret: f"tg_{made.id}_{secret}", st.sampled_from(MADE), SECRETS),
    st.builds(lambda made, extra: made.text + extra, st.sampled_from(MADE), st.text(min_size=1)),
    st.builds(lambda made, extra: extra + made.text, st.sampled_from(MADE), st.text(min_size=1)),
    st.builds(lambda made, length: made.text[:length], st.sampled_from(MADE), st.integers(0, 76)),
    st.builds(
        lambda made, place, other: made.text[:place] + other + made.text[place + 1 :],
        st.sampled_from(MADE),
        st.integers(0, 76),
        st.characters(),
    ),
    # One's id with another's secret.
    st.builds(lambda one, other: f"tg_{one.id}_{other.text.split('_')[2]}", *[st.sampled_from(MADE)] * 2),
)


@given(FORGED.filter(lambda text: text not in {made.text for made in MADE}))
def test_a_token_that_was_not_made_is_refused_whatever_it_is(text: str) -> None:
    """Pins that only the exact text opens, and that what it was is in no error."""
    with pytest.raises(UnauthenticatedError) as caught:
        KNOWN.identify(bearer(text))
    token = read_token(text)
    assert token is None or text.split("_")[2] not in f"{caught.value} {caught.value.who}"


@pytest.mark.parametrize(("after_s", "is_good"), [(0, True), (59.999, True), (60, False), (10**9, False)])
def test_a_token_is_good_until_it_expires(after_s: float, *, is_good: bool) -> None:
    """Pins the moment, for a call and for what is open already."""
    asked = directory(principal("ann", MADE[0]), after_s=after_s)
    caller = KNOWN.identify(bearer(MADE[0].text)).caller
    open_already = asked.caller_of(Identity(caller, token_id=MADE[0].id))
    assert (caller if is_good else None) == open_already
    if is_good:
        assert caller == asked.identify(bearer(MADE[0].text)).caller
    else:
        with pytest.raises(UnauthenticatedError, match="the token has expired"):
            asked.identify(bearer(MADE[0].text))


def test_who_stands_no_more_in_the_file_is_nobody_any_more() -> None:
    """Pins what ends an open stream: a revoked token, a certificate that is not named any more."""
    before = directory(principal("ann", MADE[0], certificate="ann.example.org"))
    for shown in (bearer(MADE[0].text), Shown(certificate={"x509_common_name": [b"ann.example.org"]})):
        identity = before.identify(shown)
        assert identity.caller == before.caller_of(identity)
        assert directory().caller_of(identity) is None


@pytest.mark.parametrize(
    "shown",
    [
        Shown(),
        Shown(()),
        Shown((("authorization", ""),)),
        Shown((("authorization", MADE[0].text),)),
        Shown((("authorization", f"Basic {MADE[0].text}"),)),
        Shown((("authorization", f"Bearer {MADE[0].text}"), ("authorization", f"Bearer {MADE[0].text}"))),
        Shown((("x-token", f"Bearer {MADE[0].text}"),)),
        Shown(certificate={"transport_security_type": [b"ssl"]}),
        Shown(certificate={"x509_common_name": [b"ann"], "x509_subject_alternative_name": [b"\xff"]}),
        Shown((("authorization", "Bearer x"),), {"x509_common_name": [b"ann.example.org"]}),
    ],
)
def test_anything_else_than_one_bearer_token_or_a_known_certificate_is_refused(shown: Shown) -> None:
    """Pins that a bad token is not forgiven for a good certificate, and that names of principals prove nothing."""
    with pytest.raises(UnauthenticatedError):
        directory(principal("ann", MADE[0], certificate="ann.example.org")).identify(shown)
