"""Limits of every scope over random sequences: no accepted order exceeds one, and no way out is blocked by one."""

import tempfile
from fractions import Fraction
from itertools import count
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.property.naive import Naive
from tests.property.oracle import is_reducing
from tests.unit.builders import BUY, CANCELED, SELL, Desk, configuration
from tidegate.reasons import Reason
from tidegate.v1 import common_pb2, instruments_pb2, orders_pb2, risk_pb2

SYMBOLS, OWNERS = ("A", "B", "F"), ("cash", "margin")
EXPOSURE_REASONS = {Reason.GROSS_EXPOSURE, Reason.CONCENTRATION, Reason.LEVERAGE}
NET = Reason.NET_EXPOSURE
KINDS = common_pb2.ScopeKind
REDUCE = common_pb2.ACTION_REDUCE


def limit(figure: str, bound: str, kind: str = "PORTFOLIO", name: str = "", *, reduces: bool = False) -> risk_pb2.Limit:
    """Write a limit."""
    return risk_pb2.Limit(
        figure=risk_pb2.LimitFigure.Value(f"LIMIT_FIGURE_{figure}"),
        scope=common_pb2.Scope(kind=KINDS.Value(f"SCOPE_KIND_{kind}"), name=name),
        limit=bound,
        action=REDUCE if reduces else common_pb2.ACTION_REJECT,
    )


LIMITS = [
    limit("GROSS_EXPOSURE", "60000"),
    limit("GROSS_EXPOSURE", "30000", "INSTRUMENT", "A", reduces=True),
    limit("GROSS_EXPOSURE", "40000", "STRATEGY", "margin"),
    limit("LEVERAGE", "1.5", "STRATEGY", "margin", reduces=True),
    limit("CONCENTRATION", "0.35", "SECTOR", "tech"),
    limit("CONCENTRATION", "0.5", "ASSET_CLASS", "equity"),
]
NET_LIMITS = [
    limit("NET_EXPOSURE", "25000"),
    limit("NET_EXPOSURE", "15000", "INSTRUMENT", "A", reduces=True),
    limit("NET_EXPOSURE", "20000", "STRATEGY", "margin"),
    limit("NET_EXPOSURE", "12000", "SECTOR", "tech"),
    limit("NET_EXPOSURE", "22000", "ASSET_CLASS", "equity", reduces=True),
]

Step = tuple[str, str, str, int, bool]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "order", "fill", "fill", "cancel", "price"]),
        st.sampled_from(OWNERS),
        st.sampled_from(SYMBOLS),
        st.integers(1, 400),
        st.booleans(),
    ),
    max_size=40,
)


class Life:
    """A desk with these limits, and the naive model of it."""

    def __init__(self, folder: Path) -> None:
        """Open the desk; A and F are tech."""
        configured = configuration()
        configured.instruments[0].sector = configured.instruments[2].sector = "tech"
        configured.strategies[1].max_leverage = "6"
        configured.further_limits.extend([*LIMITS, *NET_LIMITS])
        self.desk = Desk(folder / "journal.db", configured)
        self.naive = Naive(configured)
        self.minutes = count(1)
        self.working: list[str] = []
        self._read = 0
        self.price(**dict.fromkeys(SYMBOLS, "100"))

    def price(self, **closes: str) -> None:
        """Publish prices."""
        self.desk.bar(1 + next(self.minutes) / 1_440, **closes)
        self.catch_up()

    def catch_up(self) -> None:
        """Let the naive model take what the journal has got."""
        for event in self.desk.gate.journal.read(self._read):
            self.naive.fold(event)
            self._read = event.sequence

    def take(self, step: Step) -> None:
        """Do one thing."""
        what, owner, symbol, size, is_buy = step
        if what == "order":
            self.order(owner, symbol, size, is_buy=is_buy)
        elif what == "price":
            self.price(**{symbol: f"{100 + (size % 41 - 20) / 4:.2f}"})
            self.require_breaches()
        elif self.working:
            order_id = self.working.pop(size % len(self.working))
            leaves = str(self.desk.book.orders[order_id].leaves_quantity)
            if what == "fill":
                self.desk.fill(order_id, leaves, "100")
            else:
                self.desk.report(
                    orders_pb2.Execution(execution_id=f"c{order_id}", order_id=order_id, execution_type=CANCELED)
                )
            self.catch_up()
            self.require_breaches()
        self.catch_up()

    def order(self, owner: str, symbol: str, size: int, *, is_buy: bool) -> None:
        """Submit an order, and hold what was decided against the model."""
        order = self.desk.order(owner, BUY if is_buy else SELL, str(size), symbol)
        order.accept_reduced = True
        was_reducing = is_reducing(self.naive, order)
        leanings = [self.leaning(entry.scope) for entry in NET_LIMITS]
        decision = self.desk.submit(order)
        self.catch_up()
        if was_reducing:
            assert not EXPOSURE_REASONS & {violation.reason_code for violation in decision.violations}
        if decision.order_id:
            self.working.append(decision.order_id)
            if not was_reducing:
                self.require_within(order)
        for entry, before in zip(NET_LIMITS, leanings, strict=True):
            self.require_no_further(entry, before, decision, was_reducing=was_reducing)

    def require_within(self, order: orders_pb2.NewOrder) -> None:
        """Hold every limit that the order is under against sums over all positions and working orders."""
        for entry in LIMITS:
            scope = entry.scope
            if not self.covers(scope, order.strategy_id, order.symbol):
                continue
            actual = sum(
                (self.exposure(o, s) for o in OWNERS for s in SYMBOLS if self.covers(scope, o, s)), Fraction(0)
            )
            base = Fraction(1)
            if entry.figure == risk_pb2.LIMIT_FIGURE_CONCENTRATION:
                base = self.naive.equity()
            elif entry.figure == risk_pb2.LIMIT_FIGURE_LEVERAGE:
                base = self.naive.equity_of(scope.name)
            assert actual <= Fraction(entry.limit) * base, entry

    def leaning(self, scope: common_pb2.Scope) -> Fraction:
        """Add a scope up, signed, with all that may still be bought and with all that may still be sold."""
        places = [(owner, symbol) for owner in OWNERS for symbol in SYMBOLS if self.covers(scope, owner, symbol)]
        ends = {True: Fraction(0), False: Fraction(0)}
        for owner, symbol in places:
            for buys, sign in ((True, 1), (False, -1)):
                quantity = self.naive.held.get((owner, symbol), 0) + sign * self.naive.working(owner, symbol, buys=buys)
                ends[buys] += quantity * self.naive.price_of_unit(symbol)
        return max(map(abs, ends.values()))

    def require_no_further(
        self, entry: risk_pb2.Limit, before: Fraction, decision: orders_pb2.Decision, *, was_reducing: bool
    ) -> None:
        """Hold a limit on net exposure: leaning further above it is refused, and only said where it is a way out."""
        named = [v.action for v in decision.violations if v.reason_code == NET and v.scope == entry.scope]
        after = self.leaning(entry.scope)
        if decision.order_id and after > before and after > Fraction(entry.limit):
            assert was_reducing
            assert [common_pb2.ACTION_WARN] == named
        assert not was_reducing or set(named) <= {common_pb2.ACTION_WARN}
        state = self.desk.ask("GetLimits", risk_pb2.GetLimitsRequest(), risk_pb2.GetLimitsResponse)
        (shown,) = [
            one for one in state.in_force if one.limit.figure == entry.figure and one.limit.scope == entry.scope
        ]
        assert after == Fraction(shown.actual)

    def require_breaches(self) -> None:
        """Hold what the journal says is over against what is: after a price or a report, whatever had led there."""
        over = [entry.scope for entry in NET_LIMITS if self.leaning(entry.scope) > Fraction(entry.limit)]
        told = {(scope.kind, scope.name) for reason, scope in self.desk.book.breaches if reason == NET}
        assert {(scope.kind, scope.name) for scope in over} == told

    def exposure(self, owner: str, symbol: str) -> Fraction:
        """Return the worst case of one position, in money."""
        held = self.naive.held.get((owner, symbol), Fraction(0))
        buys = self.naive.working(owner, symbol, buys=True)
        sells = self.naive.working(owner, symbol, buys=False)
        return max(abs(held + buys), abs(held - sells)) * self.naive.price_of_unit(symbol)

    def covers(self, scope: common_pb2.Scope, owner: str, symbol: str) -> bool:
        """Tell whether a position counts in a scope."""
        instrument: instruments_pb2.Instrument = self.naive.instruments[symbol]
        own = {
            KINDS.Value("SCOPE_KIND_PORTFOLIO"): "",
            KINDS.Value("SCOPE_KIND_STRATEGY"): owner,
            KINDS.Value("SCOPE_KIND_INSTRUMENT"): symbol,
            KINDS.Value("SCOPE_KIND_SECTOR"): instrument.sector,
            KINDS.Value("SCOPE_KIND_ASSET_CLASS"): instrument.asset_class,
        }
        return own[scope.kind] == scope.name


@given(STEPS)
def test_no_accepted_order_exceeds_a_limit_and_no_way_out_is_blocked(steps: list[Step]) -> None:
    """Invariants 3 and 10, for limits of every scope, with working orders at their worst and what REDUCE takes."""
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder))
        for step in steps:
            life.take(step)
        life.desk.gate.journal.close()
