"""A statement's file: read whole, or refused with file, line and key."""

from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.statement_file import StatementFile, read_statement_file
from tidegate.errors import ConfigurationError
from tidegate.v1 import common_pb2
from tidegate.v1 import reconciliation_pb2 as wire

WHOLE = """\
account: 4711
adapter: paper
time: 2022-01-03T21:00:00Z
sequence: 38617
positions: {AAA: 5, BBB: -0.5}
cash: {USD: 4498.50}
orders:
  - {order_id: 38617, symbol: AAA, side: buy, filled: 3, left: 7}
  - {broker_order_id: B-77, left: 2}
"""


def read(tmp_path: Path, text: str) -> StatementFile:
    """Read a file with this text."""
    path = tmp_path / "statement.yaml"
    path.write_text(text, encoding="utf-8")
    return read_statement_file(path)


def test_a_whole_statement_is_written_to_the_digit(tmp_path: Path) -> None:
    """Pins every field; ids that are all digits are ids."""
    assert (
        wire.ReconcilePositionsRequest(
            account="4711",
            adapter="paper",
            time=Timestamp(seconds=1_641_243_600),
            sequence=38_617,
            positions=[
                wire.StatedPosition(symbol="AAA", quantity="5"),
                wire.StatedPosition(symbol="BBB", quantity="-0.5"),
            ],
            cash=[wire.StatedCash(currency="USD", amount="4498.5")],
            orders=[
                wire.StatedOrder(
                    order_id="38617",
                    symbol="AAA",
                    side=common_pb2.SIDE_BUY,
                    cumulative_quantity="3",
                    leaves_quantity="7",
                ),
                wire.StatedOrder(broker_order_id="B-77", cumulative_quantity="0", leaves_quantity="2"),
            ],
        )
        == read(tmp_path, WHOLE).to_wire()
    )


def test_orders_that_are_left_out_are_not_stated_and_an_empty_list_is(tmp_path: Path) -> None:
    """Pins the difference between nothing said and nothing open, and that JSON is read too."""
    short = '{"account": "U-1", "positions": {}, "time": "2022-01-03T21:00:00Z"}'
    assert (True, 0) == (read(tmp_path, short).to_wire().without_orders, len(read(tmp_path, short).to_wire().cash))
    assert not read(tmp_path, short[:-1] + ', "orders": []}').to_wire().without_orders


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("positions: {}\n", "1: account: Field required"),
        ("account: U-1\n", "1: positions: Field required"),
        ("account: U-1\npositions: {AAA: x}\n", "2: positions.AAA: "),
        ("account: U-1\npositions: {AAA: 1, AAA: 2}\n", "2: positions.AAA: the key stands twice"),
        ("account: U-1\npositions: {}\ntime: 2022-01-03T21:00:00\n", "3: time: Input should have timezone info"),
        ("account: U-1\npositions: {}\norders:\n  - {left: 1, side: up}\n", "4: orders[0].side: "),
        ("account: U-1\npositions: {}\nsequence: -1\n", "3: sequence: "),
        (
            "account: U-1\npositions: {ON: 5}\n",
            "2: positions.ON: YAML reads this word as true or false: put it in quotes",
        ),
        ("account: NO\npositions: {}\n", "1: account: YAML reads this word as true or false: put it in quotes"),
        ("account: U-1\npositions: {0700: 5}\n", "2: positions[0700]: 0700 is not a decimal: put a name of digits in"),
        ("account: 0123\npositions: {}\n", "1: account: 0123 is not a decimal: put a name of digits in quotes"),
        ("account: 12:30:45\npositions: {}\n", "1: account: 12:30:45 is not a decimal: put a name of digits in"),
    ],
)
def test_what_is_no_statement_is_refused_with_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    """Pins the place of each."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert f"{tmp_path / 'statement.yaml'}:{expected}" in str(caught.value)
