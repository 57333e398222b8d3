"""What the company sells, and what a subscription is worth to it a month."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

import msgspec

CURRENCY = "usd"
_MONTHS = 12

NewId = Callable[[str], str]
"""Returns a new id for a prefix."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A thing on sale; `id` as at Stripe, `created` in unix seconds."""

    id: str
    created: int
    name: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A price: US cents a unit each `interval_count` intervals; None = paid once."""

    id: str
    created: int
    key: str
    product: str
    nickname: str
    unit_amount: int
    interval: str | None = None
    interval_count: int = 1


class Coupon(msgspec.Struct, frozen=True, kw_only=True):
    """A percent off, for ever (`forever`) or on one invoice (`once`)."""

    id: str
    created: int
    name: str
    percent: int
    duration: str


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


def monthly_worth(plan: Plan, seats: int, coupon: Coupon | None) -> Fraction:
    """Return what a paying subscription is worth a month, in exact US cents.

    The company's own bookkeeping: a year is twelve months and 52 weeks; only a coupon
    for ever makes it worth less.
    """
    paid = Fraction(plan.unit_amount * seats)
    worth = {
        "monthly": paid,
        "seats": paid,
        "yearly": paid / 12,
        "quarterly": paid / 3,
        "weekly": paid * 52 / 12,
    }[plan.key]
    if coupon is not None and coupon.duration == "forever":
        worth = worth * (100 - coupon.percent) / 100
    return worth


def discount_on(amount: int, coupon: Coupon | None) -> int:
    """Return the US cents a coupon takes off an amount, rounded half up."""
    if coupon is None:
        return 0
    return (amount * coupon.percent + 50) // 100


def next_period_end(anchor: int, start: int, plan: Plan) -> int:
    """Return the end of the period that begins at `start`, in unix seconds UTC.

    Months keep the day of the anchor where the month has it, and its time of day.
    """
    if plan.interval == "week":
        return start + 7 * 86_400 * plan.interval_count
    months = plan.interval_count * (_MONTHS if plan.interval == "year" else 1)
    first = datetime.fromtimestamp(anchor, UTC)
    begins = datetime.fromtimestamp(start, UTC)
    year, month0 = divmod(begins.year * _MONTHS + begins.month - 1 + months, _MONTHS)
    day = min(first.day, monthrange(year, month0 + 1)[1])
    end = first.replace(year=year, month=month0 + 1, day=day)
    return int(end.timestamp())
