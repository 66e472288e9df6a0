"""Channels: connections to a gateway, over TLS where its authority is named, with the token on every call."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

from gateway.credentials import Credentials
from tidegate.errors import ConfigurationError

Options = Sequence[tuple[str, Any]]


def open_channel(address: str, credentials: Credentials, options: Options) -> grpc.Channel:
    """
    Connect when first used.

    Raises:
        ConfigurationError: a file cannot be read, or the token would leave this machine without TLS.
    """
    secret = _channel_credentials(address, credentials)
    if secret is None:
        channel = grpc.insecure_channel(address, options)
    else:
        channel = grpc.secure_channel(address, secret, options)
    return grpc.intercept_channel(channel, _Token(credentials.token)) if credentials.token else channel


def open_aio_channel(address: str, credentials: Credentials, options: Options) -> grpc.aio.Channel:
    """
    Connect when first used, on the running event loop.

    Raises:
        ConfigurationError: a file cannot be read, or the token would leave this machine without TLS.
    """
    secret = _channel_credentials(address, credentials)
    token = credentials.token
    # gRPC takes each of them for one kind of call.
    interceptors = [_AioUnaryToken(token), _AioStreamToken(token)] if token else None
    if secret is None:
        return grpc.aio.insecure_channel(address, options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, secret, options, interceptors=interceptors)


def _channel_credentials(address: str, credentials: Credentials) -> grpc.ChannelCredentials | None:
    credentials.check(address)
    if not credentials.ca:
        return None
    files = [credentials.ca, *([credentials.key, credentials.certificate] if credentials.key else [])]
    return grpc.ssl_channel_credentials(*map(_read, files))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise ConfigurationError(message) from error


def _authorization(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


class _Token(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds the token to each call."""

    def __init__(self, token: str) -> None:
        self._authorization = _authorization(token)

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def _with_token(self, details: Any) -> Any:
        return details._replace(metadata=(*(details.metadata or ()), self._authorization))


class _AioUnaryToken(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds the token to each call that has one answer."""

    def __init__(self, token: str) -> None:
        self._authorization = _authorization(token)

    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), self._authorization)
        return await continuation(details._replace(metadata=metadata), request)


class _AioStreamToken(grpc.aio.UnaryStreamClientInterceptor):
    """Adds the token to each stream."""

    def __init__(self, token: str) -> None:
        self._authorization = _authorization(token)

    async def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), self._authorization)
        return await continuation(details._replace(metadata=metadata), request)
