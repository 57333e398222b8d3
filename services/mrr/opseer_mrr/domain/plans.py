"""MRR by plan: what each price adds, summing exactly to the snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from opseer_common.contracts.subscription import Price, Subscription
from opseer_common.days import day_of
from opseer_common.money import shares
from opseer_mrr.domain.normalise import worth_by_item
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rates import RateTable, converted
from opseer_mrr.domain.snapshot import value


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One price: MRR in its currency's and in the settlement currency's minor units.

    `mrr` is None where the currency has no rate. `subscriptions` have it and MRR
    above zero.
    """

    price: Price
    currency: str
    native: int
    mrr: int | None
    subscriptions: int


@dataclass(slots=True)
class _Plan:
    price: Price
    native: int = 0
    subscriptions: set[str] = field(default_factory=set)


def compute_plans(
    subscriptions: Iterable[Subscription],
    policy: Policy,
    settlement: str,
    rates: RateTable,
    at: datetime,
    tz: ZoneInfo,
) -> tuple[PlanRow, ...]:
    """Return the plans that make up MRR at the aware instant `at`, dearest first.

    A subscription's rounded MRR is split over its items, a currency's converted MRR
    over its plans, both by largest remainder: nothing is lost or counted twice.
    """
    plans: dict[tuple[str, str], _Plan] = {}
    for subscription in subscriptions:
        _add(plans, subscription, policy, int(at.timestamp()))
    rows: list[PlanRow] = []
    for currency in sorted({key[0] for key in plans}):
        own = [plan for key, plan in plans.items() if key[0] == currency]
        rate = rates.on(currency, settlement, day_of(at, tz))
        settled: list[int] | list[None] = [None] * len(own)
        if rate is not None:
            whole = sum(plan.native for plan in own)
            exact = [plan.native * Fraction(rate) for plan in own]
            settled = shares(exact, converted(whole, currency, settlement, rate))
        rows.extend(
            PlanRow(plan.price, currency, plan.native, mrr, len(plan.subscriptions))
            for plan, mrr in zip(own, settled, strict=True)
        )
    return tuple(sorted(rows, key=lambda row: (-(row.mrr or 0), row.price.id)))


def _add(
    plans: dict[tuple[str, str], _Plan],
    subscription: Subscription,
    policy: Policy,
    at: int,
) -> None:
    """Add a subscription's items to their plans."""
    found = value(subscription, policy, at)
    if found.worth is None or not found.minor:
        return
    amounts = worth_by_item(subscription, found.minor, policy, at)
    for item, minor in zip(subscription.items, amounts, strict=True):
        price = item.price
        key = subscription.currency, price.id
        plan = plans.setdefault(key, _Plan(price))
        plan.native += minor
        if minor:
            plan.subscriptions.add(subscription.id)
