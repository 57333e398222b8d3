"""Money as integer minor units beside a currency, and exact conversion.

There is no default currency and no float. The number of decimals is Stripe's,
not ISO's: UGX and ISK have two, MGA has none
(source: docs.stripe.com/currencies, "special cases").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

_ZERO = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd"}
    | {"vuv", "xaf", "xof", "xpf"}
)
_THREE = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_CODE = re.compile(r"[a-z]{3}")


class CurrencyMismatchError(ValueError):
    """Amounts of unlike currencies were about to be added or compared."""


def exponent(currency: str) -> int:
    """Return how many decimals Stripe's minor unit of `currency` has: 0, 2 or 3.

    Raises ValueError unless `currency` is a lower-case three-letter code.
    """
    if not _CODE.fullmatch(currency):
        raise ValueError("a currency is a lower-case three-letter code")
    if currency in _ZERO:
        return 0
    return 3 if currency in _THREE else 2


def round_half_even(value: Fraction) -> int:
    """Round an exact value to an integer, ties to the even neighbour."""
    return round(value)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`minor` units of `currency` (lower-case ISO code)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Raise TypeError for a minor that is no plain int, ValueError for a code."""
        if type(self.minor) is not int:
            raise TypeError("minor units are a plain int")
        exponent(self.currency)

    def __add__(self, other: Money) -> Money:
        """Add money of the same currency; CurrencyMismatchError otherwise."""
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self.currency} and {other.currency}")
        return Money(self.minor + other.minor, self.currency)

    def __neg__(self) -> Money:
        """Return the same amount in the other direction."""
        return Money(-self.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        """Subtract money of the same currency; CurrencyMismatchError otherwise."""
        return self + -other

    def major(self) -> Decimal:
        """Return the amount in major units, exactly, with the currency's decimals."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum `amounts`, all of which must be of `currency`; zero for none."""
    result = Money(0, currency)
    for amount in amounts:
        result += amount
    return result


def convert(amount: Money, to: str, rate: Fraction) -> Money:
    """Convert at `rate` minor units of `to` per minor unit of the amount's currency.

    The rate is Stripe's `exchange_rate`, which is between minor units already
    (source: Stripe API, balance transaction). Rounded once, half-even.
    """
    if rate <= 0:
        raise ValueError("a rate is above zero")
    exponent(to)
    return Money(round_half_even(amount.minor * rate), to)


def shares(exact: Sequence[Fraction], total: int) -> list[int]:
    """Split `total` into integers nearest to `exact`, by largest remainder.

    `total` lies within one of the sum of `exact`, which may be from above: two ties
    to even, 7.5 to 8 and 22.5 to 22, make 14 of 15. Ties go to the first.
    """
    floors = [amount.numerator // amount.denominator for amount in exact]
    left = total - sum(floors)
    order = sorted(range(len(exact)), key=lambda place: floors[place] - exact[place])
    for place in order[: abs(left)]:
        floors[place] += 1 if left > 0 else -1
    return floors


def minor_rate(major: Fraction, source: str, to: str) -> Fraction:
    """Turn a rate between major units into one between minor units."""
    return major * Fraction(10) ** (exponent(to) - exponent(source))


def to_minor(value: Decimal, currency: str) -> int:
    """Turn a major amount, such as a provider's decimal, into minor units.

    Rounded half-even where the provider sends more decimals than the currency has.
    """
    scaled = value.scaleb(exponent(currency))
    return int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN))
