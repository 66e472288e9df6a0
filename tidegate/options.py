"""Options: what a unit of one is exposed to, which is its underlying and not its premium."""

from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from typing import Literal, NamedTuple

from tidegate import black_scholes
from tidegate.instruments import CALL, Instrument, OptionTerms
from tidegate.numbers import ONE, ZERO
from tidegate.times import NS_PER_S

_NS_PER_YEAR = 365 * 86_400 * NS_PER_S
# Deltas come from floating point; a ten-thousandth, rounded up, is the same on every machine.
_DELTA_STEP = Decimal("0.0001")


class Units(NamedTuple):
    """
    The exposure of one unit of an option, in its currency.

    held: of one that is held: its delta times the underlying. sold: of one that is sold: the underlying whole, for no
    delta is above 1, and a short option's grows as it goes wrong.
    """

    held: Decimal
    sold: Decimal

    def worst(self, highest: Decimal, lowest: Decimal) -> Decimal:
        """Return the larger exposure of the two quantities between which working orders may leave a position."""
        return max(self.of(highest), self.of(lowest))

    def of(self, quantity: Decimal) -> Decimal:
        """Return the exposure of a signed quantity."""
        return -quantity * self.sold if quantity < ZERO else quantity * self.held


class Options:
    """The options of a portfolio, and their units at the underlyings' newest prices."""

    def __init__(self) -> None:
        """Begin without options."""
        self._on: dict[str, list[Instrument]] = {}
        self._spots: dict[str, tuple[Decimal, int]] = {}
        self._units: dict[str, Units] = {}

    def configure(self, instruments: Mapping[str, Instrument]) -> "Options":
        """Take the options among the instruments."""
        for instrument in instruments.values():
            if instrument.option is not None:
                self._on.setdefault(instrument.option.underlying, []).append(instrument)
        return self

    def place(self, instrument: Instrument) -> None:
        """Take an instrument that is new or has changed, option or not; nobody holds it as the option that it was."""
        self._units.pop(instrument.symbol, None)
        for underlying, options in self._on.items():
            self._on[underlying] = [option for option in options if option.symbol != instrument.symbol]
        if instrument.option is not None:
            self._on.setdefault(instrument.option.underlying, []).append(instrument)

    def take(self, symbol: str, price: Decimal, time_ns: int) -> list[Instrument]:
        """Take a price if it is an underlying's; return the options on it, whose units are others now."""
        affected = self._on.get(symbol)
        if affected is None:
            return []
        self._spots[symbol] = (price, time_ns)
        for instrument in affected:
            self._units.pop(instrument.symbol, None)
        return affected

    def units(self, instrument: Instrument, terms: OptionTerms) -> Units:
        """Return an option's units; before its underlying has a price, its strike stands for it."""
        units = self._units.get(instrument.symbol)
        if units is None:
            spot, time_ns = self._spots.get(terms.underlying, (terms.strike, 0))
            whole = spot * instrument.multiplier
            share = delta_share(terms, spot, time_ns) if time_ns else ONE
            units = self._units[instrument.symbol] = Units(whole * share, whole)
        return units


def delta_share(terms: OptionTerms, spot: Decimal, time_ns: int) -> Decimal:
    """Return how much of its underlying an option moves with, 0 to 1, rounded up; a call and a put alike."""
    right: Literal["call", "put"] = "call" if terms.right == CALL else "put"
    delta = black_scholes.delta(
        right,
        spot=float(spot),
        strike=float(terms.strike),
        years=max(terms.expiry_ns - time_ns, 0) / _NS_PER_YEAR,
        volatility=float(terms.volatility),
        rate=float(terms.interest_rate),
    )
    return min(Decimal(f"{abs(delta):.6f}").quantize(_DELTA_STEP, rounding=ROUND_UP), ONE)
