"""Exact decimals: bounded at the door, so that no product or sum inside is ever rounded."""

import decimal
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)

INTEGER_DIGITS_MAX = 12
FRACTION_DIGITS_MAX = 8

# A value is a product of at most four bounded factors (quantity, price, multiplier, rate): 80 digits. Held against an
# equity, a limit is a fifth: 100 digits. Sums over ledgers and over a journal's life add a few at the front.
PRECISION = 128

# Threads copy the default context on first use; the importing thread already has its own.
decimal.DefaultContext.prec = PRECISION
decimal.getcontext().prec = PRECISION

_PLAIN: Final = re.compile(rf"-?[0-9]{{1,{INTEGER_DIGITS_MAX}}}(?:\.[0-9]{{1,{FRACTION_DIGITS_MAX}}})?")
# Orders come with the same quantities and prices again and again. So many texts are kept, none longer than a number can
# be: what a sender makes up fills no memory.
_TEXTS_MAX: Final = 8_192
_LENGTH_MAX: Final = INTEGER_DIGITS_MAX + 1 + FRACTION_DIGITS_MAX
_CURRENCY_DIGITS = {"BTC": 8, "ETH": 8, "JPY": 0, "KRW": 0}
_DEFAULT_CURRENCY_DIGITS = 2


@lru_cache(_TEXTS_MAX)
def exact(text: str) -> Decimal:
    """Read a decimal that the engine has written itself."""
    return Decimal(text)


def parse(text: str) -> Decimal | None:
    """
    Read a decimal from the wire, or None when it is not a plain bounded one.

    Plain is digits, at most 12 before the point and 8 behind it: no exponent, NaN, infinity, blank or underscore.
    """
    return Decimal(text) if _PLAIN.fullmatch(text) else None


def parse_positive(text: str) -> Decimal | None:
    """Read a decimal above zero from the wire, or None when it is not one."""
    return _positive(text) if len(text) <= _LENGTH_MAX else None


@lru_cache(_TEXTS_MAX)
def _positive(text: str) -> Decimal | None:
    number = Decimal(text) if _PLAIN.fullmatch(text) else ZERO
    return number if number > ZERO else None


def plain(number: Decimal) -> str:
    """Write a decimal without exponent and trailing zeros: the one spelling of each number."""
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Tell whether a number is a whole number of steps (a tick, a lot)."""
    return number % step == ZERO


def round_money(amount: Decimal, currency: str, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """
    Round an amount to the currency's smallest unit, half to even unless told otherwise.

    The only rounding of money: it splits a cost or a capital, and what it leaves over stays with the rest.
    """
    digits = _CURRENCY_DIGITS.get(currency, _DEFAULT_CURRENCY_DIGITS)
    return amount.quantize(Decimal(1).scaleb(-digits), rounding=rounding)


def round_ratio(ratio: Decimal) -> Decimal:
    """Round a ratio for display, to eight digits behind the point, half to even."""
    return ratio.quantize(Decimal("1e-8"), rounding=ROUND_HALF_EVEN)


def round_worst(price: Decimal, sign: int) -> Decimal:
    """Round a price that is only reserved, to eight digits: up for a buy, down for a sell."""
    return price.quantize(Decimal("1e-8"), rounding=ROUND_CEILING if sign > 0 else ROUND_FLOOR)
