"""The portfolio file: read whole, or refused with file, line and key."""

from decimal import Decimal
from pathlib import Path

import pytest

from tidegate.clocks import BARS, WALL
from tidegate.errors import ConfigurationError
from tidegate.instruments import Instrument
from tidegate.portfolio_file import PortfolioFile, read_portfolio_file
from tidegate.report_rules import ReportRules
from tidegate.v1 import instruments_pb2, journal_pb2, risk_pb2

GOOD = """\
name: demo
currency: USD
capital: 1_000_000.50
clock: bars
limits:
  max_leverage: 1.5
  max_concentration: null
instruments:
  - symbol: AAPL
    sector: technology
  - {symbol: ES, tick: 0.25, multiplier: 50, asset_class: future}
strategies:
  - id: momentum
    class: examples.momentum:Momentum
    allocation: 0.4
    route: paper
    parameters: {window: 20, threshold: 0.1}
  - id: desk
    kind: external
    allocation: 0.3
    max_leverage: 2
adapters:
  - name: paper
    synchronised: true
replay:
  prices: examples.prices:load
  operator: {name: sim, reset_after_bars: 5}
"""


def read(tmp_path: Path, text: str) -> PortfolioFile:
    """Read a file with this text."""
    path = tmp_path / "portfolio.yaml"
    path.write_text(text, encoding="utf-8")
    return read_portfolio_file(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    """Return the lines of the refusal, without the file's name, which each begins with."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    prefix = f"{tmp_path / 'portfolio.yaml'}:"
    lines = str(caught.value).split("\n")
    assert all(line.startswith(prefix) for line in lines), lines
    return [line.removeprefix(prefix) for line in lines]


def test_a_good_file_says_what_the_journal_has_to_know(tmp_path: Path) -> None:
    """Pins every figure that decides, defaults included, exact to the digit."""
    limits = risk_pb2.Limits(
        max_leverage="1.5",
        warn_leverage="1.8",
        warn_concentration="0.15",
        halt_drawdown="0.2",
        max_drawdown="0.15",
        warn_drawdown="0.1",
        max_price_age_s=60,
    )
    expected = journal_pb2.PortfolioConfigured(
        name="demo",
        currency="USD",
        capital="1000000.5",
        instruments=[
            instruments_pb2.Instrument(
                symbol="AAPL",
                tick="0.01",
                multiplier="1",
                sector="technology",
                asset_class="equity",
                currency="USD",
                lot="1",
            ),
            instruments_pb2.Instrument(
                symbol="ES", tick="0.25", multiplier="50", asset_class="future", currency="USD", lot="1"
            ),
        ],
        strategies=[
            journal_pb2.StrategyTerms(strategy_id="momentum", kind="cash", capital="400000.2", max_leverage="1"),
            journal_pb2.StrategyTerms(strategy_id="desk", kind="margin", capital="300000.15", max_leverage="2"),
        ],
        limits=limits,
        adapters=["paper"],
        synchronised_adapters=["paper"],
        clock=BARS,
        route_within_s=30,
        price_bands=[
            journal_pb2.PriceBand(band="0.1", confirmations=2),
            journal_pb2.PriceBand(interval="1d", band="0.1"),
        ],
        routes=[journal_pb2.StrategyRoute(strategy_id="momentum", adapter="paper")],
    )
    assert expected == read(tmp_path, GOOD).to_wire()


def test_what_only_runs_is_not_journaled(tmp_path: Path) -> None:
    """Pins what the file keeps for whoever starts the parts; a fraction is a decimal everywhere."""
    portfolio = read(tmp_path, GOOD)
    momentum = portfolio.strategies[0]
    assert ("examples.momentum:Momentum", "paper") == (momentum.code, momentum.route)
    assert {"window": 20, "threshold": Decimal("0.1")} == momentum.parameters
    assert portfolio.replay is not None
    assert portfolio.replay.operator is not None
    assert 5 == portfolio.replay.operator.reset_after_bars
    live = GOOD.replace("clock: bars\n", "")
    assert WALL == read(tmp_path, live[: live.index("replay:")]).to_wire().clock


def test_risk_models_are_read_in_their_order_and_are_not_journaled(tmp_path: Path) -> None:
    """Pins that they belong to the strategy, whose orders are decided like anybody's."""
    models = """
    risk_models:
      - {class: "tidegate.targets.trailing_stop:TrailingStop", parameters: {limit: 0.1}}
      - {class: "tidegate.targets.null:NullRiskModel"}"""
    portfolio = read(tmp_path, GOOD.replace("    parameters: {window", f"{models[1:]}\n    parameters: {{window"))
    expected = [("tidegate.targets.trailing_stop:TrailingStop", {"limit": Decimal("0.1")})]
    expected.append(("tidegate.targets.null:NullRiskModel", {}))
    assert expected == [(model.code, model.parameters) for model in portfolio.strategies[0].risk_models]
    assert read(tmp_path, GOOD).to_wire() == portfolio.to_wire()


def test_no_more_capital_is_given_out_than_there_is(tmp_path: Path) -> None:
    """Pins that shares of 25.0075 are rounded down, so that the reserve is never below zero."""
    strategies = "".join(f"  - {{id: s{n}, kind: external, allocation: 0.25}}\n" for n in range(4))
    text = f"name: p\ncurrency: USD\ncapital: 100.03\ninstruments: [{{symbol: A}}]\nstrategies:\n{strategies}"
    assert ["25"] * 4 == [terms.capital for terms in read(tmp_path, text).to_wire().strategies]


BANDS = """\
price_bands:
  - {band: 0.2, confirmations: 1}
  - {feed: backup, confirmations: 3}
  - {interval: 1m, band: 0.05}
  - {symbol: ES, interval: 1d, band: 0.07}
"""


def test_price_bands_come_after_those_that_are_there_by_default(tmp_path: Path) -> None:
    """Pins each entry in its order, and that a band of daily bars is nobody's by default."""
    expected = [
        journal_pb2.PriceBand(band="0.1", confirmations=2),
        journal_pb2.PriceBand(interval="1d", band="0.1"),
        journal_pb2.PriceBand(band="0.2", confirmations=1),
        journal_pb2.PriceBand(feed="backup", band="0.1", confirmations=3),
        journal_pb2.PriceBand(interval="1m", band="0.05", confirmations=2),
        journal_pb2.PriceBand(symbol="ES", interval="1d", band="0.07", confirmations=2),
    ]
    assert expected == list(read(tmp_path, GOOD + BANDS).to_wire().price_bands)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("symbol: ES", "symbol: NQ", "32: price_bands[3].symbol: no instrument is called NQ"),
        ("feed: backup", "feed: backup, interval: 1m", "30: price_bands[1]: a feed has live prices, an interval has"),
        ("feed: backup", "feed: a b", "30: price_bands[1].feed: String should match pattern"),
        ("band: 0.05", "band: 0", "31: price_bands[2].band: Input should be greater than 0"),
        ("confirmations: 3", "confirmations: 21", "30: price_bands[1].confirmations: Input should be less than"),
        ("confirmations: 3", "confirmations: -1", "30: price_bands[1].confirmations: Input should be greater than"),
    ],
)
def test_a_price_band_without_a_meaning_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Pins one problem, its place and its text."""
    (problem,) = problems(tmp_path, GOOD + BANDS.replace(old, new, 1))
    assert expected == problem[: len(expected)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("0.3", "0.7", "20: strategies[1].allocation: allocations add up to 110%, over 100%"),
        ("allocation: 0.3", "allocation: 1.1", "20: strategies[1].allocation: Input should be less than or equal to 1"),
        ("allocation: 0.3", "allocation: 0", "20: strategies[1].allocation: Input should be greater than 0"),
        ("id: desk", "id: momentum", "18: strategies[1].id: momentum stands twice"),
        ("symbol: ES", "symbol: AAPL", "11: instruments[1].symbol: AAPL stands twice"),
        ("sector:", "sektor:", "10: instruments[0].sektor: Extra inputs are not permitted"),
        ("clock: bars", "clok: bars", "4: clok: Extra inputs are not permitted"),
        ("clock: bars", "currency: USD", "4: currency: the key stands twice"),
        ("sector: technology", "symbol: MSFT", "10: instruments[0].symbol: the key stands twice"),
        ("max_leverage: 1.5", "max_leverage: much", "6: limits.max_leverage: Input should be a valid decimal"),
        ("max_leverage: 1.5", "max_leverage: -1", "6: limits.max_leverage: Input should be greater than 0"),
        ("max_leverage: 1.5", "max_leverage: .nan", "6: limits.max_leverage: .nan is not a decimal"),
        ("max_leverage: 1.5", "max_leverage: -.inf", "6: limits.max_leverage: -.inf is not a decimal"),
        ("max_leverage: 1.5", "max_leverage: 'NaN'", "6: limits.max_leverage: Input should be a finite number"),
        ("max_leverage: 1.5", "max_leverage: 1:30.5", "6: limits.max_leverage: 1:30.5 is not a decimal"),
        ("1_000_000.50", "1.0e+999999999", "3: capital: takes at most 12 digits before the point and 8 behind"),
        ("1_000_000.50", "0.123456789", "3: capital: takes at most 12 digits before the point and 8 behind"),
        ("threshold: 0.1", "threshold: .inf", "17: strategies[0].parameters.threshold: .inf is not a decimal"),
        ("window: 20", "since: 2020-13-01", "17: strategies[0].parameters.since: 2020-13-01 is not a time: month must"),
        ("route: paper", "route: broker", "16: strategies[0].route: no adapter is called broker"),
        ("symbol: AAPL", "symbol: AAPL\n    currency: EUR", "10: instruments[0].currency: EUR has no rate"),
        ("symbol: AAPL", "symbol: ON", "9: instruments[0].symbol: Input should be a valid string"),
        ("name: demo\n", "", "1: name: Field required"),
        ("    class: examples.momentum:Momentum\n", "", "13: strategies[0]: a strategy has a class, and one of kind"),
        ("    route: paper\n", "", "13: strategies[0]: a strategy with a class needs a route"),
        (
            "kind: external",
            "kind: external\n    risk_models: [{class: a:B}]",
            "18: strategies[1]: risk models look at a",
        ),
        (
            "    parameters: {w",
            "    risk_models: [{class: b.py}]\n    parameters: {w",
            "17: strategies[0].risk_models[0].class: ",
        ),
        ("examples.momentum:Momentum", "momentum.py", "14: strategies[0].class: String should match pattern"),
        ("name: sim", "name: Tidegate", "27: replay.operator.name: tidegate is the gate itself"),
        ("name: demo", "name: [demo", "2: "),
        ("name: demo", "name: &a !!python/object:os.system x", "1: "),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Pins one problem, its place and its text."""
    assert old in GOOD
    (problem,) = problems(tmp_path, GOOD.replace(old, new, 1))
    assert expected == problem[: len(expected)]


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    """Pins that nobody has to mend a file one error at a time."""
    text = GOOD.replace("clock: bars", "clock: sun").replace("0.25", "0").replace("id: desk", "id: a b")
    assert ["4", "11", "18"] == [problem.split(":")[0] for problem in problems(tmp_path, text)]


@pytest.mark.parametrize(
    ("text", "expected"), [("", "1: the file is empty"), ("- a\n", "1: Input should be"), ("7", "1: Input should be")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """Pins what is said about a file without keys."""
    (problem,) = problems(tmp_path, text)
    assert expected == problem[: len(expected)]


def test_a_missing_or_binary_file_is_refused_with_its_path(tmp_path: Path) -> None:
    """Pins what cannot even be read."""
    with pytest.raises(ConfigurationError, match=f"{tmp_path / 'none.yaml'}: No such file"):
        read_portfolio_file(tmp_path / "none.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigurationError, match=f"{path}:1: "):
        read_portfolio_file(path)


PRODUCTS = """\
name: products
currency: USD
currencies: {EUR: EURUSD}
capital: 100
instruments:
  - {symbol: EURUSD, asset_class: fx, buys: EUR, tick: 0.0001}
  - {symbol: DAX, currency: EUR}
  - {symbol: BTC, asset_class: crypto, lot: 0.00000001}
  - symbol: CALL
    asset_class: option
    currency: EUR
    multiplier: 100
    option: {underlying: DAX, strike: 90.5, expiry: 2026-12-18T17:30:00Z, right: call, volatility: 0.2}
strategies: [{id: s, kind: external, allocation: 0.25}]
"""


def test_every_product_is_read_and_journaled_whole(tmp_path: Path) -> None:
    """Pins rates, the bought currency, the smallest lot, an option's terms; and that the engine reads them back."""
    wire = read(tmp_path, PRODUCTS).to_wire()
    assert [("EUR", "EURUSD")] == [(rate.currency, rate.symbol) for rate in wire.currency_rates]
    fx, dax, coin, call = wire.instruments
    assert ("USD", "EUR", "EUR") == (fx.currency, fx.buys, dax.currency)
    assert ("0.00000001", False) == (coin.lot, coin.HasField("option"))
    terms = call.option
    expected = ("DAX", "90.5", 1_797_615_000, "call", "0.2", "0")
    assert expected == (
        terms.underlying,
        terms.strike,
        terms.expiry.seconds,
        terms.right,
        terms.volatility,
        terms.interest_rate,
    )
    assert list(wire.instruments) == [Instrument.from_wire(one).to_wire() for one in wire.instruments]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("buys: EUR, ", "", "6: instruments[0]: an fx instrument says which currency it buys"),
        ("tick: 0.0001", "multiplier: 10", "6: instruments[0]: an fx instrument has the multiplier 1"),
        ("EUR: EURUSD", "EUR: DAX", "3: currencies.EUR: DAX is no fx instrument that buys EUR"),
        ("EUR: EURUSD", "EUR: GONE", "3: currencies.EUR: GONE is no fx instrument that buys EUR"),
        ("EUR: EURUSD", "EUR: EURUSD, USD: EURUSD", "3: currencies.USD: USD is the portfolio's currency"),
        ("{symbol: DAX, currency: EUR}", "{symbol: DAX, currency: eur}", "7: instruments[1].currency: String should"),
        ("crypto", "cripto", "8: instruments[2].asset_class: Input should be 'equity', 'etf'"),
        ("crypto", "option", "8: instruments[2]: an option says what it is on"),
        ("asset_class: option", "asset_class: equity", "9: instruments[3]: an option says what it is on"),
        ("underlying: DAX", "underlying: EURUSD", "13: instruments[3].option.underlying: EURUSD is no instrument that"),
        ("underlying: DAX", "underlying: BTC", "13: instruments[3].option.underlying: BTC is priced in another"),
        ("17:30:00Z", "17:30:00", "13: instruments[3].option.expiry: Input should have timezone info"),
        ("right: call", "right: cal", "13: instruments[3].option.right: Input should be 'call' or 'put'"),
        ("volatility: 0.2", "volatility: 0", "13: instruments[3].option.volatility: Input should be greater than 0"),
        ("strike: 90.5", "strike: -1", "13: instruments[3].option.strike: Input should be greater than 0"),
        ("2026-12-18", "9026-12-18", "13: instruments[3].option.expiry: Input should be less than 2262"),
    ],
)
def test_a_product_that_lacks_something_is_refused_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """Pins one problem, its place and its text."""
    assert old in PRODUCTS
    (problem,) = problems(tmp_path, PRODUCTS.replace(old, new, 1))
    assert expected == problem[: len(expected)]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{}", None),
        ("{flatten: false, confirm_within_s: 60}", None),
        ("{flatten: true}", journal_pb2.HaltRules(flatten=True)),
        ("{four_eyes: true}", journal_pb2.HaltRules(confirm_within_s=3_600)),
        ("{four_eyes: true, confirm_within_s: 60}", journal_pb2.HaltRules(confirm_within_s=60)),
        ("{error_rate: {count: 5, within_s: 9}}", journal_pb2.HaltRules(error_count=5, error_within_s=9)),
    ],
)
def test_what_belongs_to_a_halt_is_journaled_where_it_is_asked_for(
    tmp_path: Path, section: str, expected: journal_pb2.HaltRules | None
) -> None:
    """Pins each rule, its default, and that a file which asks for nothing leaves no trace of it."""
    live = GOOD[: GOOD.index("replay:")]
    configured = read(tmp_path, f"{live}halts: {section}\n").to_wire()
    assert expected == (configured.halts if configured.HasField("halts") else None)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{four_eyes: true}", "halts.four_eyes: with four eyes nobody resets alone, a replay's operator neither"),
        ("{error_rate: {count: 0, within_s: 9}}", "halts.error_rate.count: Input should be greater than or equal to 1"),
        ("{error_rate: {count: 5}}", "halts.error_rate.within_s: Field required"),
        ("{confirm_within_s: 0}", "halts.confirm_within_s: Input should be greater than or equal to 1"),
        ("{six_eyes: true}", "halts.six_eyes: Extra inputs are not permitted"),
    ],
)
def test_what_a_halt_cannot_have_is_refused(tmp_path: Path, section: str, expected: str) -> None:
    """Pins that nobody believes to be protected who is not."""
    (line,) = problems(tmp_path, f"{GOOD}halts: {section}\n")
    assert line.endswith(expected)


def test_reports_have_the_chapters_figures_and_are_not_journaled(tmp_path: Path) -> None:
    """Pins the defaults, a key of the file, an unknown benchmark, and that the journal goes on with or without them."""
    plain = read(tmp_path, GOOD)
    assert plain.reports is None
    reported = read(tmp_path, GOOD + "reports: {benchmark: ES, position_risk: 0.03}\n")
    assert reported.reports is not None
    assert ReportRules(benchmark="ES", position_risk=Decimal("0.03")) == reported.reports.to_rules()
    assert plain.to_wire() == reported.to_wire()
    (line,) = problems(tmp_path, GOOD + "reports: {benchmark: DAX}\n")
    assert line.endswith("reports.benchmark: no instrument is called DAX")
