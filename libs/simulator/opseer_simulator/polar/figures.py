"""Polar's own figures, by its definitions, from the orders and subscriptions it keeps.

Money in US cents. `revenue` is the net amount of paid orders on the day the order was
created, before fees; `net_revenue` is that less fees and less refunds, which are booked
back to the order's day. A subscription is new on the day it was created, in a trial or
not, and churned on the day its access ended. MRR is what stood at the end of a period,
after discounts and without trials; another currency is worth the mean rate of the
period's own payments in it, else that of the day all of Polar had nearest to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from opseer_simulator.polar.shop import Order, Shop, Subscription, fee_of

Number = int | Fraction


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is counted: filters by product, customer and kind; None = all."""

    products: frozenset[str] | None = None
    customers: frozenset[str] | None = None
    recurring: bool | None = None

    def has(self, record: Order | Subscription) -> bool:
        """Return whether a record is counted."""
        if self.products is not None and record.item.id not in self.products:
            return False
        if self.customers is not None and record.buyer.id not in self.customers:
            return False
        return self.recurring in {None, record.item.interval is not None}


class Bucket:
    """A period from `start` until before `end`, and what is counted in it."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.orders: list[Order] = []
        self.created: list[Subscription] = []
        self.churned: list[Subscription] = []
        self.canceled: list[Subscription] = []
        self.live: list[Subscription] = []
        self.live_before = 0
        self.cumulative = 0
        self.net_cumulative = 0
        self.mrr: dict[str, int] = {}

    def only(self, *reasons: str) -> list[Order]:
        """Return the orders of these billing reasons."""
        return [order for order in self.orders if order.reason in reasons]


def buckets_of(shop: Shop, edges: list[int], chosen: Chosen, now: int) -> list[Bucket]:
    """Return the periods between the edges, filled with what happened by `now`."""
    buckets = [Bucket(start, end) for start, end in pairwise(edges)]

    def place(at: int | None) -> Bucket | None:
        number = bisect_left(edges, at + 1) - 1 if at is not None else -1
        return buckets[number] if 0 <= number < len(buckets) else None

    orders = [o for o in shop.orders if o.paid_at is not None and chosen.has(o)]
    for order in orders:
        if bucket := place(order.at):
            bucket.orders.append(order)
    subs = [sub for sub in shop.subscriptions if chosen.has(sub)]
    for sub in subs:
        for at, name in (
            (sub.created, "created"),
            (sub.ended_at, "churned"),
            (sub.canceled_at, "canceled"),
        ):
            if bucket := place(at):
                getattr(bucket, name).append(sub)
    _fill(buckets, subs, [order for order in orders if order.at < edges[0]], now)
    for bucket in buckets:
        bucket.mrr = _mrr(bucket, shop, now)
    return buckets


def net_of(order: Order) -> int:
    """Return an order's net revenue: less the fee and less what was given back."""
    return order.usd - fee_of(order.usd) - order.refunded_usd


def _fill(
    buckets: list[Bucket], subs: list[Subscription], before: list[Order], now: int
) -> None:
    """Fill in what is live at the ends, and the sums since the beginning."""
    gross, net = _usd(before), _net(before)
    for bucket in buckets:
        gross += _usd(bucket.orders)
        net += _net(bucket.orders)
        bucket.cumulative, bucket.net_cumulative = gross, net
        if bucket.start <= now:
            bucket.live = [s for s in subs if _lives(s, bucket.end)]
            bucket.live_before = sum(1 for s in subs if _lives(s, bucket.start))


def _lives(sub: Subscription, end: int) -> bool:
    """Return whether a subscription has access in the last second before `end`."""
    return sub.created < end and (sub.ended_at is None or sub.ended_at >= end)


def _mrr(bucket: Bucket, shop: Shop, now: int) -> dict[str, int]:
    """Return MRR of four kinds at the end of a bucket, or at `now`, in US cents."""
    end = min(bucket.end, now + 1)
    sums: dict[str, dict[str, Fraction]] = {}
    for sub in bucket.live:
        trial = sub.is_trial(end - 1)
        ending = sub.canceled_at is not None and sub.canceled_at < end
        kinds = ["trial"] if trial else ["plain"]
        kinds += [] if ending else [f"{kinds[0]} committed"]
        worth = sub.item.monthly(sub.amount) if trial else _standing(sub, end)
        for kind in kinds:
            by = sums.setdefault(kind, {})
            currency = sub.buyer.currency
            by[currency] = by.get(currency, Fraction(0)) + worth
    return {
        kind: round(
            sum(
                (amount * _rate(bucket, shop, c) for c, amount in by.items()),
                Fraction(0),
            )
        )
        for kind, by in sums.items()
    }


def _standing(sub: Subscription, end: int) -> Fraction:
    """Return what a subscription was worth a month in the second before `end`."""
    worths = [worth for since, worth in sub.stages if since < end]
    return worths[-1] if worths else Fraction(0)


def _rate(bucket: Bucket, shop: Shop, currency: str) -> Fraction:
    """Return the US cents for a minor unit in a bucket."""
    own = [
        shop.rates.at(currency, order.at)
        for order in bucket.orders
        if order.buyer.currency == currency
    ]
    if own:
        return sum(own, Fraction(0)) / len(own)
    return shop.rates.of_day(currency, bucket.start)


def _usd(orders: Iterable[Order]) -> int:
    return sum(order.usd for order in orders)


def _net(orders: Iterable[Order]) -> int:
    return sum(net_of(order) for order in orders)


def _share(part: Number, whole: Number) -> Number:
    return Fraction(part) / whole if whole else 0


def _figures() -> dict[str, tuple[str, Callable[[Bucket], Number]]]:
    """Return the type and the figure of each slug that the shop has numbers for."""
    new = ("subscription_create",)
    cycle = ("subscription_cycle",)
    money = "currency"
    return {
        "active_subscriptions": ("scalar", lambda b: len(b.live)),
        "committed_subscriptions": (
            "scalar",
            lambda b: sum(
                1 for s in b.live if s.canceled_at is None or s.canceled_at >= b.end
            ),
        ),
        "monthly_recurring_revenue": (money, lambda b: b.mrr.get("plain", 0)),
        "trial_monthly_recurring_revenue": (money, lambda b: b.mrr.get("trial", 0)),
        "committed_monthly_recurring_revenue": (
            money,
            lambda b: b.mrr.get("plain committed", 0),
        ),
        "trial_committed_monthly_recurring_revenue": (
            money,
            lambda b: b.mrr.get("trial committed", 0),
        ),
        "annual_recurring_revenue": (money, lambda b: 12 * b.mrr.get("plain", 0)),
        "committed_annual_recurring_revenue": (
            money,
            lambda b: 12 * b.mrr.get("plain committed", 0),
        ),
        "average_revenue_per_user": (
            money,
            lambda b: _share(b.mrr.get("plain", 0), len(b.live)),
        ),
        "churned_subscriptions": ("scalar", lambda b: len(b.churned)),
        "churn_rate": ("percentage", lambda b: _share(len(b.churned), b.live_before)),
        "orders": ("scalar", lambda b: len(b.orders)),
        "revenue": (money, lambda b: _usd(b.orders)),
        "net_revenue": (money, lambda b: _net(b.orders)),
        "cumulative_revenue": (money, lambda b: b.cumulative),
        "net_cumulative_revenue": (money, lambda b: b.net_cumulative),
        "average_order_value": (money, lambda b: _share(_usd(b.orders), len(b.orders))),
        "net_average_order_value": (
            money,
            lambda b: _share(_net(b.orders), len(b.orders)),
        ),
        "one_time_products": ("scalar", lambda b: len(b.only("purchase"))),
        "one_time_products_revenue": (money, lambda b: _usd(b.only("purchase"))),
        "one_time_products_net_revenue": (money, lambda b: _net(b.only("purchase"))),
        "new_subscriptions": ("scalar", lambda b: len(b.created)),
        "new_subscriptions_revenue": (money, lambda b: _usd(b.only(*new))),
        "new_subscriptions_net_revenue": (money, lambda b: _net(b.only(*new))),
        "renewed_subscriptions": (
            "scalar",
            lambda b: len(
                {o.subscription.id for o in b.only(*cycle) if o.subscription}
            ),
        ),
        "renewed_subscriptions_revenue": (money, lambda b: _usd(b.only(*cycle))),
        "renewed_subscriptions_net_revenue": (money, lambda b: _net(b.only(*cycle))),
        "canceled_subscriptions": ("scalar", lambda b: len(b.canceled)),
        "cashflow": (money, lambda b: _usd(b.orders)),
        "gross_margin": (money, lambda b: b.cumulative),
    }


FIGURES = _figures()
"""The type and the figure of each slug."""
