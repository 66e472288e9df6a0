"""A broker's statement as a file: YAML or JSON, checked whole."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from tidegate.limits_section import bounded
from tidegate.numbers import plain
from tidegate.times import from_datetime, to_stamp
from tidegate.v1 import common_pb2, reconciliation_pb2
from tidegate.yaml_file import read_yaml

Figure = Annotated[Decimal, AfterValidator(bounded)]


def _text(value: object) -> object:
    """Take an id that is all digits, which YAML reads as a number; not one that it reads as true or false."""
    if isinstance(value, bool):
        message = "YAML reads this word as true or false: put it in quotes"
        raise ValueError(message)  # noqa: TRY004 -- pydantic's word for what is wrong
    return str(value) if isinstance(value, int) else value


Id = Annotated[str, BeforeValidator(_text)]
_SIDES = {"": common_pb2.SIDE_UNSPECIFIED, "buy": common_pb2.SIDE_BUY, "sell": common_pb2.SIDE_SELL}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderSection(_Section):
    """One open order: the gate's id, or the broker's where it has none of ours; filled and left are quantities."""

    order_id: Id = ""
    broker_order_id: Id = ""
    symbol: str = ""
    side: Literal["", "buy", "sell"] = ""
    filled: Figure = Decimal(0)
    left: Figure

    def to_wire(self) -> reconciliation_pb2.StatedOrder:
        """Write the order."""
        return reconciliation_pb2.StatedOrder(
            order_id=self.order_id,
            broker_order_id=self.broker_order_id,
            symbol=self.symbol,
            side=_SIDES[self.side],
            cumulative_quantity=plain(self.filled),
            leaves_quantity=plain(self.left),
        )


class StatementFile(_Section):
    """
    A whole statement. Cash or orders that are not in it are not compared; ``orders: []`` states that none is open.

    time: by the broker's clock; now when it is left out. sequence: instead, where the journal has the newest execution
    that the statement knows.
    """

    account: Id
    adapter: str = ""
    time: AwareDatetime | None = None
    sequence: Annotated[int, Field(ge=0)] = 0
    positions: dict[Id, Figure]
    cash: dict[str, Figure] = {}
    orders: list[OrderSection] | None = None

    def to_wire(self) -> reconciliation_pb2.ReconcilePositionsRequest:
        """Write the request; who asks is still to be named."""
        return reconciliation_pb2.ReconcilePositionsRequest(
            account=self.account,
            adapter=self.adapter,
            time=to_stamp(from_datetime(self.time or datetime.now(UTC))),
            sequence=self.sequence,
            positions=[
                reconciliation_pb2.StatedPosition(symbol=symbol, quantity=plain(quantity))
                for symbol, quantity in self.positions.items()
            ],
            cash=[
                reconciliation_pb2.StatedCash(currency=currency, amount=plain(amount))
                for currency, amount in self.cash.items()
            ],
            orders=[order.to_wire() for order in self.orders or ()],
            without_orders=self.orders is None,
        )


def read_statement_file(path: Path) -> StatementFile:
    """
    Read and check a statement.

    Raises:
        ConfigurationError: one line a problem, each with file, line and key.
    """
    return read_yaml(path, StatementFile, lambda _statement: ())
