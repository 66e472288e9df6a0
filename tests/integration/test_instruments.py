"""Instruments through the real gateway: by the wire and by the command line."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import Running
from tests.integration.test_gateway import bar, order
from tidegate.v1 import admin_pb2, common_pb2, instruments_pb2, portfolio_pb2

TIDEGATE = str(Path(sys.executable).parent / "tidegate")


async def test_an_instrument_is_added_while_trading_goes_on(running: Running) -> None:
    """Once UpsertInstruments has returned, it is listed, takes prices and orders, and its terms hold."""
    terms = instruments_pb2.Instrument(symbol="NEW", lot="5", multiplier="2", sector="tech")
    request = admin_pb2.UpsertInstrumentsRequest(instruments=[terms], operator="tester", reason="listed today")
    await running.client.admin.UpsertInstruments(request)
    await running.client.market_data.PublishBars(bar(1, UP="100", NEW="10"))
    listed = await running.client.portfolio.ListInstruments(portfolio_pb2.ListInstrumentsRequest())
    assert [("UP", ""), ("FLAT", ""), ("FALL", ""), ("NEW", "tester")] == [
        (state.instrument.symbol, state.operator) for state in listed.instruments
    ]
    assert common_pb2.ACTION_ALLOW == (await running.client.submit_order(order("whole", symbol="NEW"))).action
    odd = await running.client.submit_order(order("odd", symbol="NEW", quantity="12"))
    assert "QUANTITY_OFF_LOT" == odd.reason_code


async def test_an_administrator_sets_an_instrument_by_the_command_line(running: Running) -> None:
    """What is not named stays; a mistake is one line and exit code 1, here and at the gate."""
    reason = ("--reason", "new listing", "--operator", "ann")
    added = await command(running, "set", "PUT", "asset_class=option", "multiplier=100", "option.underlying=UP",
                          "option.strike=90", "option.right=put", "option.volatility=0.2",
                          "option.expiry=2030-01-18T21:00:00Z", *reason)  # fmt: skip
    assert added.stdout.startswith("PUT added: asset_class=option multiplier=100 "), added.stderr
    changed = await command(running, "set", "PUT", "option.strike=95", "max_quantity=7", *reason)
    assert changed.stdout.startswith("PUT changed: option.strike=95 max_quantity=7 (event ")
    await command(running, "set", "UP", "sector=tech", "tick=0.05", *reason)
    shown = {line.split()[0]: " ".join(line.split()) for line in (await command(running, "list")).stdout.splitlines()}
    assert "UP equity USD tech 0.05 1 1 ann: new listing" in shown["UP"]
    assert "100 max_quantity=7 put 95 on UP until 2030-01-18T21:00:00Z ann: new listing" in shown["PUT"]
    assert shown["FLAT"].endswith("portfolio file")
    for words, text in (
        (("UP", "tick=0"), "tick: Input should be greater than 0"),
        (("UP", "tick"), "tick is no KEY=VALUE"),
        (("UP", "calendar=XNYS"), "INSTRUMENT_INVALID: instruments[0].calendar: the portfolio file names no calendar"),
    ):
        wrong = await command(running, "set", *words, *reason)
        assert (1, 1) == (wrong.returncode, len(wrong.stderr.strip().splitlines()))
        assert wrong.stderr.startswith(text)


async def command(running: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``tidegate instruments`` beside the gateway's own event loop."""
    return await asyncio.to_thread(
        subprocess.run,
        [TIDEGATE, "instruments", *words, "--address", running.address],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"COLUMNS": "250", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
