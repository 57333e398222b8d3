"""Money: integers, one currency, Stripe's decimals, one stated rounding."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common.money import (
    CurrencyMismatchError,
    Money,
    convert,
    exponent,
    minor_rate,
    shares,
    to_minor,
    total,
)

minors = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("usd", 2), ("jpy", 0), ("kwd", 3), ("ugx", 2), ("isk", 2), ("mga", 0)],
)
def test_decimals_are_stripes(currency: str, decimals: int) -> None:
    """Rule: Stripe's exponents, which differ from ISO's for UGX, ISK and MGA."""
    assert exponent(currency) == decimals


@pytest.mark.parametrize("code", ["USD", "usd ", "us", "", "u5d", "usdt"])
def test_a_code_is_three_lower_case_letters(code: str) -> None:
    """Rule: nothing but a lower-case three-letter code is a currency."""
    with pytest.raises(ValueError, match="three-letter"):
        Money(1, code)


@pytest.mark.parametrize("minor", [True, "1", Decimal(1), None])
def test_minor_units_are_plain_ints(minor: object) -> None:
    """Rule: no bool, text, decimal or nothing passes as an amount."""
    with pytest.raises(TypeError):
        Money(minor, "usd")  # type: ignore[arg-type]


def test_currencies_do_not_mix() -> None:
    """Rule: adding unlike currencies is an error, also inside a sum."""
    with pytest.raises(CurrencyMismatchError):
        total([Money(1, "usd"), Money(1, "eur")], "usd")


@given(st.lists(minors))
def test_a_sum_is_the_sum_of_its_integers(amounts: list[int]) -> None:
    """Rule: totals are exact whatever the size."""
    assert total([Money(a, "usd") for a in amounts], "usd").minor == sum(amounts)


@pytest.mark.parametrize(
    ("minor", "rate", "converted"),
    [
        (1000, Fraction(1234, 1000), 1234),  # Stripe's own example: 10 EUR, 1.234
        (5, Fraction(1, 2), 2),  # 2.5 to the even neighbour
        (7, Fraction(1, 2), 4),  # 3.5 to the even neighbour
        (-5, Fraction(1, 2), -2),
    ],
)
def test_conversion_rounds_once_half_even(
    minor: int, rate: Fraction, converted: int
) -> None:
    """Rule: minor x rate, rounded once, ties to even."""
    assert convert(Money(minor, "eur"), "usd", rate) == Money(converted, "usd")


def test_a_rate_of_zero_is_refused() -> None:
    """Rule: a rate is above zero."""
    with pytest.raises(ValueError, match="above zero"):
        convert(Money(1, "eur"), "usd", Fraction(0))


def test_rates_between_unlike_decimals() -> None:
    """Rule: 1 JPY = 0.0067 USD is 0.67 cents per yen in minor units."""
    assert minor_rate(Fraction(67, 10000), "jpy", "usd") == Fraction(67, 100)


def test_major_amounts() -> None:
    """Rule: major and minor are two readings of one amount."""
    assert Money(12345, "usd").major() == Decimal("123.45")
    assert Money(12345, "kwd").major() == Decimal("12.345")
    assert to_minor(Decimal("123.455"), "usd") == 12346
    assert to_minor(Decimal(12), "jpy") == 12


def test_shares_sum_to_the_total() -> None:
    """Largest remainder: 3.6, 3.3 and 3.1 of 10 are 4, 3 and 3."""
    exact = [Fraction("3.6"), Fraction("3.3"), Fraction("3.1")]
    assert shares(exact, 10) == [4, 3, 3]
    assert shares([Fraction("-0.4"), Fraction("0.4")], 0) == [0, 0]
    assert shares([Fraction(15)], 14) == [14]
