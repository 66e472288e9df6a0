"""A replay: bars through the real gateway, one at a time, each settled before the next."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import grpc

from gateway.client import Client
from gateway.prices import Session
from gateway.status import refusal_of
from tidegate.portfolio_file import OperatorSection
from tidegate.reasons import Reason
from tidegate.risk.consequences import GATE
from tidegate.times import to_ns
from tidegate.v1 import admin_pb2, common_pb2, market_data_pb2, portfolio_pb2

_CHOICES = {
    "rebase": admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE,
    "keep": admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP,
}


class Progress(NamedTuple):
    """How far a replay has come, for whoever shows it."""

    time_ns: int
    equity: str
    drawdown: str
    is_halted: bool


class Replay:
    """
    Publishes bars, and plays the operator whom the portfolio file names.

    Where to go on is asked of the gate: a replay on a journal that has bars continues after the last completed one.
    """

    def __init__(self, client: Client, operator: OperatorSection | None) -> None:
        """Stand on a client."""
        self._client = client
        self._operator = operator

    def completed_ns(self) -> int:
        """Return the time of the newest bar that is completed; 0 when there is none."""
        return to_ns(self._client.portfolio.GetPortfolio(portfolio_pb2.GetPortfolioRequest()).bar_time)

    def run(self, sessions: Iterable[Session], show: Callable[[Progress], None]) -> None:
        """Publish each bar once the orders of the one before are decided, routed and acknowledged."""
        completed_ns = self.completed_ns()
        # What an earlier run left unsettled comes first: a bar must not overtake the orders of the one before.
        self._reset_if_due(self._settled(0))
        for session in sessions:
            if session.time_ns <= completed_ns:
                continue
            published = self._client.market_data.PublishBars(session.request)
            settled = self._settled(published.bar_sequence)
            is_halted = settled.level != common_pb2.HALT_LEVEL_ACTIVE
            show(Progress(session.time_ns, settled.equity, settled.drawdown, is_halted))
            self._reset_if_due(settled)

    def _settled(self, bar_sequence: int) -> market_data_pb2.AwaitBarResponse:
        return self._client.market_data.AwaitBar(market_data_pb2.AwaitBarRequest(bar_sequence=bar_sequence))

    def _reset_if_due(self, settled: market_data_pb2.AwaitBarResponse) -> None:
        """Reset a halt of the gate's own after its bars; a person's halt is that person's to reset."""
        operator = self._operator
        if operator is None or settled.halted_by != GATE or settled.bars_halted < operator.reset_after_bars:
            return
        request = admin_pb2.ResetHaltRequest(
            scope=common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO),
            operator=operator.name,
            reason=operator.reason,
            high_water_mark=_CHOICES[operator.high_water_mark],
        )
        try:
            self._client.admin.ResetHalt(request)
        except grpc.RpcError as error:
            refusal = refusal_of(error)
            # Refused while it would halt again, or unknown: the next bar says whether it is still halted.
            if refusal.reason != Reason.RESET_WOULD_HALT_AGAIN and refusal.code != grpc.StatusCode.UNAVAILABLE:
                raise
