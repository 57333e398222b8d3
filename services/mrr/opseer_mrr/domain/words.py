"""The arithmetic of a worth in words, for whoever asks where a figure comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

from opseer_common.contracts.subscription import Discount, Item, Subscription
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


def item_words(item: Item, amount: Fraction, often: str, monthly: Fraction) -> str:
    """Return the line of an item: what it costs per interval, and per month.

    `amount` is per interval, `often` how that is brought to a month, in words.
    """
    price = item.price
    count = price.interval_count
    every = price.interval if count == 1 else f"{count} {price.interval}s"
    costs = _cost_words(item, amount)
    return (
        f"{price.nickname or price.id}: {costs} per {every}{often}"
        f" = {amount_words(monthly, price.currency)} per month"
    )


def _cost_words(item: Item, amount: Fraction) -> str:
    """Return the quantity and what it is charged at."""
    price, quantity = item.price, 1 if item.quantity is None else item.quantity
    if price.billing_scheme == "tiered" or price.unit_amount is None:
        whole = amount_words(amount, price.currency)
        return f"{quantity} in {price.tiers_mode} tiers: {whole}"
    each = amount_words(Fraction(price.unit_amount), price.currency)
    if price.divide_by is None:
        return f"{quantity} x {each}"
    packages = f"packages of {price.divide_by} (rounded {price.round})"
    return f"{quantity} in {packages} at {each}: {amount_words(amount, price.currency)}"


def discount_words(discount: Discount, left: Fraction | None, currency: str) -> str:
    """Return the line of a discount and what is left after it; None: it takes none."""
    what = "unknown terms"
    if discount.percent_off is not None:
        what = f"{_plain(discount.percent_off)} %"
    elif discount.amount_off is not None and discount.currency is not None:
        off = Money(discount.amount_off, discount.currency)
        what = f"{off.major()} {discount.currency.upper()} per invoice"
    told = f"discount of {what} ({discount.duration})"
    if left is None:
        return f"{told}: not subtracted by this policy"
    return f"- {told}: {amount_words(left, currency)}"


_NOT_COUNTED = {
    "trial": "on trial",
    "incomplete": "its first payment is not made yet",
    "unpaid": "marked unpaid",
    "paused": "paused, nothing is billed",
    "cancelled": "its end is asked for, which this policy counts at once",
    "ended": "it has ended",
    "grace_over": "past due for longer than the days of grace",
}


def standing_words(stands: str, subscription: Subscription) -> tuple[str, ...]:
    """Return the line that says why a subscription does not count; none if it does."""
    if stands == "counted":
        return ()
    until = {
        "trial": subscription.trial_end,
        "paused": subscription.pause_resumes_at,
    }.get(stands)
    when = ""
    if until is not None:
        when = f" until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
    return (f"not counted: {_NOT_COUNTED[stands]}{when}",)
