"""What a halt or a limit is about: the portfolio, a strategy, an instrument; a limit also a sector, an asset class."""

from functools import lru_cache
from typing import Final, NamedTuple

from tidegate.instruments import Instrument
from tidegate.v1 import common_pb2


class Scope(NamedTuple):
    """A kind and, but for the portfolio, a name: a strategy_id, a symbol, a sector, an asset class."""

    kind: common_pb2.ScopeKind.ValueType
    name: str = ""

    @classmethod
    def from_wire(cls, message: common_pb2.Scope) -> "Scope":
        """Read a scope; an unspecified kind is the portfolio."""
        return cls(message.kind or common_pb2.SCOPE_KIND_PORTFOLIO, message.name)

    def to_wire(self) -> common_pb2.Scope:
        """Write the scope."""
        return common_pb2.Scope(kind=self.kind, name=self.name)

    def __str__(self) -> str:
        """Write the scope for a sentence: ``strategy momentum``."""
        word = common_pb2.ScopeKind.Name(self.kind).removeprefix("SCOPE_KIND_").lower().replace("_", " ")
        return f"{word} {self.name}" if self.name else word

    def covers(self, strategy_id: str, symbol: str) -> bool:
        """Tell whether an order of this strategy in this instrument falls under the scope."""
        match self.kind:
            case common_pb2.SCOPE_KIND_PORTFOLIO:
                return True
            case common_pb2.SCOPE_KIND_STRATEGY:
                return self.name == strategy_id
            case _:
                return self.name == symbol


_REMEMBERED_MAX = 4_096
PORTFOLIO: Final = Scope(common_pb2.SCOPE_KIND_PORTFOLIO)


# Scopes are asked for with every order and fill; names come from outside, so that only so many are remembered.
@lru_cache(maxsize=_REMEMBERED_MAX)
def strategy_scope(strategy_id: str) -> Scope:
    """Name one strategy's scope."""
    return Scope(common_pb2.SCOPE_KIND_STRATEGY, strategy_id)


@lru_cache(maxsize=_REMEMBERED_MAX)
def instrument_scope(symbol: str) -> Scope:
    """Name one instrument's scope."""
    return Scope(common_pb2.SCOPE_KIND_INSTRUMENT, symbol)


def groups_of(instrument: Instrument) -> tuple[Scope, Scope]:
    """Name the scopes of an instrument's sector and asset class."""
    sector = Scope(common_pb2.SCOPE_KIND_SECTOR, instrument.sector)
    return sector, Scope(common_pb2.SCOPE_KIND_ASSET_CLASS, instrument.asset_class)
