"""Black-Scholes: known values, parity, bounds, and what happens at the edges."""

import math
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.black_scholes import Right, delta, price


class Terms(TypedDict):
    spot: float
    strike: float
    years: float
    volatility: float
    rate: float


TEXTBOOK = Terms(spot=42.0, strike=40.0, years=0.5, volatility=0.2, rate=0.1)
TERMS = st.fixed_dictionaries(
    {
        "spot": st.floats(1.0, 1_000.0),
        "strike": st.floats(1.0, 1_000.0),
        "years": st.floats(0.0, 10.0),
        "volatility": st.floats(0.0, 2.0),
        "rate": st.floats(-0.05, 0.2),
    }
)
RIGHTS = st.sampled_from(["call", "put"])


@pytest.mark.parametrize(("right", "expected"), [("call", 4.759422), ("put", 0.808600)])
def test_prices_of_the_textbook(right: Right, expected: float) -> None:
    """Pins Hull's example of an option on a share at 42, struck at 40, for half a year."""
    assert expected == pytest.approx(price(right, **TEXTBOOK), abs=1e-6)


@pytest.mark.parametrize(("right", "expected"), [("call", 0.779131), ("put", -0.220869)])
def test_deltas_of_the_textbook(right: Right, expected: float) -> None:
    """Pins both deltas of the same example; they are one apart."""
    assert expected == pytest.approx(delta(right, **TEXTBOOK), abs=1e-6)


@given(terms=TERMS)
def test_a_call_less_a_put_is_the_forward(terms: Terms) -> None:
    """Put-call parity, whatever the terms."""
    forward = terms["spot"] - terms["strike"] * math.exp(-terms["rate"] * terms["years"])
    assert forward == pytest.approx(price("call", **terms) - price("put", **terms), abs=1e-8)
    assert 1.0 == pytest.approx(delta("call", **terms) - delta("put", **terms))


@given(right=RIGHTS, terms=TERMS)
def test_a_price_lies_within_its_bounds(right: Right, terms: Terms) -> None:
    """No option is worth less than exercising it forward, nor more than what it may bring."""
    discounted = terms["strike"] * math.exp(-terms["rate"] * terms["years"])
    worth, forward = price(right, **terms), terms["spot"] - discounted
    most, least = (terms["spot"], max(forward, 0.0)) if right == "call" else (discounted, max(-forward, 0.0))
    assert least - 1e-8 <= worth <= most + 1e-8
    low, high = (0.0, 1.0) if right == "call" else (-1.0, 0.0)
    assert low <= delta(right, **terms) <= high


@given(right=RIGHTS, terms=TERMS.filter(lambda t: t["volatility"] * math.sqrt(t["years"]) > 0.05))
def test_the_delta_is_the_slope_of_the_price(right: Right, terms: Terms) -> None:
    """The price between two near spots rises as the delta says."""
    step = terms["spot"] * 1e-5
    up, down = terms | {"spot": terms["spot"] + step}, terms | {"spot": terms["spot"] - step}
    slope = (price(right, **up) - price(right, **down)) / (2 * step)
    assert slope == pytest.approx(delta(right, **terms), abs=1e-4)


@pytest.mark.parametrize(
    ("right", "spot", "worth", "slope"),
    [
        ("call", 101.0, 1.0, 1.0),
        ("call", 100.0, 0.0, 0.5),
        ("call", 99.0, 0.0, 0.0),
        ("put", 101.0, 0.0, 0.0),
        ("put", 100.0, 0.0, -0.5),
        ("put", 99.0, 1.0, -1.0),
    ],
)
def test_at_expiry_an_option_is_worth_its_exercise(right: Right, spot: float, worth: float, slope: float) -> None:
    """Pins the last moment: in, at and out of the money."""
    terms = Terms(spot=spot, strike=100.0, years=0.0, volatility=0.3, rate=0.05)
    assert (worth, slope) == (price(right, **terms), delta(right, **terms))


@pytest.mark.parametrize(
    "change",
    [{"spot": 0.0}, {"strike": -1.0}, {"years": -0.1}, {"volatility": -0.1}, {"rate": math.nan}, {"spot": math.inf}],
)
def test_terms_that_no_option_has_are_refused(change: Terms) -> None:
    """A figure that would make nonsense of the price raises instead."""
    terms = TEXTBOOK | change
    with pytest.raises(ValueError, match="no option"):
        price("put", **terms)
    with pytest.raises(ValueError, match="no option"):
        delta("put", **terms)
