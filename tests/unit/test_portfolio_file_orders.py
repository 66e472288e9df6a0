"""The portfolio file's rules for orders: read into what the journal knows, or refused with their place."""

from pathlib import Path

import pytest

from tests.unit.test_portfolio_file import GOOD, problems, read
from tidegate.risk.order_rules import OrderRules, Rates
from tidegate.v1 import order_rules_pb2

ORDERS = """\
orders:
  collar: {share: 0.05, passive: true}
  price_move: {share: 0.1, within_s: 60}
  duplicate_within_ms: 500
  throttle: {fills: 20, within_s: 10, scope: instrument}
  refuse_self_trade: true
  max_messages_per_s: 100
  max_caller_messages_per_s: 70
  max_working_orders: 50
  max_daily_quantity: 1000.5
  max_daily_notional: 2_000_000
"""


def test_every_key_reaches_the_journal(tmp_path: Path) -> None:
    """Pins each rule, as it is written and as the engine reads it."""
    text = GOOD.replace("instruments:\n  - symbol: AAPL\n", f"{ORDERS}instruments:\n  - symbol: AAPL\n")
    text = text.replace("    sector: technology\n", "    min_quantity: 1\n    max_notional: 5e3\n    calendar: XNYS\n")
    text = text.replace(
        "  - id: desk\n", "  - id: desk\n    instruments: [ES]\n    short_selling: false\n    max_working_orders: 3\n"
    )
    configured = read(tmp_path, text).to_wire()
    rates = order_rules_pb2.OrderRates(
        max_messages_per_s=100, max_working_orders=50, max_daily_quantity="1000.5", max_daily_notional="2000000"
    )
    expected = order_rules_pb2.OrderRules(
        collar="0.05",
        collar_passive=True,
        max_price_move="0.1",
        price_move_within_s=60,
        duplicate_within_ms=500,
        rates=rates,
        throttle_fills=20,
        throttle_within_s=10,
        throttle_instrument=True,
        self_trade=True,
    )
    assert expected == configured.order_rules
    first = configured.instruments[0]
    assert ("1", "", "", "5000", "XNYS") == (
        first.min_quantity,
        first.max_quantity,
        first.min_notional,
        first.max_notional,
        first.calendar,
    )
    rules = OrderRules.from_wire(configured)
    assert {"desk": frozenset({"ES"})} == rules.permitted
    assert {"desk": Rates(working_orders=3)} == rules.strategy_rates
    assert frozenset({"desk"}) == rules.long_only
    assert 70 == rules.caller_messages_per_s
    assert rules.has_sizes
    assert rules.has_calendars


def test_a_file_without_rules_asks_for_none(tmp_path: Path) -> None:
    """Pins that nothing is built that nobody asked for."""
    configured = read(tmp_path, GOOD).to_wire()
    assert OrderRules() == OrderRules.from_wire(configured)
    assert not configured.HasField("order_rules")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{share: 0.05, passive: true}", "{share: 1}", "orders.collar.share: Input should be less than 1"),
        ("{share: 0.05, passive: true}", "{passive: true}", "orders.collar.share: Field required"),
        ("within_s: 60", "within_s: 0", "orders.price_move.within_s: Input should be greater than or equal to 1"),
        ("fills: 20", "fills: 1", "orders.throttle.fills: Input should be greater than or equal to 2"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Pins the place and the reason."""
    text = GOOD.replace("limits:\n", f"{ORDERS}limits:\n")
    lines = problems(tmp_path, text.replace(old, new))
    assert [expected] == [line.partition(": ")[2] for line in lines]


def test_names_and_sizes_have_to_make_sense(tmp_path: Path) -> None:
    """Pins what no single key shows."""
    text = GOOD.replace("    sector: technology\n", "    min_quantity: 2\n    max_quantity: 1\n")
    assert ["9: instruments[0]: min_quantity is above max_quantity"] == problems(tmp_path, text)
    text = GOOD.replace("  - id: desk\n", "  - id: desk\n    instruments: [NONE]\n")
    assert ["19: strategies[1].instruments: no instrument is called NONE"] == problems(tmp_path, text)
