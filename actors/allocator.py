"""The PortfolioAllocator: starts and supervises the strategies, and takes them through the bars together."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.heartbeat import Heartbeat
from actors.logs import open_log
from actors.names import CPU_SHARE, NAMESPACE, strategy_name
from actors.port import Port, UnavailableError
from actors.ray_port import RayPort
from actors.restarts import EXIT_FATAL, start_again_after_a_restart
from actors.strategy_actor import BarResult, StrategyActor, StrategySpec
from tidegate.gate import Request
from tidegate.permissions import INTERNAL
from tidegate.reasons import Reason
from tidegate.v1 import actors_pb2

# How long a strategy may take to live through its history, and a killed one to come back.
RECOVERY_DEADLINE_S = 300.0
_NEXT_BAR_TIMEOUT_S = 10.0
_RETRY_PAUSE_S = 0.2


@dataclass(frozen=True)
class AllocatorSettings:
    """What the allocator needs to begin, and to begin again: the strategies in the portfolio file's order."""

    strategies: Sequence[StrategySpec]
    bar_deadline_s: float
    risk_manager: str
    logs: Path


class PortfolioAllocator:
    """
    One bar at a time: strategies in parallel with a deadline, their orders to the RiskManager as one batch.

    It keeps no state of its own: where to go on is asked of the RiskManager, so it may die at any moment.
    """

    def __init__(self, settings: AllocatorSettings) -> None:
        """Keep the settings; ``start`` does what can fail."""
        self._settings = settings
        self._log = open_log(settings.logs, "allocator")
        self._port: Port = RayPort(ray.get_actor(settings.risk_manager, NAMESPACE))
        self._actors: dict[str, Any] = {}
        self._running: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(lambda: True, self._log)
        start_again_after_a_restart(self.start, self._log)

    async def start(self) -> None:
        """
        Start every strategy, and begin with the oldest bar that is not completed.

        Raises:
            RayTaskError: a strategy's class cannot be built; it says why.
        """
        if self._running is not None:
            return
        make = ray.remote(StrategyActor)
        for spec in self._settings.strategies:
            self._actors[spec.strategy_id] = make.options(
                name=strategy_name(spec.strategy_id),
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                max_restarts=-1,
                num_cpus=CPU_SHARE,
                scheduling_strategy="SPREAD",
            ).remote(spec)
        await asyncio.gather(*(actor.start.remote() for actor in self._actors.values()))
        self._running = asyncio.get_running_loop().create_task(self._run())
        self._running.add_done_callback(self._end_process)

    async def process_id(self) -> int:
        """Return this process's id."""
        return os.getpid()

    async def _run(self) -> None:
        while True:
            try:
                await self._next_bar()
            except UnavailableError as error:
                self._log.warning("risk_manager_away", error=str(error))
                await asyncio.sleep(_RETRY_PAUSE_S)

    async def _next_bar(self) -> None:
        reply = await self._port.wait(Request("NextBar", b"", INTERNAL), _NEXT_BAR_TIMEOUT_S)
        if reply.reason:
            self._log.error("no_next_bar", reason=reply.reason, text=reply.text)
            await asyncio.sleep(_RETRY_PAUSE_S)
        if not reply.body:
            return
        update = actors_pb2.BarUpdate.FromString(reply.body)
        own = {entry.strategy_id: entry for entry in update.strategies}
        self._end_removed(own)
        specs = [spec for spec in self._settings.strategies if not own[spec.strategy_id].paused]
        results = await asyncio.gather(*(self._run_strategy(spec, update, own[spec.strategy_id]) for spec in specs))
        request = _completion(update, specs, results)
        (completed,) = await self._port.execute([Request("CompleteBar", request.SerializeToString(), INTERNAL)])
        for decision in actors_pb2.CompleteBarResponse.FromString(completed.body).decisions:
            if not decision.sequence:
                self._log.error("order_malformed", bar=update.bar.sequence, reason=decision.reason)
        if completed.reason:
            self._log.error("bar_not_completed", bar=update.bar.sequence, reason=completed.reason, text=completed.text)
            await asyncio.sleep(_RETRY_PAUSE_S)

    def _end_removed(self, own: dict[str, actors_pb2.StrategyUpdate]) -> None:
        """End the processes of strategies that were removed; nobody asks them any more."""
        for strategy_id in [name for name in self._actors if own[name].removed]:
            ray.kill(self._actors.pop(strategy_id), no_restart=True)
            self._log.info("strategy_removed", strategy=strategy_id)

    async def _run_strategy(
        self, spec: StrategySpec, update: actors_pb2.BarUpdate, own: actors_pb2.StrategyUpdate
    ) -> BarResult:
        """Run one strategy on a bar; a crash is forgiven once, for the process may have been killed by another hand."""
        body = actors_pb2.BarUpdate(
            sequence=update.sequence, after_sequence=update.after_sequence, bar=update.bar, strategies=[own]
        ).SerializeToString()
        actor = self._actors[spec.strategy_id]
        text = ""
        for _attempt in (1, 2):
            try:
                return await self._run_bar(spec, actor, body, update.sequence, own.saved_sequence)
            except RayActorError as error:
                text = f"its process died: {type(error).__name__}"
                self._log.warning("strategy_process_died", strategy=spec.strategy_id, bar=update.bar.sequence)
            except TimeoutError:
                ray.kill(actor, no_restart=False)
                text = f"no answer within {self._settings.bar_deadline_s:g} s"
                return BarResult(update.sequence, fault=Reason.STRATEGY_LATE, text=text)
            try:
                await asyncio.wait_for(_come_back(actor), RECOVERY_DEADLINE_S)
            except (TimeoutError, RayTaskError) as error:
                text = f"its process did not come back: {type(error).__name__}"
                break
        return BarResult(update.sequence, fault=Reason.STRATEGY_FAILED, text=text)

    async def _run_bar(self, spec: StrategySpec, actor: Any, body: bytes, up_to: int, saved: int) -> BarResult:
        """Run a bar with its deadline; a strategy that is behind catches up first, which takes as long as it takes."""
        deadline_s = self._settings.bar_deadline_s
        result: BarResult = await asyncio.wait_for(actor.run_bar.remote(body), deadline_s)
        if not result.is_behind:
            return result
        try:
            result = await asyncio.wait_for(self._catch_up(spec, actor, saved, up_to), RECOVERY_DEADLINE_S)
            if result.is_behind:
                result = await asyncio.wait_for(self._catch_up(spec, actor, 0, up_to), RECOVERY_DEADLINE_S)
        except TimeoutError:
            text = f"it did not live through its history within {RECOVERY_DEADLINE_S:g} s"
            return BarResult(result.sequence, fault=Reason.STRATEGY_FAILED, text=text)
        if result.fault is not None:
            return result
        result = await asyncio.wait_for(actor.run_bar.remote(body), deadline_s)
        if result.is_behind:
            text = f"it stands at event {result.sequence} after catching up to {up_to}"
            return BarResult(result.sequence, fault=Reason.STRATEGY_FAILED, text=text)
        return result

    async def _catch_up(self, spec: StrategySpec, actor: Any, after: int, up_to: int) -> BarResult:
        """Let a strategy that was started anew live through its history, up to where the bar's update begins."""
        self._log.info("strategy_catches_up", strategy=spec.strategy_id, after=after, up_to=up_to)
        while True:
            request = actors_pb2.ReadHistoryRequest(
                strategy_id=spec.strategy_id, after_sequence=after, up_to_sequence=up_to
            )
            history = await self._port.read(Request("ReadHistory", request.SerializeToString(), INTERNAL))
            if history.reason:
                return BarResult(after, fault=Reason.STRATEGY_FAILED, text=f"{history.reason}: {history.text}")
            after = actors_pb2.ReadHistoryResponse.FromString(history.body).next_after_sequence
            result: BarResult = await actor.catch_up.remote(history.body, is_last=after >= up_to)
            if result.fault is not None or result.is_behind or after >= up_to:
                return result

    def _end_process(self, ended: "asyncio.Task[None]") -> None:
        """Start anew when the loop ends by what nobody foresaw: the strategies must not stand still in silence."""
        if not ended.cancelled():
            self._log.critical("fail_stop", exc_info=ended.exception())
            os._exit(EXIT_FATAL)


def _completion(
    update: actors_pb2.BarUpdate, specs: Sequence[StrategySpec], results: Sequence[BarResult]
) -> actors_pb2.CompleteBarRequest:
    """Put together what the strategies made of a bar."""
    request = actors_pb2.CompleteBarRequest(bar_sequence=update.bar.sequence, seen_sequence=update.sequence)
    for spec, result in zip(specs, results, strict=True):
        if result.fault is not None:
            request.faults.add(strategy_id=spec.strategy_id, reason_code=result.fault, reason=result.text)
            continue
        request.strategy_ids.append(spec.strategy_id)
        for order in result.orders:
            request.orders.add().ParseFromString(order)
        if result.state:
            request.states.add().ParseFromString(result.state)
        for client_order_id in result.cancels:
            request.cancels.add(strategy_id=spec.strategy_id, client_order_id=client_order_id)
    return request


async def _come_back(actor: Any) -> None:
    """Wait while Ray brings a strategy's process back."""
    while True:
        try:
            await actor.start.remote()
        except RayActorError:
            await asyncio.sleep(_RETRY_PAUSE_S)
        else:
            return
