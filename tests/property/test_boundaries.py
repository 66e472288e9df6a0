"""Exactly at a limit passes, one unit above does not, wherever the limit falls."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.rig import CONFIGURATION, request, scratch
from tidegate.clocks import bar_clock
from tidegate.gate import Gate
from tidegate.journal.sqlite import SqliteJournal
from tidegate.numbers import plain
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2

EQUITY = 1_000_000
BUYS_AND_SELLS = st.sampled_from([common_pb2.SIDE_BUY, common_pb2.SIDE_SELL])
# Cents; many of them divide the limits, so that an order can land exactly on one.
CENTS = st.one_of(st.sampled_from([1, 5, 100, 250, 1_000, 12_500]), st.integers(1, 10**6))
SHARES = st.integers(1, 60).map(lambda hundredths: Decimal(hundredths).scaleb(-2))


def decide(gate: Gate, quantity: int, side: common_pb2.Side.ValueType) -> orders_pb2.Decision:
    order = orders_pb2.NewOrder(
        strategy_id="lever",
        client_order_id=f"{quantity}-{gate.engine.book.sequence}",
        symbol="ONE",
        side=side,
        order_type=common_pb2.ORDER_TYPE_MARKET,
        quantity=str(quantity),
    )
    (reply,) = gate.process([request("SubmitOrder", orders_pb2.SubmitOrderRequest(order=order))]).replies
    return orders_pb2.SubmitOrderResponse.FromString(reply.body).decision


@pytest.mark.control("capital-thresholds", "gross-exposure", "concentration", "order-size")
@given(
    cents=CENTS,
    share=SHARES,
    name=st.sampled_from(["max_concentration", "max_leverage", "capital"]),
    side=BUYS_AND_SELLS,
)
def test_the_largest_quantity_within_a_limit_passes_and_one_more_does_not(
    cents: int, share: Decimal, name: str, side: common_pb2.Side.ValueType
) -> None:
    """Concentration, leverage and a strategy's own capital are strict limits: equal passes, more does not."""
    configured = type(CONFIGURATION).FromString(CONFIGURATION.SerializeToString())
    configured.limits.ClearField("max_order_quantity")
    configured.limits.ClearField("max_order_notional")
    configured.limits.max_concentration = configured.limits.max_leverage = "9"
    limit = Fraction(share) * EQUITY
    if name == "capital":
        terms = next(terms for terms in configured.strategies if terms.strategy_id == "lever")
        terms.max_leverage = plain(share)
        limit = Fraction(share) * Fraction(terms.capital)
    else:
        setattr(configured.limits, name, plain(share))
    reason = {"max_concentration": Reason.CONCENTRATION, "max_leverage": Reason.LEVERAGE, "capital": Reason.CAPITAL}
    with scratch() as folder:
        gate = Gate(SqliteJournal(Path(folder) / "journal.db"), bar_clock)
        gate.start(configured)
        price = Decimal(cents).scaleb(-2)
        bar = market_data_pb2.PublishBarsRequest(bars=[market_data_pb2.Bar(symbol="ONE", close=plain(price))])
        bar.time.seconds = 1_000_000_000
        gate.process([request("PublishBars", bar)])
        most = limit / Fraction(price) // 1
        over = decide(gate, most + 1, side)
        assert [v.reason_code for v in over.violations if v.action == common_pb2.ACTION_REJECT] == [reason[name]]
        if most:
            assert decide(gate, most, side).order_id
        gate.journal.close()
