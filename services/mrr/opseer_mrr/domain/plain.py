"""The short way to a worth, in integers, which most subscriptions can go.

Those are of plain prices in whole minor units, less whole percents at most. What the
exact way in normalise.py gives is the rule; this gives the same, many times as fast
(test_plain.py holds the two together).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from opseer_common.contracts.subscription import Discount, Subscription
from opseer_mrr.domain.policy import Policy, factor
from opseer_mrr.domain.standing import applied, in_force

_TWELVE = 12


def plain_total(subscription: Subscription, policy: Policy, at: int) -> int | None:
    """Return the monthly minor units at `at`, rounded half-even; all of it licensed.

    None where only the exact way leads there, or where the worth is not wholly known.
    """
    twelfths = _twelfths(policy.week_factor, policy.day_factor)
    currency = subscription.currency
    total, parts = 0, _TWELVE
    for item in subscription.items:
        price = item.price
        amount, often = price.unit_amount, twelfths.get(price.interval)
        if (
            often is None
            or amount is None
            or not amount.isdecimal()
            or price.currency != currency
            or price.usage_type != "licensed"
            or price.billing_scheme != "per_unit"
            or price.divide_by is not None
            or item.discounts
            or item.inclusive_tax != "0"
            or item.tax_missing is not None
        ):
            return None
        quantity = 1 if item.quantity is None else item.quantity
        monthly = quantity * int(amount) * often * (parts // _TWELVE)
        count = price.interval_count
        total, parts = total * count + monthly, parts * count
    rests = _rests(subscription, policy, at)
    if rests is None:
        return None
    for rest in rests:
        total, parts = total * rest, parts * 100
    return _rounded(total, parts)


@lru_cache
def _twelfths(week: str, day: str) -> Mapping[str, int]:
    """Return how many twelfths of an interval a month has, where they are whole."""
    found = {"month": _TWELVE, "year": 1}
    for interval, text in (("week", week), ("day", day)):
        often = factor(text) * _TWELVE
        if often.denominator == 1:
            found[interval] = often.numerator
    return found


def _rests(subscription: Subscription, policy: Policy, at: int) -> Iterable[int] | None:
    """Return how many percent each discount leaves of everything.

    None where one takes another form, or something is not known.
    """
    if not subscription.items_complete:
        return None
    if not subscription.discounts and not subscription.customer_discounts:
        return ()
    rests = [_rest(one, policy, at) for one in applied(subscription, at)]
    return None if None in rests else [rest for rest in rests if rest is not None]


def _rest(discount: Discount, policy: Policy, at: int) -> int | None:
    percent = discount.percent_off
    if discount.duration == "unknown":
        return None
    if not in_force(discount, policy, at):
        return 100
    if percent is None or not percent.isdecimal() or discount.applies_to is not None:
        return None
    return 100 - int(percent)


def _rounded(total: int, parts: int) -> int:
    """Return total/parts, ties to the even neighbour."""
    whole, left = divmod(total, parts)
    above = 2 * left - parts
    return whole + 1 if above > 0 or (above == 0 and whole % 2) else whole
