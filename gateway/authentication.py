"""Who is calling: by bearer token, or by the name in the client's certificate."""

import hmac
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gateway.access_file import PrincipalSection, TokenSection
from gateway.tokens import ReadToken, read_token
from tidegate.errors import TidegateError
from tidegate.permissions import Caller

_NO_HASH = "0" * 64
_CERTIFICATE_NAMES = ("x509_common_name", "x509_subject_alternative_name")


class UnauthenticatedError(TidegateError):
    """Nobody known calls; ``who`` is what the log may say of the one who tried."""

    def __init__(self, text: str, who: str = "") -> None:
        """Take what the caller learns, and whom it looks like."""
        super().__init__(text)
        self.who = who


class Identity(NamedTuple):
    """A caller, and what proved it: a token's id or a certificate's name, neither of them a secret."""

    caller: Caller
    token_id: str = ""
    certificate: str = ""


class _KnownToken(NamedTuple):
    sha256: str
    expires_s: float
    caller: Caller


class Directory:
    """Everybody who may call. It is never changed: a new access file makes a new one."""

    def __init__(self, principals: Iterable[PrincipalSection], now_s: Callable[[], float]) -> None:
        """Take the principals, and the clock that tokens expire by."""
        self._now_s = now_s
        self._tokens: dict[str, _KnownToken] = {}
        self._certificates: dict[str, Caller] = {}
        for principal in principals:
            caller = principal.to_caller()
            self._tokens |= {token.id: _known(token, caller) for token in principal.tokens}
            if principal.certificate is not None:
                self._certificates[principal.certificate] = caller

    def identify(self, context: Any) -> Identity:
        """
        Find out who calls: by the token when one is shown, else by the certificate.

        Raises:
            UnauthenticatedError: nobody who is known.
        """
        shown = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
        if shown:
            return self._by_token(shown)
        proved = context.auth_context()
        names = {name.decode("utf-8", "replace") for key in _CERTIFICATE_NAMES for name in proved.get(key, ())}
        if not names:
            text = "the call shows neither a token nor a client certificate"
            raise UnauthenticatedError(text)
        return self._by_certificate(names)

    def caller_of(self, identity: Identity) -> Caller | None:
        """Return who an identity is now; None when its token is revoked or expired, or its certificate unknown."""
        if not identity.token_id:
            return self._certificates.get(identity.certificate)
        known = self._tokens.get(identity.token_id)
        return None if known is None or known.expires_s <= self._now_s() else known.caller

    def _by_token(self, shown: list[str]) -> Identity:
        scheme, _, text = shown[0].partition(" ")
        token = read_token(text) if len(shown) == 1 and scheme.lower() == "bearer" else None
        if token is None:
            message = "the authorization is not one bearer token of this gateway's form"
            raise UnauthenticatedError(message)
        known = self._tokens.get(token.id)
        # Compared also when there is no such token, so that the time taken tells nothing.
        is_right = hmac.compare_digest(token.sha256, _NO_HASH if known is None else known.sha256)
        if known is None or not is_right:
            message = "the token is not valid"
            raise UnauthenticatedError(message, _who(token, known))
        if known.expires_s <= self._now_s():
            message = "the token has expired"
            raise UnauthenticatedError(message, _who(token, known))
        return Identity(known.caller, token_id=token.id)

    def _by_certificate(self, names: set[str]) -> Identity:
        found = {name: self._certificates[name] for name in names if name in self._certificates}
        if len(set(found.values())) != 1:
            message = f"the certificate names {'more than one' if found else 'nobody'} in the access file"
            raise UnauthenticatedError(message, f"certificate {', '.join(sorted(names))}")
        name, caller = found.popitem()
        return Identity(caller, certificate=name)


def _known(token: TokenSection, caller: Caller) -> _KnownToken:
    return _KnownToken(token.sha256, token.expires.timestamp(), caller)


def _who(token: ReadToken, known: _KnownToken | None) -> str:
    return f"token {token.id}" if known is None else f"{known.caller.name}, token {token.id}"
