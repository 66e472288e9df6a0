"""Start, attach, stop: the one place that knows every actor."""

import contextlib
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from actors.allocator import AllocatorSettings, PortfolioAllocator
from actors.gateway_host import GatewayHost
from actors.names import (
    ALLOCATOR,
    CPU_SHARE,
    GATEWAY,
    JOURNAL_RESOURCE,
    NAMESPACE,
    REPORTER,
    RISK_MANAGER,
    STRATEGY,
    gateway_name,
)
from actors.port import OpenFrontDoor
from actors.risk_manager import RiskManager, RiskManagerSettings
from actors.risk_reporter import ReporterSettings, RiskReporter
from actors.strategy_actor import StrategySpec
from tidegate.errors import TidegateError
from tidegate.report_rules import ReportRules

_STOP_TIMEOUT_S = 10.0
# A node that does not come up in Ray's own half minute, on a busy machine or beside another one, may do so later.
_RAY_ATTEMPTS = 3
# A part of what a node with the journal offers: any number of portfolios may run there one after the other.
_NEAR_THE_JOURNAL = {JOURNAL_RESOURCE: 0.001}
_LOOK_TIMEOUT_S = 5.0
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

    Ray makes a token for it, in ``~/.ray/auth_token`` if there is none: another user of this machine does not get in.

    Raises:
        TidegateError: it did not come up, also when it was tried again.
    """
    _prepare()
    for left in reversed(range(_RAY_ATTEMPTS)):
        try:
            ray.init(
                address="local",
                namespace=NAMESPACE,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                resources={JOURNAL_RESOURCE: 1},
            )
        except Exception as error:  # Ray raises nothing narrower when its node does not come up in time
            ray.shutdown()
            if not left:
                message = f"Ray does not start on this machine: {error}"
                raise TidegateError(message) from error
        else:
            return


def join(address: str) -> None:
    """
    Join a cluster that runs, with its token: from ``RAY_AUTH_TOKEN``, ``RAY_AUTH_TOKEN_PATH`` or ``~/.ray/auth_token``.

    Raises:
        TidegateError: there is no cluster, or it does not let us in.
    """
    _prepare()
    _look_for(address)
    # Who only asks says one line of its own when it is not let in.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises nothing narrower for a cluster that is away or refuses
        ray.shutdown()
        message = f"cannot join a Ray cluster at {address}: there is none, or its token is not the one shown here"
        raise TidegateError(message) from error


def _look_for(address: str) -> None:
    """Refuse an address at which nobody answers: Ray itself would try for a quarter of an hour."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return  # "auto": Ray knows the addresses on this machine
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LOOK_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        message = f"no Ray cluster answers at {address}: {error}"
        raise TidegateError(message) from error


def _prepare() -> None:
    """Tell Ray, by the environment that its processes inherit, how to run: it knows no other way for these."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's own default gives every other process precedence over the gate.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 -- Ray's own spelling
    # gRPC's core writes a line for each malformed call: strangers must not be able to fill the disk.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def check_room() -> None:
    """
    Look whether the cluster can take a portfolio.

    Raises:
        TidegateError: a portfolio runs on it already, no node offers that the journal is near, or none has a CPU.
    """
    if names := running():
        message = f"a portfolio runs on this cluster already ({', '.join(names)}); end it first: tidegate down"
        raise TidegateError(message)
    resources: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    if not resources.get(JOURNAL_RESOURCE):
        message = (
            f"no node of this cluster is near the journal: start Ray there with "
            f"--resources='{{\"{JOURNAL_RESOURCE}\": 1}}'"
        )
        raise TidegateError(message)
    if not resources.get("CPU"):
        message = "no node of this cluster offers a CPU, so no strategy can start: leave out --num-cpus=0 on one"
        raise TidegateError(message)


def running() -> list[str]:
    """Name every actor, those first that ask, and last the one that writes."""
    order = (GATEWAY, REPORTER, ALLOCATOR, STRATEGY, RISK_MANAGER)

    def place(name: str) -> tuple[int, str]:
        return next(number for number, prefix in enumerate(order) if name.startswith(prefix)), name

    return sorted(ray.util.list_named_actors(), key=place)


def start(settings: ClusterSettings) -> int:
    """
    Start every actor; return the number of events read from the journal.

    Raises:
        TidegateError: what the actor that could not start said, in one line, or that its process ended; nothing is
            left running.
    """
    try:
        manager = _actor(RiskManager, RISK_MANAGER, _NEAR_THE_JOURNAL).remote(settings.risk_manager)
        count: int = ray.get(manager.start.remote())
        allocator_settings = AllocatorSettings(
            settings.strategies, settings.bar_deadline_s, RISK_MANAGER, settings.risk_manager.logs
        )
        allocator = _actor(PortfolioAllocator, ALLOCATOR).remote(allocator_settings)
        ray.get(allocator.start.remote())
        own = settings.risk_manager
        if settings.reports is not None and own.reports is not None:
            reporter_settings = ReporterSettings(settings.reports, own.journal, own.reports, RISK_MANAGER, own.logs)
            reporter = _actor(RiskReporter, REPORTER, _NEAR_THE_JOURNAL)  # the RiskManager reads the file of reports
            ray.get(reporter.remote(reporter_settings).start.remote())
        for name, open_front_door in settings.gateways_apart.items():
            host = _actor(GatewayHost, gateway_name(name))
            gateway = host.remote(name, open_front_door, RISK_MANAGER, settings.risk_manager)
            ray.get(gateway.start.remote())
    except RayError as error:
        stop()
        raise TidegateError(_why(error, settings.risk_manager.logs)) from error
    return count


def _why(error: RayError, logs: Path) -> str:
    """Say in one line why an actor did not start."""
    if not isinstance(error, RayTaskError):
        return f"a process ended while it started ({type(error).__name__}); what it said last is in {logs}"
    text = str(error.cause).splitlines()
    return text[0] if text else type(error.cause).__name__


def attach(address: str = "auto") -> Any:
    """Join a running cluster and return the RiskManager's handle."""
    if not ray.is_initialized():
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    return ray.get_actor(RISK_MANAGER, NAMESPACE)


def stop() -> None:
    """Stop every actor: first who asks, last who writes."""
    for name in running():
        try:
            actor = ray.get_actor(name, NAMESPACE)
        except ValueError:
            continue
        if name == RISK_MANAGER or name.startswith(GATEWAY):
            with contextlib.suppress(RayActorError, ray.exceptions.GetTimeoutError):
                ray.get(actor.stop.remote(), timeout=_STOP_TIMEOUT_S)
        ray.kill(actor, no_restart=True)


def stop_ray() -> None:
    """Stop the Ray that ``start_ray`` started, with all its processes."""
    ray.shutdown()


def _actor(kind: type[Any], name: str, resources: Mapping[str, float] | None = None) -> Any:
    """Prepare an actor that outlives who made it, comes back when its process dies, and is found by its name."""
    make: Any = ray.remote(kind)
    return make.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        max_restarts=-1,
        num_cpus=0 if resources else CPU_SHARE,
        max_concurrency=_CALLS_MAX,
        resources=dict(resources or {}),
    )
