"""What ends a benchmark."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from gateway.status import refusal_of


class BenchError(Exception):
    """A run that did not do what its figure would claim; there is no figure then."""


@contextmanager
def refusals_end_it() -> Iterator[None]:
    """Turn a refused call into a BenchError, which another process can be told."""
    try:
        yield
    except grpc.RpcError as error:
        refusal = refusal_of(error)
        message = f"a call was refused: {refusal.reason or refusal.code.name}: {refusal.text}"
        raise BenchError(message) from error
