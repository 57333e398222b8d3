"""What a subscription is worth per month, exactly, and the arithmetic in words.

Every amount stays a fraction until the end; each subscription is rounded once,
half-even, to minor units of its own currency. Trials, pauses and the like are not
looked at here (see standing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import msgspec

from opseer_common.contracts.subscription import Discount, Item, Price, Subscription
from opseer_common.money import round_half_even, shares
from opseer_mrr.domain.plain import plain_total
from opseer_mrr.domain.policy import Policy, factor
from opseer_mrr.domain.standing import applied, in_force
from opseer_mrr.domain.words import amount_words, discount_words, item_words

_ZERO = Fraction(0)
_HUNDRED = Fraction(100)
_MONTHS_A_YEAR = 12
NO_PRICE = "PRICES_PERMISSION"
NO_ITEMS = "QUARANTINE"
NO_COUPON = "MISSED_EVENT"

# The same few prices and factors are read again and again.
_exact = lru_cache(maxsize=4096)(Fraction)


class Worth(msgspec.Struct, frozen=True, gc=False):
    """A subscription's monthly worth in minor units of `currency`.

    `licensed` + `usage` = `total`. `reason` says why the figure is incomplete, None
    where it is not.
    """

    currency: str
    licensed: int
    usage: int = 0
    reason: str | None = None

    @property
    def total(self) -> int:
        """Return licensed and metered parts together."""
        return self.licensed + self.usage


def worth(subscription: Subscription, policy: Policy, at: int) -> Worth:
    """Return what the subscription's items are worth per month at `at`."""
    total = plain_total(subscription, policy, at)
    if total is not None:
        return Worth(subscription.currency, total)
    return exact_worth(subscription, policy, at)


def exact_worth(
    subscription: Subscription,
    policy: Policy,
    at: int,
    trace: list[str] | None = None,
) -> Worth:
    """Return the same for any subscription; each step is added to `trace` in words."""
    amounts, used = _amounts(subscription, policy, at, trace)
    before_usage = sum(amounts[1:], amounts[0]) if amounts else _ZERO
    licensed = total = round_half_even(before_usage)
    if any(used):
        total = round_half_even(before_usage + sum(used, _ZERO))
    if trace is not None:
        told = amount_words(Fraction(total), subscription.currency)
        trace.append(f"= {told} per month")
    return Worth(
        currency=subscription.currency,
        licensed=licensed,
        usage=total - licensed,
        reason=_reason(subscription, policy, at),
    )


def worth_by_item(
    subscription: Subscription, total: int, policy: Policy, at: int
) -> list[int]:
    """Return the minor units of each item, in order; they sum to `total`, its worth."""
    if len(subscription.items) == 1:
        return [total]
    licensed, used = _amounts(subscription, policy, at)
    return shares([one + two for one, two in zip(licensed, used, strict=True)], total)


def _amounts(
    subscription: Subscription,
    policy: Policy,
    at: int,
    trace: list[str] | None = None,
) -> tuple[list[Fraction], list[Fraction]]:
    """Return each item's monthly amounts: licensed, and metered.

    Item discounts go first, then the subscription's on what is left, in list order
    (source: Stripe API, "discounts"); taxes inside a price are taken off last. Usage
    is added as charged.
    """
    currency, items = subscription.currency, subscription.items
    amounts = [_licensed(item, currency, policy, at, trace) for item in items]
    for discount in applied(subscription, at):
        left = None
        if in_force(discount, policy, at):
            _subtract(amounts, discount, subscription, policy)
            left = sum(amounts, _ZERO)
        if trace is not None:
            trace.append(discount_words(discount, left, currency))
    if any(item.inclusive_tax != "0" for item in items):
        amounts = [_without_tax(*each) for each in zip(amounts, items, strict=True)]
        if trace is not None:
            left = sum(amounts, _ZERO)
            trace.append(f"- taxes inside the price: {amount_words(left, currency)}")
    return amounts, [_used(item, policy, at, trace) for item in items]


def arithmetic(subscription: Subscription, policy: Policy, at: int) -> tuple[str, ...]:
    """Return the steps of `worth` in words, one per line."""
    lines: list[str] = []
    exact_worth(subscription, policy, at, lines)
    return tuple(lines)


def per_month(price: Price, policy: Policy) -> Fraction:
    """Return how many of the price's intervals a month has."""
    return _per_month(
        price.interval, price.interval_count, policy.week_factor, policy.day_factor
    )


@lru_cache
def _per_month(interval: str, count: int, week: str, day: str) -> Fraction:
    months = {
        "month": Fraction(1),
        "year": Fraction(1, _MONTHS_A_YEAR),
        "week": factor(week),
        "day": factor(day),
    }
    return months[interval] * Fraction(1, count)


def _licensed(
    item: Item, currency: str, policy: Policy, at: int, trace: list[str] | None
) -> Fraction:
    """Return an item's monthly amount after its own discounts.

    0 for a metered item, and for one whose amount in `currency` is not known.
    """
    price = item.price
    if price.usage_type == "metered":
        return _ZERO
    if not _is_priced(price, currency):
        if trace is not None:
            trace.append(f"{price.nickname or price.id}: its price is not known")
        return _ZERO
    factors = policy.week_factor, policy.day_factor
    amounts = [_monthly(price, item.quantity, *factors)]
    if trace is not None:
        how = _often_words(price, policy)
        trace.append(item_words(item, interval_amount(item), how, amounts[0]))
    for discount in item.discounts:
        counts = in_force(discount, policy, at)
        if counts:
            _reduce(amounts, [0], discount, currency, per_month(price, policy))
        if trace is not None:
            left = amounts[0] if counts else None
            trace.append(discount_words(discount, left, currency))
    return amounts[0]


def _often_words(price: Price, policy: Policy) -> str:
    """Return how an amount per interval is brought to a month."""
    factors = {"week": policy.week_factor, "day": policy.day_factor}
    times = factors.get(price.interval)
    months = _MONTHS_A_YEAR if price.interval == "year" else 1
    parts = months * price.interval_count
    words = "" if times is None else f" x {times}"
    return words if parts == 1 else f"{words} / {parts}"


def _used(item: Item, policy: Policy, at: int, trace: list[str] | None) -> Fraction:
    """Return what the newest invoice charged for a metered item, per month."""
    if item.price.usage_type != "metered":
        return _ZERO
    name = item.price.nickname or item.price.id
    if policy.metered == "exclude":
        if trace is not None:
            trace.append(f"{name}: usage is not counted by this policy")
        return _ZERO
    charged = item.usage_amount or 0
    if item.usage:
        past = [charge.amount for charge in item.usage if charge.at <= at]
        charged = past[-1] if past else 0
    amount = charged * per_month(item.price, policy)
    if trace is not None:
        told = amount_words(amount, item.price.currency)
        trace.append(f"+ {name}: usage of the last invoice, {told} per month")
    return amount


@lru_cache(maxsize=4096)
def _monthly(price: Price, quantity: int | None, week: str, day: str) -> Fraction:
    """Return what a quantity costs per month."""
    often = _per_month(price.interval, price.interval_count, week, day)
    return _interval_amount(price, quantity) * often


def interval_amount(item: Item) -> Fraction:
    """Return what an item costs per interval: the quantity at its price or tiers."""
    return _interval_amount(item.price, item.quantity)


def _interval_amount(price: Price, quantity: int | None) -> Fraction:
    quantity = 1 if quantity is None else quantity
    if price.billing_scheme == "tiered":
        return _tiered(price, quantity)
    if price.divide_by is not None:
        # Ceiling or floor of the division, in whole numbers.
        up = price.round == "up"
        quantity = (
            -(-quantity // price.divide_by) if up else quantity // price.divide_by
        )
    return quantity * _exact(price.unit_amount or "0")


def _tiered(price: Price, quantity: int) -> Fraction:
    """Return volume or graduated pricing; `up_to` is inclusive, None is the last."""
    amount, below = _ZERO, 0
    for tier in price.tiers or ():
        last = tier.up_to is None or quantity <= tier.up_to
        unit, flat = _exact(tier.unit_amount), _exact(tier.flat_amount)
        if price.tiers_mode == "volume":
            if last:
                return quantity * unit + flat
            continue
        top = quantity if tier.up_to is None or last else tier.up_to
        amount += (top - below) * unit + flat
        below = top
        if last:
            break
    return amount


def _subtract(
    amounts: list[Fraction],
    discount: Discount,
    subscription: Subscription,
    policy: Policy,
) -> None:
    """Subtract a discount of the subscription from the items it applies to.

    An amount off is taken from each invoice: it is spread over a month by the
    shortest interval among those items.
    """
    scope = discount.applies_to
    eligible = [
        place
        for place, item in enumerate(subscription.items)
        if item.price.usage_type == "licensed"
        and (scope is None or item.price.product in scope)
    ]
    if eligible:
        often = max(
            per_month(subscription.items[place].price, policy) for place in eligible
        )
        _reduce(amounts, eligible, discount, subscription.currency, often)


def _reduce(
    amounts: list[Fraction],
    places: Sequence[int],
    discount: Discount,
    currency: str,
    often: Fraction,
) -> None:
    """Take a discount off `amounts` at `places`, in proportion, never below zero."""
    whole = sum((amounts[place] for place in places), _ZERO)
    if whole <= 0:
        return
    if discount.percent_off is not None:
        rest = 1 - _exact(discount.percent_off) * Fraction(1, _HUNDRED)
    elif discount.amount_off is not None and discount.currency == currency:
        off = min(whole, discount.amount_off * often)
        rest = 1 - Fraction(off, whole)
    else:
        return
    for place in places:
        amounts[place] *= rest


def _without_tax(amount: Fraction, item: Item) -> Fraction:
    """Take off the taxes that are inside the price."""
    tax = _exact(item.inclusive_tax)
    return amount * Fraction(_HUNDRED, _HUNDRED + tax) if tax else amount


def _reason(subscription: Subscription, policy: Policy, at: int) -> str | None:
    """Return why the worth is not wholly known, None where it is."""
    if not subscription.items_complete:
        return NO_ITEMS
    for item in subscription.items:
        metered = item.price.usage_type == "metered"
        if not metered and not _is_priced(item.price, subscription.currency):
            return NO_PRICE
    if _has_unknown_coupon(subscription, policy, at):
        return NO_COUPON
    return next(
        (item.tax_missing for item in subscription.items if item.tax_missing), None
    )


def _has_unknown_coupon(subscription: Subscription, policy: Policy, at: int) -> bool:
    """Tell whether what a coupon takes off is not told.

    One of the subscription's own has an amount in its currency, or Stripe would not
    have put it there: where another currency's is shown, that one is hidden (source:
    Stripe API, coupon "currency_options"). A customer's does not apply then.
    """
    own = [one for item in subscription.items for one in item.discounts]
    listed = [*applied(subscription, at), *own]
    return any(one.duration == "unknown" for one in listed) or any(
        one.percent_off is None and one.currency != subscription.currency
        for one in (*subscription.discounts, *own)
        if in_force(one, policy, at)
    )


def _is_priced(price: Price, currency: str) -> bool:
    """Tell whether a licensed price's amount is known in `currency`."""
    if price.currency != currency:
        return False
    if price.billing_scheme == "tiered":
        return price.tiers is not None
    return price.unit_amount is not None
