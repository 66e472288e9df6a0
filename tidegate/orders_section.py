"""What a portfolio file asks of orders."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tidegate.limits_section import Positive, bounded
from tidegate.numbers import plain
from tidegate.v1 import order_rules_pb2

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


def _text(number: Decimal | None) -> str:
    return "" if number is None else plain(number)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RatesSection(_Section):
    """How many orders, and of how much; none is asked for when left out."""

    max_messages_per_s: Count | None = None
    max_working_orders: Count | None = None
    max_daily_quantity: Positive | None = None
    max_daily_notional: Positive | None = None

    def rates(self) -> order_rules_pb2.OrderRates | None:
        """Write the rates; None when nothing is asked."""
        rates = order_rules_pb2.OrderRates(
            max_messages_per_s=self.max_messages_per_s or 0,
            max_working_orders=self.max_working_orders or 0,
            max_daily_quantity=_text(self.max_daily_quantity),
            max_daily_notional=_text(self.max_daily_notional),
        )
        return rates if rates.ByteSize() else None


class CollarSection(_Section):
    """How far from the mark a price may be; passive: also on the side where it only waits."""

    share: Annotated[Decimal, Field(gt=0, lt=1), AfterValidator(bounded)]
    passive: bool = False


class PriceMoveSection(_Section):
    """How far the mark may have moved within some seconds, as a share; more stops added risk."""

    share: Positive
    within_s: Annotated[int, Field(ge=1, le=86_400)]


class ThrottleSection(_Section):
    """So many fills of one strategy, instrument and side within so many seconds turn it off."""

    fills: Annotated[int, Field(ge=2, le=1_000)]
    within_s: Annotated[int, Field(ge=1, le=86_400)]
    scope: Literal["strategy", "instrument"] = "strategy"


class OrdersSection(RatesSection):
    """What is asked of every order; the rates are those of all strategies together."""

    collar: CollarSection | None = None
    price_move: PriceMoveSection | None = None
    duplicate_within_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    throttle: ThrottleSection | None = None
    refuse_self_trade: bool = False
    max_caller_messages_per_s: Count | None = None

    def to_wire(self) -> order_rules_pb2.OrderRules | None:
        """Write the rules; None when nothing is asked."""
        collar, move, throttle = self.collar, self.price_move, self.throttle
        rules = order_rules_pb2.OrderRules(
            collar=_text(collar.share if collar else None),
            collar_passive=collar is not None and collar.passive,
            max_price_move=_text(move.share if move else None),
            price_move_within_s=move.within_s if move else 0,
            duplicate_within_ms=self.duplicate_within_ms or 0,
            rates=self.rates(),
            throttle_fills=throttle.fills if throttle else 0,
            throttle_within_s=throttle.within_s if throttle else 0,
            throttle_instrument=throttle is not None and throttle.scope == "instrument",
            self_trade=self.refuse_self_trade,
        )
        return rules if rules.ByteSize() else None
