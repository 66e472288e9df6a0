"""What a client shows: as it was told, else as the environment says."""

from pathlib import Path

import pytest

from gateway.credentials import VARIABLES, Credentials
from gateway.tokens import new_token
from tidegate.errors import ConfigurationError

TOKEN = new_token().text


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Begin with an environment that says nothing."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def test_what_is_told_beats_the_environment_and_an_empty_text_is_none(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    """Pins where each of the four comes from."""
    assert Credentials() == Credentials.of()
    for variable in VARIABLES[2:]:
        environment.setenv(variable, variable.lower())
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="ascii")
    environment.setenv("TIDEGATE_TOKEN_FILE", str(file))
    surroundings = Credentials(TOKEN, "tidegate_ca", "tidegate_certificate", "tidegate_key")
    assert surroundings == Credentials.of()
    environment.setenv("TIDEGATE_TOKEN", "tg_other")
    assert ("tg_other", "tg_told") == (Credentials.of().token, Credentials.of("tg_told").token)
    assert Credentials("", "ca", "c", "k") == Credentials.of("", Path("ca"), "c", "k")
    assert Credentials() == Credentials.of("", "", "", "")


def test_a_token_is_not_in_the_repr() -> None:
    """Pins that a log of the object does not give it away."""
    assert TOKEN not in repr(Credentials.of(TOKEN))


@pytest.mark.parametrize(
    ("certificate", "key", "ca", "text"),
    [("c", "", "ca", "needs its key"), ("", "k", "ca", "needs its key"), ("c", "k", "", "over TLS only")],
)
def test_half_a_client_certificate_is_refused(certificate: str, key: str, ca: str, text: str) -> None:
    """Pins that nobody believes to be known who is not."""
    with pytest.raises(ConfigurationError, match=text):
        Credentials.of("", ca, certificate, key)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_token_file_that_has_no_token_is_refused_by_its_name(
    tmp_path: Path, environment: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """Pins that a missing token is an error here, not a stranger there."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    environment.setenv("TIDEGATE_TOKEN_FILE", str(file))
    with pytest.raises(ConfigurationError, match=str(file)):
        Credentials.of()


@pytest.mark.parametrize("text", ["tg_\nx-evil: 1", "tg_ö", "tg_\x00"])
def test_a_token_that_no_header_could_carry_is_refused_without_showing_it(text: str) -> None:
    """Pins what would otherwise fail inside gRPC, with the token in the error."""
    with pytest.raises(ConfigurationError) as caught:
        Credentials.of(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("127.0.0.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/run/gate.sock", True),
        ("192.0.2.1:1", False),
        ("localhost.example.org:1", False),
        ("0.0.0.0:1", False),
        ("dns:///127.0.0.1:1", False),
        ("", False),
    ],
)
def test_a_token_leaves_this_machine_over_tls_only(address: str, *, is_safe: bool) -> None:
    """Pins where a token may go in the open."""
    Credentials.of().check(address)
    Credentials.of(TOKEN, "ca.pem").check(address)
    if is_safe:
        Credentials.of(TOKEN).check(address)
    else:
        with pytest.raises(ConfigurationError, match="over TLS only"):
            Credentials.of(TOKEN).check(address)
