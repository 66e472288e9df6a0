"""A strategy's actor: runs the user's class in a process of its own, and owns its ledger."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from actors.logs import open_log
from tidegate.errors import ConfigurationError, StateError
from tidegate.imports import load
from tidegate.reasons import Reason
from tidegate.strategy import Strategy
from tidegate.strategy_runner import LedgerDiffersError, StrategyRunner
from tidegate.targets.model import RiskModel
from tidegate.v1 import actors_pb2, journal_pb2

T = TypeVar("T")


@dataclass(frozen=True)
class StrategySpec:
    """
    What a strategy's actor needs to begin, and to begin again.

    code: ``module:Class``. folder: where the module is looked for first: the portfolio file's own.
    risk_models: what its targets pass, in this order: each ``module:Class`` and its parameters.
    """

    strategy_id: str
    code: str
    parameters: dict[str, Any]
    route: str
    folder: Path
    configuration: bytes
    logs: Path
    risk_models: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True)
class BarResult:
    """
    What a strategy made of a bar: serialized orders, and the client_order_ids to cancel; or why there are none.

    sequence: the journal's place that it had seen up to; is_behind: it must catch up from there first, and from the
    first event where its saved state is of no use. state: a serialized SavedState, when one was asked for.
    """

    sequence: int
    is_behind: bool = False
    orders: list[bytes] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    state: bytes = b""
    fault: Reason | None = None
    text: str = ""


def load_strategy(code: str, parameters: dict[str, Any], folder: Path) -> Strategy:
    """
    Import a user's class and make one of it.

    Raises:
        TypeError: it is no Strategy, or does not take the parameters.
        ImportError, AttributeError: there is no such module or class. Whatever else the user's own code raises.
    """
    return _load(Strategy, code, parameters, folder)


def load_risk_model(code: str, parameters: dict[str, Any], folder: Path) -> RiskModel:
    """Import a risk model's class and make one of it; raises as ``load_strategy`` does."""
    return _load(RiskModel, code, parameters, folder)


def _load(kind: type[T], code: str, parameters: dict[str, Any], folder: Path) -> T:
    found = load(code, folder)
    if not (isinstance(found, type) and issubclass(found, kind)):
        text = f"{code} is not a subclass of {kind.__module__}.{kind.__name__}"
        raise TypeError(text)
    return found(**parameters)


class StrategyActor:
    """
    A thin shell round one strategy. It calls nobody: the allocator calls it, one bar at a time.

    What the user's code raises becomes a fault of this strategy and stops no other. After a fault the strategy is built
    anew when it runs again, since nobody knows how far its code had come.
    """

    def __init__(self, spec: StrategySpec) -> None:
        """Keep the spec; the first call builds the strategy."""
        self._spec = spec
        self._log = open_log(spec.logs, f"strategy_{spec.strategy_id}")
        self._runner: StrategyRunner | None = None

    def start(self) -> int:
        """
        Build the strategy if it is not there yet; return the journal's place that it has seen up to.

        Raises:
            ConfigurationError: the user's class cannot be imported or built, or its ``on_start`` raises.
        """
        if self._runner is None:
            spec = self._spec
            configuration = journal_pb2.PortfolioConfigured.FromString(spec.configuration)
            try:
                strategy = load_strategy(spec.code, spec.parameters, spec.folder)
                risk_models = [load_risk_model(code, own, spec.folder) for code, own in spec.risk_models]
                self._runner = StrategyRunner(
                    spec.strategy_id, strategy, configuration, route=spec.route, risk_models=risk_models
                )
            except Exception as error:
                message = f"strategy {spec.strategy_id} cannot start: {_one_line(error)}"
                raise ConfigurationError(message) from error
        return self._runner.sequence

    def process_id(self) -> int:
        """Return this process's id."""
        return os.getpid()

    def run_bar(self, update: bytes) -> BarResult:
        """Run one bar on a BarUpdate that holds this strategy's own part."""
        message = actors_pb2.BarUpdate.FromString(update)
        try:
            if self.start() != message.after_sequence or self._runner is None:
                self._runner = None  # bars in between were not its own: it lives through everything again
                return BarResult(0, is_behind=True)
            orders = self._runner.run_bar(message)
            cancels = list(self._runner.cancels)
            saved = self._runner.save() if message.strategies[0].wants_state else None
        except LedgerDiffersError as error:
            self._log.critical("ledger_differs", exc_info=error)
            self._runner = None
            return BarResult(message.sequence, fault=Reason.LEDGER_DIFFERS, text=str(error))
        except Exception as error:  # noqa: BLE001 -- user code may raise anything; it is logged and becomes a fault
            self._log.error("strategy_failed", bar=message.bar.sequence, exc_info=error)
            self._runner = None
            return BarResult(message.sequence, fault=Reason.STRATEGY_FAILED, text=_one_line(error))
        written = [order.SerializeToString() for order in orders]
        state = b"" if saved is None else saved.SerializeToString()
        return BarResult(message.sequence, orders=written, cancels=cancels, state=state)

    def catch_up(self, history: bytes, *, is_last: bool) -> BarResult:
        """Live through a part of the journal again."""
        response = actors_pb2.ReadHistoryResponse.FromString(history)
        try:
            sequence = self.start()
            if self._runner is not None:
                self._runner.catch_up(response.events)
                if is_last:
                    self._runner.end_catch_up()
                sequence = self._runner.sequence
        except StateError as error:
            self._log.warning("saved_state_refused", error=str(error))
            self._runner = None
            return BarResult(0, is_behind=True)
        except Exception as error:  # noqa: BLE001 -- user code may raise anything; it is logged and becomes a fault
            self._log.error("strategy_failed_on_its_history", exc_info=error)
            self._runner = None
            return BarResult(0, fault=Reason.STRATEGY_FAILED, text=_one_line(error))
        return BarResult(sequence)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
