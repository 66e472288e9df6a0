"""Instruments that are added and changed while trading goes on, and what must not change any more."""

from decimal import Decimal

import pytest

from tests.unit.builders import BUY, CANCELED, TRADE, Desk, action, configuration, instrument, limit, stamp
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_limits import TECH, limited
from tests.unit.risk.test_limits import limit as limit_of
from tidegate.errors import ConfigurationError
from tidegate.v1 import admin_pb2, instruments_pb2, journal_pb2, portfolio_pb2


def upsert(
    desk: Desk, *instruments: instruments_pb2.Instrument, permit: tuple[str, ...] = (), reason: str = "listed"
) -> str:
    """Add or change instruments in an operator's name; return the reason of a refusal."""
    request = admin_pb2.UpsertInstrumentsRequest(
        instruments=instruments, operator="ann", reason=reason, permitted_strategy_ids=permit
    )
    return desk.refusal("UpsertInstruments", request)


def changed(symbol: str = "A", **fields: str) -> instruments_pb2.Instrument:
    """Write the desk's instrument with other terms."""
    message = instrument(symbol)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def listed(desk: Desk) -> dict[str, instruments_pb2.InstrumentState]:
    """Ask for all instruments."""
    response = desk.ask(
        "ListInstruments", portfolio_pb2.ListInstrumentsRequest(), portfolio_pb2.ListInstrumentsResponse
    )
    return {state.instrument.symbol: state for state in response.instruments}


@pytest.mark.control("instrument-changes")
def test_a_new_instrument_is_priced_traded_and_limited_like_any_other_and_survives_a_restart(
    open_desk: OpenDesk,
) -> None:
    """Pins that it has no price at first, its own multiplier, and its sector's limit; the file does not state it."""
    desk = limited(open_desk, limit_of("GROSS_EXPOSURE", TECH, limit="10000"))
    assert "REJECT INSTRUMENT_UNKNOWN" == action(desk.move("margin", "1", "N"))
    assert "" == upsert(desk, changed("N", multiplier="10", sector="tech", lot="0.5"))
    assert "REJECT PRICE_MISSING" == action(desk.move("margin", "1", "N"))
    desk.price(1.1, N="100")
    desk = desk.restarted()
    assert "REJECT GROSS_EXPOSURE" == action(desk.move("margin", "10.5", "N"))
    assert "REJECT QUANTITY_OFF_LOT" == action(desk.move("margin", "1.2", "N"))
    desk.hold("margin", "10", "100", "N")
    state = listed(desk.restarted())["N"]
    assert ("ann", "listed", "10") == (state.operator, state.reason, state.instrument.multiplier)


@pytest.mark.control("instrument-changes")
def test_tick_lot_and_sizes_are_others_from_the_next_order_on(desk: Desk) -> None:
    """Pins that rules which nobody had asked for before are asked from then on, and can be taken away."""
    terms = changed(tick="0.05", lot="10", max_quantity="50", min_notional="500")
    assert "" == upsert(desk, terms)
    decisions = [desk.check(limit(desk.order("margin", BUY, q, "A"), p)) for q, p in (("20", "99.99"), ("15", "99.95"))]
    assert ["REJECT PRICE_OFF_TICK", "REJECT QUANTITY_OFF_LOT"] == [action(decision) for decision in decisions]
    assert "REJECT ORDER_QUANTITY" == action(desk.buy("cash", "60"))
    assert "ALLOW" == action(desk.buy("cash", "50"))
    assert "" == upsert(desk, instrument("A"))
    assert "ALLOW" == action(desk.buy("cash", "61"))


def test_another_sector_counts_at_once_what_is_held(open_desk: OpenDesk) -> None:
    """Pins that moving a holding into a limited sector is a breach in the same commit, caused by the change."""
    desk = limited(
        open_desk, limit_of("GROSS_EXPOSURE", TECH, limit="1000"), limit_of("NET_EXPOSURE", TECH, limit="1000")
    )
    desk.hold("margin", "20", "100", "B")
    assert "" == upsert(desk, changed("B", sector="tech"))
    (event,) = desk.events("instrument_upserted")
    breaches = [
        (b.limit_breached.violation.reason_code, b.limit_breached.cause_sequence) for b in desk.events("limit_breached")
    ]
    assert [("GROSS_EXPOSURE", event.sequence), ("NET_EXPOSURE", event.sequence)] == breaches
    assert "" == upsert(desk, changed("B", sector="retail"))
    assert {} == desk.book.breaches


def test_a_list_of_permitted_instruments_stays_until_a_person_puts_a_new_one_on_it(open_desk: OpenDesk) -> None:
    """Pins deny by default; a strategy without a list may trade what is new."""
    configured = configuration()
    configured.strategies[0].instruments.extend(["A"])
    desk = open_desk(configured)
    assert "" == upsert(desk, instrument("N"))
    desk.bar(1, A="100", N="100")
    assert ("REJECT INSTRUMENT_NOT_PERMITTED", "ALLOW") == (
        action(desk.buy("cash", "1", "N")),
        action(desk.buy("margin", "1", "N")),
    )
    assert "" == upsert(desk, instrument("N"), permit=("cash", "margin"))
    assert "ALLOW" == action(desk.restarted().buy("cash", "1", "N"))
    (_, event) = desk.events("instrument_upserted")
    assert ["cash"] == event.instrument_upserted.permitted_strategy_ids


def with_a_put(**fields: str) -> instruments_pb2.Instrument:
    """Write an option on A."""
    terms = {"underlying": "A", "strike": "100", "right": "put", "volatility": "0.2"} | fields
    message = changed("PUT", asset_class="option")
    message.option.CopyFrom(instruments_pb2.OptionTerms(**terms, expiry=stamp(30)))
    return message


@pytest.mark.control("instrument-changes")
@pytest.mark.parametrize("change", [{"multiplier": "2"}, {"asset_class": "future"}])
def test_what_was_ever_filled_keeps_its_multiplier_and_its_product(desk: Desk, change: dict[str, str]) -> None:
    """Pins a working order, a position, and a closed one, whose fills may still be busted; the refusal is recorded."""
    order = desk.order("margin", BUY, "5", "A")
    order_id = desk.submit(order).order_id
    assert "INSTRUMENT_IN_USE" == upsert(desk, changed(**change))
    desk.report(desk.execution(order_id, CANCELED))
    assert "" == upsert(desk, changed(**change))
    assert "" == upsert(desk, instrument("A"))
    desk.hold("margin", "5", "100")
    assert "INSTRUMENT_IN_USE" == upsert(desk, changed(**change))
    desk.hold("margin", "-5", "100")
    desk = desk.restarted()
    assert "INSTRUMENT_IN_USE" == upsert(desk, changed("B"), changed(**change))
    refused = desk.events("command_refused")[-1].command_refused
    assert ("UpsertInstruments", "A", "ann") == (refused.command, refused.subject, refused.operator)
    assert "" == upsert(desk, changed(tick="0.5", sector="tech", asset_class="etf"))
    assert ("0", 3) == (desk.conserved(), len(desk.events("instrument_upserted")))


def test_a_fill_of_what_nobody_configured_fixes_its_multiplier_too(desk: Desk) -> None:
    """Pins the suspense ledger: what was booked at 1 a unit cannot become 10 a unit."""
    stray = desk.execution("", TRADE)
    stray.symbol, stray.side, stray.last_quantity, stray.last_price = "N", BUY, "3", "10"
    desk.report(stray)
    assert "INSTRUMENT_IN_USE" == upsert(desk, changed("N", multiplier="10"))
    assert "" == upsert(desk, changed("N", sector="tech"))


def test_option_terms_stay_while_one_is_held_or_works(desk: Desk) -> None:
    """Pins strike and volatility; a flat one may be restated, a new one is exposed by its underlying's last price."""
    assert "" == upsert(desk, with_a_put())
    desk.price(1.1, PUT="3", A="100")
    added = desk.book.instruments["PUT"]
    assert added.option is not None
    assert desk.book.options.units(added, added.option).held < Decimal(100)
    order_id = desk.move("margin", "2", "PUT").order_id
    assert "INSTRUMENT_IN_USE" == upsert(desk, with_a_put(strike="90"))
    assert "INSTRUMENT_IN_USE" == upsert(desk, with_a_put(volatility="0.3"))
    desk.report(desk.execution(order_id, CANCELED))
    assert "" == upsert(desk, with_a_put(strike="90", volatility="0.3"))
    desk.price(1.2, A="101")
    assert "ALLOW" == action(desk.move("margin", "2", "PUT"))


@pytest.mark.parametrize(
    "wrong",
    [
        changed(tick="0"),
        changed(tick="-1"),
        changed(lot="1e2"),
        changed(multiplier="x"),
        changed(currency="EUR"),
        changed(asset_class="house"),
        changed(asset_class="fx"),
        changed(asset_class="option"),
        changed(symbol=""),
        changed(symbol="a b"),
        changed(symbol="x" * 33),
        changed(min_quantity="2", max_quantity="1"),
        changed(sector="te\nch"),
        changed(calendar="XNYS"),
        changed(proxy="A"),
        changed(proxy="NOWHERE"),
        changed(proxy="B", proxy_scale="0"),
        with_a_put(underlying="NOWHERE"),
        with_a_put(right="maybe"),
    ],
)
def test_what_the_portfolio_file_would_refuse_is_refused_and_with_it_all_of_the_request(
    desk: Desk, wrong: instruments_pb2.Instrument
) -> None:
    """Pins all or none, with nothing recorded."""
    before = desk.book.sequence
    assert "INSTRUMENT_INVALID" == upsert(desk, changed("N"), wrong)
    assert (before, {"A", "B", "F"}) == (desk.book.sequence, set(desk.book.instruments))


def test_a_change_needs_a_reason_each_symbol_once_and_strategies_that_there_are(desk: Desk) -> None:
    """Pins who and why, and the bounds of a request."""
    assert "TEXT_INVALID" == upsert(desk, instrument("A"), reason=" ")
    assert "INSTRUMENT_INVALID" == upsert(desk, instrument("A"), changed(tick="1"))
    assert "STRATEGY_UNKNOWN" == upsert(desk, instrument("A"), permit=("nobody",))
    assert "BATCH_TOO_LARGE" == upsert(desk, *(instrument(f"N{n}") for n in range(101)))
    assert ("", []) == (upsert(desk, instrument("A")), desk.events("instrument_upserted"))


def test_an_underlying_of_an_option_stays_one(desk: Desk) -> None:
    """Pins that others are looked at that belong to a changed instrument, and a rate that must stay one."""
    upsert(desk, with_a_put())
    assert "" == upsert(desk, changed("B", proxy="PUT"))
    future = changed(asset_class="fx", buys="EUR")
    assert "INSTRUMENT_INVALID" == upsert(desk, future)
    assert "" == upsert(desk, changed(tick="0.1"))


def restated(desk: Desk, configured: journal_pb2.PortfolioConfigured) -> Desk:
    """Start again with another portfolio file."""
    return Desk(desk.path, configured, ids=desk.ids)


def test_the_portfolio_file_may_state_a_changed_instrument_as_it_was_or_as_it_is(open_desk: OpenDesk) -> None:
    """Pins the rule for when both exist: the journal counts, and anything third is refused."""
    configured = configuration()
    configured.strategies[0].instruments.extend(["A"])
    desk = open_desk(configured)
    upsert(desk, changed(tick="0.05"))
    upsert(desk, changed("N", tick="0.5"), permit=("cash",))
    as_it_is = configuration()
    as_it_is.instruments[0].tick = "0.05"
    as_it_is.instruments.append(desk.book.instruments["N"].to_wire())
    as_it_is.strategies[0].instruments.extend(["A", "N"])
    for stated in (configured, as_it_is):
        desk = restated(desk, stated)
        assert (Decimal("0.05"), Decimal("0.5")) == (desk.book.instruments["A"].tick, desk.book.instruments["N"].tick)
    other_tick, other_instrument, no_list = configuration(), configuration(), configuration()
    for stated in (other_tick, other_instrument):
        stated.strategies[0].instruments.extend(["A"])
    other_tick.instruments[0].tick = "0.02"
    other_instrument.instruments.append(instrument("M"))
    for stated, what in ((other_tick, "instruments"), (other_instrument, "instruments"), (no_list, "strategies")):
        with pytest.raises(ConfigurationError, match=f"other {what} than"):
            restated(desk, stated)
