"""MRR at one instant: which subscriptions count, and what they add up to.

Native minor units are the truth. A currency's total is converted as a whole, once, at
the latest rate on or before the day (source: Stripe's own MRR template re-values whole
balances, docs/MRR.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from opseer_common.contracts.subscription import Subscription
from opseer_common.days import day_of
from opseer_mrr.domain.normalise import Worth, exact_worth, worth
from opseer_mrr.domain.plain import plain_total
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rates import RateTable, converted
from opseer_mrr.domain.standing import Standing, standing

NO_RATE = "NO_RATE"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """MRR at `at`; amounts in minor units of `settlement` where not said otherwise.

    `native` is MRR by currency, without zeros, in that currency; `unconverted` are
    those of them without a rate, which are not in `mrr`. `active_subscriptions` have
    MRR above zero. `usage_mrr` and `mrr_stripe_comparable` (licensed) are its parts,
    `at_risk_mrr` the part past_due; `trial_mrr` is outside of it. `committed_mrr` is
    without those whose end is asked for. `reason` is None where it is complete.
    """

    at: datetime
    day: date
    settlement: str
    mrr: int
    native: Mapping[str, int]
    unconverted: Mapping[str, int]
    active_subscriptions: int
    usage_mrr: int
    at_risk_mrr: int
    trial_mrr: int
    committed_mrr: int
    mrr_stripe_comparable: int
    reason: str | None

    @property
    def complete(self) -> bool:
        """Tell whether every part was known."""
        return self.reason is None


class Value(msgspec.Struct, frozen=True, gc=False):
    """What a state adds to MRR at one instant: `minor` units of `currency`.

    `worth` is None where it does not count.
    """

    currency: str
    minor: int
    standing: Standing
    worth: Worth | None


def value(subscription: Subscription, policy: Policy, at: int) -> Value:
    """Return what a subscription adds to MRR at `at` (unix seconds)."""
    stands = standing(subscription, policy, at)
    if stands != "counted":
        return Value(subscription.currency, 0, stands, None)
    amount = worth(subscription, policy, at)
    return Value(subscription.currency, amount.total, stands, amount)


@dataclass(slots=True)
class _Totals:
    """Sums by currency, in that currency, of each figure."""

    mrr: dict[str, int] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    ending: dict[str, int] = field(default_factory=dict)
    at_risk: dict[str, int] = field(default_factory=dict)
    trial: dict[str, int] = field(default_factory=dict)
    active: int = 0
    reason: str | None = None

    def mrr_without(self, part: Mapping[str, int]) -> dict[str, int]:
        """Return MRR less a part of it, by currency."""
        return {
            currency: minor - part.get(currency, 0)
            for currency, minor in self.mrr.items()
        }


def compute_snapshot(
    subscriptions: Iterable[Subscription],
    policy: Policy,
    settlement: str,
    rates: RateTable,
    at: datetime,
    tz: ZoneInfo,
    *,
    rates_day: date | None = None,
) -> Snapshot:
    """Return MRR at the aware instant `at`, converted at the rates of its day in `tz`.

    `rates_day` takes the rates of another day instead.
    """
    instant, day = int(at.timestamp()), rates_day or day_of(at, tz)
    sums = _Totals()
    for subscription in subscriptions:
        _add(sums, subscription, policy, instant)
    missing = {
        currency: minor
        for currency, minor in sums.mrr.items()
        if rates.on(currency, settlement, day) is None
    }

    def settled(by_currency: Mapping[str, int]) -> int:
        return settle(by_currency, settlement, rates, day)

    mrr, licensed = settled(sums.mrr), settled(sums.mrr_without(sums.usage))
    return Snapshot(
        at=at,
        day=day,
        settlement=settlement,
        mrr=mrr,
        native=sums.mrr,
        unconverted=missing,
        active_subscriptions=sums.active,
        usage_mrr=mrr - licensed,
        at_risk_mrr=settled(sums.at_risk),
        trial_mrr=settled(sums.trial),
        committed_mrr=settled(sums.mrr_without(sums.ending)),
        mrr_stripe_comparable=licensed,
        reason=sums.reason or (NO_RATE if missing else None),
    )


def settle(
    by_currency: Mapping[str, int], settlement: str, rates: RateTable, day: date
) -> int:
    """Return the totals that have a rate in `settlement`, each converted once."""
    total = 0
    for currency, minor in by_currency.items():
        rate = rates.on(currency, settlement, day)
        if rate is not None:
            total += converted(minor, currency, settlement, rate)
    return total


def _add(sums: _Totals, subscription: Subscription, policy: Policy, at: int) -> None:
    """Add one subscription to each sum that it belongs to."""
    stands, currency = standing(subscription, policy, at), subscription.currency
    if stands == "trial":
        running = msgspec.structs.replace(subscription, status="active")
        _grow(sums.trial, currency, value(running, policy, at).minor)
    if stands != "counted":
        return
    minor = plain_total(subscription, policy, at)
    if minor is None:
        amount = exact_worth(subscription, policy, at)
        minor = amount.total
        sums.reason = sums.reason or amount.reason
        _grow(sums.usage, currency, amount.usage)
    if not minor:
        return
    sums.active += minor > 0
    sums.mrr[currency] = sums.mrr.get(currency, 0) + minor
    if subscription.status == "past_due":
        _grow(sums.at_risk, currency, minor)
    if subscription.cancel_at_period_end or subscription.cancel_at is not None:
        _grow(sums.ending, currency, minor)


def _grow(sums: dict[str, int], currency: str, minor: int) -> None:
    """Add to a currency's sum; zeros are left out."""
    if minor:
        sums[currency] = sums.get(currency, 0) + minor
