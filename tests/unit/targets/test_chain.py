"""Risk models one after the other."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.targets.contexts import INSTRUMENTS, context, judged, position, wants
from tidegate.numbers import ZERO
from tidegate.targets.chain import Chain
from tidegate.targets.context import RiskContext
from tidegate.targets.flash_crash import FlashCrashByFall, FlashCrashByScore
from tidegate.targets.maximum_drawdown_per_security import MaximumDrawdownPerSecurity
from tidegate.targets.maximum_drawdown_portfolio import MaximumDrawdownPortfolio
from tidegate.targets.maximum_sector_exposure import MaximumSectorExposure
from tidegate.targets.maximum_unrealised_profit import MaximumUnrealisedProfitPerSecurity
from tidegate.targets.model import RiskModel
from tidegate.targets.null import NullRiskModel
from tidegate.targets.target import PortfolioTarget
from tidegate.targets.trailing_stop import TrailingStop


class Scaling(RiskModel):
    """Multiply every target, and write down what it saw."""

    def __init__(self, by: str, diary: list[object]) -> None:
        """Take the factor and the diary."""
        self.by, self.diary = Decimal(by), diary

    def on_instruments_changed(self, added: Sequence[str], removed: Sequence[str]) -> None:
        """Write it down."""
        self.diary.append((self.by, tuple(added), tuple(removed)))

    def observe(self, context: RiskContext) -> None:
        """Write it down."""
        self.diary.append((self.by, context.equity))

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:  # noqa: ARG002 -- it only scales
        """Scale everything."""
        return [PortfolioTarget(target.symbol, target.quantity * self.by) for target in targets]

    def rearm(self, *, rebase: bool) -> None:
        """Write it down."""
        self.diary.append((self.by, rebase))


class Limiting(Scaling):
    """Cut every target to a most."""

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:  # noqa: ARG002 -- it only cuts
        """Cut what is above."""
        return [PortfolioTarget(target.symbol, min(target.quantity, self.by)) for target in targets]


def test_each_model_gets_what_the_one_before_it_has_left() -> None:
    """Doubling and cutting are not the same as cutting and doubling."""
    assert {"A": "10"} == judged(Chain([Scaling("2", []), Limiting("10", [])]), context(), A="8")
    assert {"A": "16"} == judged(Chain([Limiting("10", []), Scaling("2", [])]), context(), A="8")


def test_only_what_changed_in_the_end_is_returned() -> None:
    """A model that returns everything, and two that undo each other, change nothing."""
    assert {} == judged(Chain([Scaling("1", [])]), context(), A="8", B="2")
    assert {} == judged(Chain([Scaling("2", []), Scaling("0.5", [])]), context(), A="8", B="2")
    assert {"A": "5"} == judged(Chain([Limiting("5", [])]), context(), A="8", B="2")


def test_a_chain_of_none_and_of_null_models_changes_nothing() -> None:
    """No model is no risk model."""
    for models in ([], [NullRiskModel(), NullRiskModel()]):
        assert {} == judged(Chain(models), context(A=position("10", "100", "1")), A="8")


def test_a_liquidation_is_final_for_the_models_behind_it() -> None:
    """None of them brings the position back, nor scales a zero."""
    seen = context(A=position("10", "100", "50"))
    back = Chain([MaximumDrawdownPerSecurity("0.05"), Adding()])
    assert {"A": "OUT"} == judged(back, seen, A="10")
    assert {"A": "OUT"} == judged(Chain([Adding(), MaximumDrawdownPerSecurity("0.05")]), seen)


class Adding(RiskModel):
    """Want a hundred of A, whatever was wanted."""

    def manage_risk(self, context: RiskContext, targets: Sequence[PortfolioTarget]) -> list[PortfolioTarget]:  # noqa: ARG002 -- it only adds
        """Return the hundred."""
        return [PortfolioTarget("A", Decimal(100))]


def test_every_model_is_told_everything_in_order() -> None:
    """Instruments, bars and re-arming reach all of them."""
    diary: list[object] = []
    chain = Chain([Scaling("1", diary), Scaling("2", diary)])
    chain.on_instruments_changed(["A"], ["B"])
    chain.observe(context("77"))
    chain.rearm(rebase=True)
    one, two = Decimal(1), Decimal(2)
    told: list[object] = [(one, ("A",), ("B",)), (two, ("A",), ("B",))]
    assert [*told, (one, Decimal(77)), (two, Decimal(77)), (one, True), (two, True)] == diary


MODELS = st.lists(
    st.sampled_from(
        [
            NullRiskModel,
            MaximumDrawdownPerSecurity,
            MaximumDrawdownPortfolio,
            MaximumUnrealisedProfitPerSecurity,
            MaximumSectorExposure,
            TrailingStop,
            FlashCrashByFall,
            FlashCrashByScore,
        ]
    ),
    max_size=4,
)
PRICES = st.integers(50, 150).map(Decimal)
QUANTITIES = st.integers(-200, 200).map(Decimal)
WORKING = st.integers(0, 100).map(Decimal)


@st.composite
def bars(draw: st.DrawFn) -> tuple[RiskContext, list[PortfolioTarget]]:
    """Draw a bar with positions, working orders, an equity and targets."""
    closes = {symbol: str(draw(PRICES)) for symbol in INSTRUMENTS}
    positions = {}
    for symbol in draw(st.sets(st.sampled_from(sorted(INSTRUMENTS)))):
        works = {"buys": str(draw(WORKING)), "sells": str(draw(WORKING))}
        positions[symbol] = position(str(draw(QUANTITIES)), str(draw(PRICES)), closes[symbol], **works)
    wanted = draw(st.dictionaries(st.sampled_from(sorted(INSTRUMENTS)), QUANTITIES.map(str)))
    return context(str(draw(st.integers(-1_000, 100_000))), closes=closes, held=positions), wants(**wanted)


@given(kinds=MODELS, days=st.lists(bars(), min_size=1, max_size=6))
def test_no_chain_of_limiting_models_ever_adds_risk(
    kinds: list[type[RiskModel]], days: list[tuple[RiskContext, list[PortfolioTarget]]]
) -> None:
    """A changed target is on the side of what was wanted, or held at worst, and no larger; and it did change."""
    chain = Chain([kind() for kind in kinds])
    for seen, targets in days:
        chain.observe(seen)
        wanted = {target.symbol: target for target in targets}
        for changed in chain.manage_risk(seen, targets):
            before = wanted.get(changed.symbol)
            quantity = seen.worst(changed.symbol) if before is None else before.quantity
            assert changed != before
            assert min(quantity, ZERO) <= changed.quantity <= max(quantity, ZERO)


@given(kinds=MODELS, days=st.lists(bars(), min_size=2, max_size=6))
def test_a_chain_built_anew_that_observes_its_history_decides_the_same(
    kinds: list[type[RiskModel]], days: list[tuple[RiskContext, list[PortfolioTarget]]]
) -> None:
    """Whether the bars before were decided on or only warmed up: nothing but what was seen matters."""
    live, again = Chain([kind() for kind in kinds]), Chain([kind() for kind in kinds])
    for seen, targets in days[:-1]:
        live.observe(seen)
        live.manage_risk(seen, targets)
        again.observe(seen)
    seen, targets = days[-1]
    live.observe(seen)
    again.observe(seen)
    assert live.manage_risk(seen, targets) == again.manage_risk(seen, targets)
