"""The benchmark runs: whether it measures, not how fast."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import h2load
from bench.errors import BenchError
from bench.load import Generator, Load
from bench.servers import started_echo
from tidegate.v1 import common_pb2, orders_pb2

ROOT = Path(__file__).parents[2]
FIGURES = {
    "unary_saturated_beside_vs_echo",
    "unary_alone_p50_beside_vs_echo",
    "unary_saturated_apart_vs_echo",
    "unary_alone_p50_apart_vs_echo",
    "batch500_orders_per_s_beside",
    "engine_us_per_decision",
    "engine_us_per_decision_with_commit",
    "halt_under_load_ms_p99",
    "decision_cost_500_vs_1_positions",
}


def answer(action: common_pb2.Action.ValueType) -> bytes:
    """Write what an order is answered with."""
    decision = orders_pb2.Decision(action=action, order_id="7", sequence=7, reason_code="" if action == 1 else "WHY")
    return orders_pb2.SubmitOrderResponse(decision=decision).SerializeToString()


@pytest.mark.timeout(180)
def test_a_quick_benchmark_writes_every_figure(tmp_path: Path) -> None:
    """Each figure of the table is there and above zero, with what it was made of; nothing is left behind."""
    output = tmp_path / "bench.json"
    run = subprocess.run(  # noqa: S603 -- this interpreter, our program
        [sys.executable, "-m", "bench", "--quick", "--output", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert 0 == run.returncode, run.stdout + run.stderr
    assert [output] == list(tmp_path.iterdir())
    found = json.loads(output.read_text(encoding="utf-8"))
    assert [] == [name for name in FIGURES if not found[name] > 0]
    assert 5 == len(found["rounds"]["halt_under_load_ms"])
    assert found["medians"]["beside_halts_working_orders"] > found["load"]["orders"]
    assert found["machine"]["cpus"] >= 1
    is_left_out = found["unary_saturated_retry_beside_vs_echo"] is None
    assert (shutil.which("h2load") is None) is is_left_out is (h2load.MISSING == found["h2load"])


@pytest.mark.parametrize(
    ("action", "is_echo", "text"),
    [
        (common_pb2.ACTION_REJECT, True, "an order was not allowed: WHY"),
        (common_pb2.ACTION_ALLOW, False, "an answer was given twice"),
    ],
)
def test_a_load_that_was_not_decided_gives_no_figure(
    action: common_pb2.Action.ValueType, text: str, *, is_echo: bool
) -> None:
    """A server that refuses, or that answers with what it answered before, is found out from its replies."""
    generator = Generator()
    try:
        with started_echo(answer(action)) as address, pytest.raises(BenchError, match=text):
            generator.run(Load(address, "test", 40, 4, connections=2, streams=2, is_echo=is_echo))
        with started_echo(answer(common_pb2.ACTION_ALLOW)) as address:
            result = generator.run(Load(address, "test", 40, 4, connections=2, streams=2, is_echo=True))
        assert 40 == result.requests
        assert 0 < result.p50_ms <= result.p99_ms
    finally:
        generator.close()


def test_a_call_that_grpc_refuses_gives_no_figure() -> None:
    """The message says with what status: the echo does not know the method of batches."""
    generator = Generator()
    try:
        with started_echo(answer(common_pb2.ACTION_ALLOW)) as address:
            load = Load(address, "test", 4, 1, batch=500, is_echo=True)
            with pytest.raises(BenchError, match=r"4 of 4 calls were refused, the first with grpc-status 12"):
                generator.run(load)
    finally:
        generator.close()
