"""The arithmetic of a worth in words, for whoever asks where a figure comes from."""

from __future__ import annotations

from fractions import Fraction

from opseer_common.contracts.subscription import Discount, Item
from opseer_common.money import Money, exponent, round_half_even

_SHOWN_DIGITS = 6


def amount_words(minor: Fraction, currency: str) -> str:
    """Return an amount in major units, six decimals where it is no whole minor."""
    if minor.denominator == 1:
        return f"{Money(minor.numerator, currency).major()} {currency.upper()}"
    digits = _SHOWN_DIGITS
    scaled = round_half_even(minor * 10 ** (digits - exponent(currency)))
    sign, size = ("-" if scaled < 0 else ""), abs(scaled)
    whole, part = divmod(size, 10**digits)
    return f"{sign}{whole}.{part:0{digits}d} {currency.upper()}"


def _plain(number: str) -> str:
    """Return a decimal without zeros at its end."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def item_words(item: Item, monthly: Fraction) -> str:
    """Return the line of an item: its price, quantity and monthly amount."""
    price = item.price
    name = price.nickname or price.id
    each = "tiers"
    if price.billing_scheme != "tiered" and price.unit_amount is not None:
        each = amount_words(Fraction(price.unit_amount), price.currency)
    count = price.interval_count
    every = price.interval if count == 1 else f"{count} {price.interval}s"
    quantity = 1 if item.quantity is None else item.quantity
    return (
        f"{name}: {quantity} x {each} per {every}"
        f" = {amount_words(monthly, price.currency)} per month"
    )


def discount_words(discount: Discount, left: Fraction, currency: str) -> str:
    """Return the line of a discount and what is left after it."""
    what = "nothing"
    if discount.percent_off is not None:
        what = f"{_plain(discount.percent_off)} %"
    elif discount.amount_off is not None and discount.currency is not None:
        off = Money(discount.amount_off, discount.currency)
        what = f"{off.major()} {discount.currency.upper()} per invoice"
    return f"- discount of {what} ({discount.duration}): {amount_words(left, currency)}"
