"""The end of a run: what the gate says when everything is quiet, and what a gate says that only read the journal."""

import time
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from actors.clocks import wall_clock
from chaos.answers import Answers
from chaos.questions import ask_everything
from gateway.client import Client
from gateway.methods import methods
from tidegate.gate import Gate, Request
from tidegate.journal.location import Location, open_journal
from tidegate.v1 import portfolio_pb2, risk_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

_TRIES = 300
_PAUSE_S = 0.1


def live_answers(address: str) -> Answers:
    """
    Ask a gate about everything while nothing happens in between.

    Raises:
        TimeoutError: something happened in between, every time.
    """
    paths = {method.name: method for method in methods()}
    with Client(address) as client:

        def ask(method: str, request: Message) -> bytes:
            call: Callable[..., bytes] = client.channel.unary_unary(paths[method].path)
            return call(request.SerializeToString(), wait_for_ready=True)

        names = strategies_of(ask("ListStrategies", portfolio_pb2.ListStrategiesRequest()))
        for _ in range(_TRIES):
            answers = ask_everything(ask, names)
            later = ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest())
            if later == answers["GetPortfolio"][0] and _sequence(answers) == _shown(later):
                return answers
            time.sleep(_PAUSE_S)
    message = "the gate never came to rest"
    raise TimeoutError(message)


def replayed_answers(copy: Location) -> Answers:
    """Have a gate in this process read a copy of a journal, and ask it the same."""
    store = open_journal(copy)
    gate = Gate(store, wall_clock)
    gate.start(next(store.read(0, 1)).portfolio_configured)

    def ask(method: str, request: Message) -> bytes:
        (reply,) = gate.process([Request(method, request.SerializeToString())]).replies
        return reply.body

    answers = ask_everything(ask, strategies_of(ask("ListStrategies", portfolio_pb2.ListStrategiesRequest())))
    store.close()
    return answers


def strategies_of(reply: bytes) -> list[str]:
    """Name the strategies of a ListStrategies reply."""
    return [one.strategy_id for one in portfolio_pb2.ListStrategiesResponse.FromString(reply).strategies]


def _sequence(answers: Answers) -> int:
    return risk_pb2.GetRiskMetricsResponse.FromString(answers["GetRiskMetrics"][0]).sequence


def _shown(reply: bytes) -> int:
    return portfolio_pb2.GetPortfolioResponse.FromString(reply).sequence
