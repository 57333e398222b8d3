"""What the company sells, and what a subscription is worth to it a month."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

import msgspec

CURRENCY = "usd"

NEVER_PAID = "sek"
"""A currency nobody has paid in yet, so that it has no rate."""

_MONTHS = 12

NewId = Callable[[str], str]
"""Returns a new id for a prefix."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A thing on sale; `id` as at Stripe, `created` in unix seconds."""

    id: str
    created: int
    name: str


class Tier(msgspec.Struct, frozen=True):
    """A step of a tiered price: units up to `up_to` (None = all) cost `unit` each.

    `unit` is a decimal string, `flat` comes on top once the step is reached.
    """

    up_to: int | None
    unit: str
    flat: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A price in minor units a unit each `interval_count` intervals.

    No interval = paid once. `unit_decimal` is the exact amount where a unit costs
    fractions. `tiers_mode` is `graduated` or `volume`. A price per `divide_by` units
    counts started (`round` = `up`) or full (`down`) packages. `tax` per cent are inside
    the amount; they are worked out by invoice.
    """

    id: str
    created: int
    key: str
    product: str
    nickname: str
    unit_amount: int | None
    interval: str | None = None
    interval_count: int = 1
    currency: str = CURRENCY
    unit_decimal: str | None = None
    usage_type: str = "licensed"
    tiers: tuple[Tier, ...] = ()
    tiers_mode: str | None = None
    divide_by: int | None = None
    round: str = "up"
    active: bool = True
    tax: int = 0

    @property
    def metered(self) -> bool:
        """Whether what was used is billed after the period."""
        return self.usage_type == "metered"


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """A percent or an amount off: `forever`, on one invoice (`once`), or `repeating`.

    A repeating one lasts `months`; an amount is in minor units of `currency`.
    """

    id: str
    created: int
    name: str
    percent: str | int = 0
    duration: str
    amount_off: int | None = None
    currency: str | None = None
    months: int | None = None


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on sale: five plans by key, one thing paid once, two coupons."""

    products: tuple[Product, ...]
    plans: dict[str, Plan]
    workshop: Plan
    loyal: Coupon
    welcome: Coupon


def open_catalogue(created: int, new_id: NewId) -> Catalogue:
    """Return the catalogue of the first day; prices are US cents."""
    solo, crew, extra = (
        Product(id=new_id("prod_"), created=created, name=name)
        for name in ("Solo", "Crew", "Onboarding workshop")
    )

    def plan(
        key: str, product: Product, amount: int, interval: str, n: int = 1
    ) -> Plan:
        return Plan(
            id=new_id("price_"),
            created=created,
            key=key,
            product=product.id,
            nickname=f"{product.name} {key}",
            unit_amount=amount,
            interval=interval,
            interval_count=n,
        )

    plans = (
        plan("monthly", solo, 2900, "month"),
        plan("yearly", solo, 28900, "year"),
        plan("quarterly", solo, 7990, "month", 3),
        plan("weekly", solo, 890, "week"),
        plan("seats", crew, 1250, "month"),
    )
    return Catalogue(
        products=(solo, crew, extra),
        plans={p.key: p for p in plans},
        workshop=Plan(
            id=new_id("price_"),
            created=created,
            key="workshop",
            product=extra.id,
            nickname="Onboarding workshop",
            unit_amount=14950,
        ),
        loyal=Coupon(
            id="LOYAL15", created=created, name="Loyal", percent=15, duration="forever"
        ),
        welcome=Coupon(
            id="WELCOME30", created=created, name="Welcome", percent=30, duration="once"
        ),
    )


_A_MONTH = {
    "day": Fraction(365, 12),
    "week": Fraction(52, 12),
    "month": Fraction(1),
    "year": Fraction(1, 12),
}
"""How many of an interval a month has, by the company's own bookkeeping."""


def periods_a_month(plan: Plan) -> Fraction:
    """Return how many periods of a recurring plan a month has."""
    return _A_MONTH[plan.interval or "month"] / plan.interval_count


def period_price(plan: Plan, units: int) -> Fraction:
    """Return what `units` of a plan cost for one period, in exact minor units."""
    if plan.tiers_mode == "volume":
        step = next(t for t in plan.tiers if t.up_to is None or units <= t.up_to)
        return units * Fraction(step.unit) + step.flat
    if plan.tiers_mode == "graduated":
        return _graduated(plan.tiers, units)
    if plan.divide_by is not None:
        rest = plan.divide_by - 1 if plan.round == "up" else 0
        units = (units + rest) // plan.divide_by
    return units * Fraction(plan.unit_decimal or plan.unit_amount or 0)


def _graduated(tiers: tuple[Tier, ...], units: int) -> Fraction:
    price, done = Fraction(0), 0
    for step in tiers:
        here = units - done
        if step.up_to is not None:
            here = min(here, step.up_to - done)
        price += here * Fraction(step.unit) + step.flat
        done += here
        if done >= units:
            break
    return price


def monthly_worth(plan: Plan, seats: int, coupon: Coupon | None) -> Fraction:
    """Return what a paying subscription is worth a month, in exact minor units.

    The company's own bookkeeping: a year is twelve months and 52 weeks; only a coupon
    for ever makes it worth less.
    """
    often = periods_a_month(plan)
    return less_forever(period_price(plan, seats) * often, coupon, often)


def less_forever(worth: Fraction, coupon: Coupon | None, often: Fraction) -> Fraction:
    """Take a coupon off a monthly worth if it is for ever, never below zero.

    An amount off is off each invoice, of which there are `often` a month.
    """
    if coupon is None or coupon.duration != "forever":
        return worth
    if coupon.amount_off is not None:
        return max(worth - coupon.amount_off * often, Fraction(0))
    return worth * (100 - Fraction(coupon.percent)) / 100


def tax_inside(amount: int, percent: int) -> int:
    """Return the minor units of tax inside an amount, rounded half up."""
    whole = 100 + percent
    return (2 * amount * percent + whole) // (2 * whole)


def discount_on(amount: int, coupon: Coupon | None) -> int:
    """Return the minor units a percentage takes off an amount, rounded half up."""
    if coupon is None:
        return 0
    if coupon.amount_off is not None:
        return min(amount, coupon.amount_off)
    percent = Fraction(coupon.percent)
    return int((amount * percent + 50) // 100)


def next_period_end(anchor: int, start: int, plan: Plan) -> int:
    """Return the end of the period that begins at `start`, in unix seconds UTC.

    Months keep the day of the anchor where the month has it, and its time of day.
    """
    days = {"day": 1, "week": 7}.get(plan.interval or "")
    if days is not None:
        return start + days * 86_400 * plan.interval_count
    months = plan.interval_count * (_MONTHS if plan.interval == "year" else 1)
    return _same_day(anchor, start, months)


def months_later(start: int, months: int) -> int:
    """Return the unix second some months later, or the month's last day (UTC)."""
    return _same_day(start, start, months)


def _same_day(anchor: int, start: int, months: int) -> int:
    first = datetime.fromtimestamp(anchor, UTC)
    begins = datetime.fromtimestamp(start, UTC)
    year, month0 = divmod(begins.year * _MONTHS + begins.month - 1 + months, _MONTHS)
    day = min(first.day, monthrange(year, month0 + 1)[1])
    end = first.replace(year=year, month=month0 + 1, day=day)
    return int(end.timestamp())
