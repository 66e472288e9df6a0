"""An adapter's account in the portfolio file: what the journal gets of it, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.builders import PORTFOLIO, instrument_scope, strategy_scope
from tidegate.account_section import AccountSection
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import common_pb2, journal_pb2, reconciliation_pb2

FILE: dict[str, Any] = {
    "name": "accounts",
    "currency": "USD",
    "currencies": {"EUR": "EURUSD"},
    "capital": 1_000,
    "instruments": [{"symbol": "A"}, {"symbol": "EURUSD", "asset_class": "fx", "buys": "EUR"}],
    "strategies": [{"id": "one", "kind": "external", "allocation": "0.5"}],
}


def file_of(*accounts: dict[str, Any] | None) -> PortfolioFile:
    """Write a file whose adapters have these accounts."""
    adapters = [{"name": f"a{number}", "account": account} for number, account in enumerate(accounts)]
    return PortfolioFile.model_validate(FILE | {"adapters": adapters})


def test_an_account_is_journaled_with_its_adapter_cash_time_and_halt() -> None:
    """Pins every figure, exact to the digit, and that an adapter without an account has none."""
    account = {"id": "U-1", "cash": {"USD": "1000.50", "EUR": "-2"}, "in_flight_s": 5}
    halt = {"level": "reduce_only", "strategy": "one"}
    assert [
        journal_pb2.BrokerAccount(
            account="U-1",
            adapter="a1",
            cash=[
                reconciliation_pb2.StatedCash(currency="USD", amount="1000.5"),
                reconciliation_pb2.StatedCash(currency="EUR", amount="-2"),
            ],
            in_flight_s=5,
            halt_level=common_pb2.HALT_LEVEL_REDUCE_ONLY,
            halt_scope=strategy_scope("one"),
        )
    ] == list(file_of(None, account | {"halt": halt}).to_wire().accounts)


@pytest.mark.parametrize(
    ("halt", "scope"),
    [({}, PORTFOLIO), ({"instrument": "A"}, instrument_scope("A")), ({"strategy": "one"}, strategy_scope("one"))],
)
def test_a_break_halts_the_portfolio_unless_the_file_names_less(halt: dict[str, str], scope: common_pb2.Scope) -> None:
    """Pins the scope, and HALTED where no level is stated."""
    wire = AccountSection.model_validate({"id": "U-1", "halt": halt}).to_wire("paper")
    assert (common_pb2.HALT_LEVEL_HALTED, scope) == (wire.halt_level, wire.halt_scope)


def test_an_account_without_a_halt_halts_nothing() -> None:
    """Pins the defaults."""
    wire = AccountSection.model_validate({"id": "U-1"}).to_wire("paper")
    assert journal_pb2.BrokerAccount(account="U-1", adapter="paper", in_flight_s=60) == wire


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        (({"id": "U-1"}, {"id": "U-1"}), "adapters 1 account id: U-1 stands twice"),
        (({"id": "U-1", "cash": {"CHF": 1}},), "adapters 0 account cash: CHF is no currency of this file"),
        (({"id": "U-1", "halt": {"strategy": "x"}},), "adapters 0 account halt: there is no strategy x"),
        (({"id": "U-1", "halt": {"instrument": "x"}},), "adapters 0 account halt: there is no instrument x"),
    ],
)
def test_what_an_account_names_has_to_be_there(accounts: tuple[dict[str, Any], ...], expected: str) -> None:
    """Pins the place and the text."""
    found = [f"{' '.join(map(str, place))}: {text}" for place, text in file_of(*accounts).problems()]
    assert [expected] == found


@pytest.mark.parametrize(
    "change",
    [
        {"id": "with blank"},
        {"id": ""},
        {"in_flight_s": -1},
        {"in_flight_s": 86_401},
        {"cash": {"USD": "1e20"}},
        {"cash": {"USD": "0.000000001"}},
        {"halt": {"level": "active"}},
        {"halt": {"strategy": "one", "instrument": "A"}},
        {"what": 1},
    ],
)
def test_an_account_with_a_figure_that_is_none_is_refused(change: dict[str, Any]) -> None:
    """Pins each bound."""
    with pytest.raises(ValidationError):
        AccountSection.model_validate({"id": "U-1"} | change)
