"""Decimals at the door, their one spelling, and the one rounding of money."""

from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_DOWN, Decimal, getcontext

import pytest

from tidegate.numbers import (
    PRECISION,
    _positive,
    is_multiple,
    parse,
    parse_positive,
    plain,
    round_money,
    round_ratio,
)


@pytest.mark.parametrize("text", ["0", "-1.5", "007", "101.25", "9" * 12 + "." + "9" * 8])
def test_a_plain_bounded_decimal_is_read_exactly(text: str) -> None:
    """Pins that nothing of a plain decimal is lost."""
    assert Decimal(text) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "1.",
        ".5",
        "1e3",
        "1_000",
        "1,5",
        "NaN",
        "inf",
        "0x1",
        "٣",
        "9" * 13,
        "0." + "1" * 9,
    ],
)
def test_what_is_not_a_plain_bounded_decimal_is_none(text: str) -> None:
    """Pins every other spelling that Decimal itself would take, or that is too long."""
    assert parse(text) is None


@pytest.mark.parametrize(("text", "expected"), [("0.00000001", Decimal("0.00000001")), ("0", None), ("-0", None)])
def test_a_positive_decimal_is_above_zero(text: str, expected: Decimal | None) -> None:
    """Pins that zero, signed or not, is not positive."""
    assert expected == parse_positive(text)


def test_a_text_that_is_too_long_for_a_number_is_not_kept() -> None:
    """Pins the memory that a sender's texts may fill: the longest number is kept, one character more is not."""
    longest = f"{'9' * 12}.{'9' * 8}"
    assert Decimal(longest) == parse_positive(longest)
    kept = _positive.cache_info().misses
    assert parse_positive(f"0{longest}") is None
    assert parse_positive("1" * 1_000_000) is None
    assert kept == _positive.cache_info().misses


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("100", "100"), ("1.50", "1.5"), ("-0.00", "0"), ("-2.0", "-2"), ("1E-8", "0.00000001")],
)
def test_each_number_has_one_spelling(number: str, text: str) -> None:
    """Pins the spelling that digests and the wire rely on."""
    assert text == plain(Decimal(number))


@pytest.mark.parametrize(
    ("number", "step", "expected"), [("0.3", "0.1", True), ("0.35", "0.1", False), ("7", "2", False)]
)
def test_a_multiple_is_a_whole_number_of_steps(number: str, step: str, *, expected: bool) -> None:
    """Pins exact divisibility, where floats fail."""
    assert expected is is_multiple(Decimal(number), Decimal(step))


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("1.005", "USD", "1.00"), ("1.015", "USD", "1.02"), ("2.5", "JPY", "2"), ("0.123456785", "BTC", "0.12345678")],
)
def test_money_is_rounded_half_to_even_in_its_currency(amount: str, currency: str, expected: str) -> None:
    """Pins the digits of each currency."""
    assert Decimal(expected) == round_money(Decimal(amount), currency)


def test_money_can_be_rounded_down() -> None:
    """Pins the rounding that never hands out more than there is."""
    assert Decimal("1.01") == round_money(Decimal("1.019"), "USD", ROUND_DOWN)


def test_a_ratio_has_eight_digits() -> None:
    """Pins what is shown of a third."""
    assert Decimal("0.33333333") == round_ratio(Decimal(1) / 3)


def test_every_thread_computes_with_enough_digits() -> None:
    """Pins that the engine's own thread is as exact as the importing one."""
    with ThreadPoolExecutor(1) as pool:
        assert PRECISION == pool.submit(lambda: getcontext().prec).result()
    largest = Decimal("9" * 12 + "." + "9" * 8)
    assert largest == largest * largest * largest * largest / largest / largest / largest
