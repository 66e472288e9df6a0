"""What a test needs to show a risk model: positions, prices, and words for the answer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from tidegate.instruments import Instrument
from tidegate.ledger import Position
from tidegate.targets.context import RiskContext
from tidegate.targets.model import RiskModel
from tidegate.targets.target import PortfolioTarget

SYMBOLS = {"A": "tech", "B": "tech", "C": "oil", "P": ""}
NOON = datetime(2022, 1, 3, 12, tzinfo=UTC)


def instrument(symbol: str, sector: str, *, lot: str = "1", multiplier: str = "1") -> Instrument:
    """Describe an instrument."""
    return Instrument(symbol, Decimal("0.01"), Decimal(lot), Decimal(multiplier), "USD", sector, "equity")


INSTRUMENTS = {symbol: instrument(symbol, sector) for symbol, sector in SYMBOLS.items()}


def position(quantity: str, price: str, mark: str, *, buys: str = "0", sells: str = "0") -> Position:
    """Hold a quantity bought (or sold short) at a price, with what works."""
    held = Position(Decimal(1), Decimal(mark), Decimal(quantity), Decimal(quantity) * Decimal(price))
    held.working_buys, held.working_sells = Decimal(buys), Decimal(sells)
    held.recount()
    return held


def context(  # noqa: PLR0913 -- all that a bar shows
    equity: str = "10000",
    *,
    capital: str = "10000",
    time: datetime = NOON,
    instruments: dict[str, Instrument] | None = None,
    closes: dict[str, str] | None = None,
    rates: Mapping[str, str] | None = None,
    suppressed: Sequence[str] = (),
    held: Mapping[str, Position] | None = None,
    **positions: Position,
) -> RiskContext:
    """Show a bar: positions by symbol, and closes that are the newest prices as well; the others are marks."""
    positions |= held or {}
    read = {symbol: Decimal(close) for symbol, close in (closes or {}).items()}
    return RiskContext(
        time=time,
        equity=Decimal(equity),
        capital=Decimal(capital),
        instruments=INSTRUMENTS if instruments is None else instruments,
        positions=positions,
        prices={symbol: position.mark for symbol, position in positions.items()} | read,
        closes=read,
        rates={"USD": Decimal(1)} | {currency: Decimal(rate) for currency, rate in (rates or {}).items()},
        suppressed=suppressed,
    )


def wants(**quantities: str) -> list[PortfolioTarget]:
    """Write targets by symbol."""
    return [PortfolioTarget(symbol, Decimal(quantity)) for symbol, quantity in quantities.items()]


def judged(model: RiskModel, seen: RiskContext, **quantities: str) -> dict[str, str]:
    """Show a model a bar with targets; return what it changes: quantities, or OUT for a liquidation."""
    model.observe(seen)
    changed = model.manage_risk(seen, wants(**quantities))
    return {target.symbol: "OUT" if target.liquidates else str(target.quantity) for target in changed}
