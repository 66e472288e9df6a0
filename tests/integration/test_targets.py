"""The example that speaks in targets, with two risk models in a chain, on real Ray."""

import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.names import NAMESPACE, strategy_name
from actors.strategy_actor import load_risk_model, load_strategy
from tests.integration.conftest import PORTFOLIO
from tests.integration.desk import events_of, open_desk, write_portfolio
from tidegate.portfolio_file import read_portfolio_file
from tidegate.v1 import common_pb2, journal_pb2

pytestmark = [pytest.mark.usefixtures("ray_cluster"), pytest.mark.timeout(300)]

BARS = 60
EXAMPLE = PORTFOLIO.parents[3] / "examples" / "strategies" / "equal_shares.py"
# FALL loses a twentieth a bar from bar 30 on; with UP it is one sector, which has room for less than both want.
STRATEGY: dict[str, object] = {
    "id": "shares",
    "class": "equal_shares:EqualShares",
    "allocation": 0.9,
    "route": "paper",
    "parameters": {"exposure": 0.9, "period": 10, "rest": 100},
    "risk_models": [
        {"class": "tidegate.targets.trailing_stop:TrailingStop", "parameters": {"limit": 0.10}},
        {"class": "tidegate.targets.maximum_sector_exposure:MaximumSectorExposure", "parameters": {"limit": 0.40}},
    ],
}
SECTORS = [{"symbol": "UP", "sector": "moving"}, {"symbol": "FALL", "sector": "moving"}, {"symbol": "FLAT"}]


def written(folder: Path) -> Path:
    """Write the small portfolio with the example as its only strategy, without limits that would stop it."""
    (folder / "equal_shares.py").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    limits = {"max_price_age_s": 864_000, "halt_drawdown": None, "max_drawdown": None, "max_concentration": None}
    return write_portfolio(folder, [STRATEGY], limits=limits, instruments=SECTORS)


def run(folder: Path, *, kill_after: int | None = None) -> list[journal_pb2.Event]:
    """Run all bars, the strategy's process killed after some of them; return the journal."""
    with open_desk(written(folder)) as desk:
        if kill_after is not None:
            desk.replay(0, kill_after)
            actor: Any = ray.get_actor(strategy_name("shares"), NAMESPACE)
            os.kill(ray.get(actor.process_id.remote()), signal.SIGKILL)
        desk.replay(kill_after or 0, BARS)
        assert not desk.strategies()["shares"].paused
        journal = desk.journal
    return events_of(journal)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, ray_cluster: None) -> list[journal_pb2.Event]:
    """Run the example once without a break."""
    assert ray_cluster is None  # only asked for so that Ray runs
    return run(tmp_path_factory.mktemp("unbroken"))


def orders(events: list[journal_pb2.Event], symbol: str) -> list[tuple[int, Decimal]]:
    """Return what was ordered of an instrument: the bar's number and the signed quantity."""
    bar, found = 0, []
    for event in events:
        bar += event.HasField("bar_published")
        order = event.order_decided.order
        if order.symbol == symbol:
            sign = 1 if order.side == common_pb2.SIDE_BUY else -1
            found.append((bar, sign * Decimal(order.quantity)))
    return found


def held(events: list[journal_pb2.Event], symbol: str) -> Decimal:
    """Return what was filled of an instrument in the end."""
    fills = (e.execution_booked for e in events if e.execution_booked.symbol == symbol)
    signs = {common_pb2.SIDE_BUY: 1, common_pb2.SIDE_SELL: -1}
    return sum((signs[fill.side] * Decimal(fill.execution.last_quantity or 0) for fill in fills), Decimal(0))


def test_a_sector_is_bought_as_far_as_it_fits(unbroken: list[journal_pb2.Event]) -> None:
    """27,000 of each are wanted of 90,000: UP at 100 and FALL at 50 share 36,000, and FLAT alone fits."""
    first = {symbol: orders(unbroken, symbol)[0] for symbol in ("UP", "FALL", "FLAT")}
    assert {"UP": (1, Decimal(180)), "FALL": (1, Decimal(360)), "FLAT": (1, Decimal(1350))} == first


def test_what_falls_is_sold_and_not_bought_again(unbroken: list[journal_pb2.Event]) -> None:
    """
    The stop comes with the second bar of the fall: 45 is over a tenth below what was paid, 50 and some slippage.

    Rejects, delays and partial fills do not keep the sale from its end.
    """
    sales = [(bar, quantity) for bar, quantity in orders(unbroken, "FALL") if bar > 31]
    assert 32 == sales[0][0]
    assert all(quantity < 0 for _, quantity in sales)
    assert Decimal(0) == held(unbroken, "FALL")
    assert held(unbroken, "UP") > 0


def test_a_strategy_that_is_killed_goes_on_with_its_models_where_they_were(
    tmp_path: Path, unbroken: list[journal_pb2.Event]
) -> None:
    """After the stop: the process that comes back knows what is suppressed, and the journals are the same."""
    assert unbroken == run(tmp_path, kill_after=36)


def test_the_examples_portfolio_file_can_be_run() -> None:
    """Its strategy and its models can be built with the parameters that it names."""
    folder = EXAMPLE.parents[1]
    (section,) = read_portfolio_file(folder / "targets_portfolio.yaml").strategies
    models = [load_risk_model(model.code, model.parameters, folder) for model in section.risk_models]
    assert ["FlashCrashByFall", "TrailingStop", "MaximumSectorExposure"] == [type(model).__name__ for model in models]
    assert section.code is not None
    assert load_strategy(section.code, section.parameters, folder)
