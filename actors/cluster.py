"""Start, attach, stop: the one place that knows every actor."""

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.allocator import AllocatorSettings, PortfolioAllocator
from actors.gateway_host import GatewayHost
from actors.names import ALLOCATOR, NAMESPACE, REPORTER, RISK_MANAGER, gateway_name, strategy_name
from actors.port import OpenFrontDoor
from actors.risk_manager import RiskManager, RiskManagerSettings
from actors.risk_reporter import ReporterSettings, RiskReporter
from actors.strategy_actor import StrategySpec
from tidegate.errors import TidegateError
from tidegate.report_rules import ReportRules

_STOP_TIMEOUT_S = 10.0
# A node that does not come up in Ray's own half minute, on a busy machine or beside another one, may do so later.
_RAY_ATTEMPTS = 3
# Calls under way in one actor: every stream of every gateway apart is one.
_CALLS_MAX = 10_000


@dataclass(frozen=True)
class ClusterSettings:
    """
    What runs: the RiskManager, the strategies, and any number of gateways.

    gateways_apart: opens each in an actor of its own, by its name; the one beside is in the RiskManager's settings.
    reports: None where nobody wants them.
    """

    risk_manager: RiskManagerSettings
    strategies: Sequence[StrategySpec]
    bar_deadline_s: float
    gateways_apart: Mapping[str, OpenFrontDoor] = field(default_factory=dict)
    reports: ReportRules | None = None


def start_ray() -> None:
    """
    Start Ray on this machine, for this process and its actors. It reports to nobody and opens no dashboard.

    Raises:
        TidegateError: it did not come up, also when it was tried again.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's own default gives every other process precedence over the gate.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 -- Ray's own spelling
    # gRPC's core writes a line for each malformed call: strangers must not be able to fill the disk.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for left in reversed(range(_RAY_ATTEMPTS)):
        try:
            ray.init(
                address="local",
                namespace=NAMESPACE,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:  # Ray raises nothing narrower when its node does not come up in time
            ray.shutdown()
            if not left:
                message = f"Ray does not start on this machine: {error}"
                raise TidegateError(message) from error
        else:
            return


def start(settings: ClusterSettings) -> int:
    """
    Start every actor; return the number of events read from the journal.

    Raises:
        TidegateError: what the actor that could not start said, in one line; nothing is left running.
    """
    try:
        manager = _actor(RiskManager, RISK_MANAGER).remote(settings.risk_manager)
        count: int = ray.get(manager.start.remote())
        allocator_settings = AllocatorSettings(
            settings.strategies, settings.bar_deadline_s, RISK_MANAGER, settings.risk_manager.logs
        )
        allocator = _actor(PortfolioAllocator, ALLOCATOR).remote(allocator_settings)
        ray.get(allocator.start.remote())
        if settings.reports is not None:
            own = settings.risk_manager
            reporter_settings = ReporterSettings(settings.reports, own.journal, RISK_MANAGER, own.logs)
            ray.get(_actor(RiskReporter, REPORTER).remote(reporter_settings).start.remote())
        for name, open_front_door in settings.gateways_apart.items():
            host = _actor(GatewayHost, gateway_name(name))
            gateway = host.remote(name, open_front_door, RISK_MANAGER, settings.risk_manager)
            ray.get(gateway.start.remote())
    except RayTaskError as error:
        stop(settings)
        text = str(error.cause).splitlines()
        raise TidegateError(text[0] if text else type(error.cause).__name__) from error
    return count


def attach(address: str = "auto") -> Any:
    """Join a running cluster and return the RiskManager's handle."""
    if not ray.is_initialized():
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    return ray.get_actor(RISK_MANAGER, NAMESPACE)


def stop(settings: ClusterSettings) -> None:
    """Stop every actor: first who asks, last who writes."""
    gateways = [gateway_name(name) for name in settings.gateways_apart]
    strategies = [strategy_name(spec.strategy_id) for spec in settings.strategies]
    for name in (*gateways, REPORTER, ALLOCATOR, *strategies, RISK_MANAGER):
        try:
            actor = ray.get_actor(name, NAMESPACE)
        except ValueError:
            continue
        if name in (*gateways, RISK_MANAGER):
            with contextlib.suppress(RayActorError, ray.exceptions.GetTimeoutError):
                ray.get(actor.stop.remote(), timeout=_STOP_TIMEOUT_S)
        ray.kill(actor, no_restart=True)


def stop_ray() -> None:
    """Stop the Ray that ``start_ray`` started, with all its processes."""
    ray.shutdown()


def _actor(kind: type[Any], name: str) -> Any:
    """Prepare an actor that outlives who made it, comes back when its process dies, and is found by its name."""
    make: Any = ray.remote(kind)
    return make.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        max_restarts=-1,
        num_cpus=0,
        max_concurrency=_CALLS_MAX,
    )
