"""MRR per plan: what each price adds to the newest snapshot, and its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Final

import msgspec

from opseer_common.contracts import Source
from opseer_common.money import shares
from opseer_gateway.domain.figures import Snapshot
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.names import Name, Price, plan_name

WHOLE: Final = 10_000
"""All of MRR, in parts per ten thousand."""


class StoredPlan(msgspec.Struct, frozen=True):
    """A row of mrr's v1_plan."""

    price: Price
    currency: str
    native_mrr: int
    mrr: int | None
    subscriptions: int


class Plan(msgspec.Struct, frozen=True):
    """One price of a plan.

    `native_mrr` is minor units of its own `currency`, `mrr` of the answer's, null
    without a rate. `share` is in parts per ten thousand of all MRR, rounded so that
    the shares sum to 10,000; null where there is no MRR to share.
    """

    price_id: str
    product_id: str | None
    name: str
    interval: str
    interval_count: int
    currency: str
    native_mrr: int
    mrr: int | None
    subscriptions: int
    share: int | None


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """The plans that make up `mrr`, dearest first: theirs sum to it."""

    source: Source
    date: date | None = None
    timezone: str
    currency: str | None = None
    mrr: int | None = None
    as_of: datetime | None = None
    complete: bool = False
    reason: str | None = None
    plans: tuple[Plan, ...] = ()


def plans_of(
    known: Known,
    snapshot: Snapshot | None,
    stored: Sequence[StoredPlan],
    names: Mapping[str, Name],
) -> Plans:
    """Return the plans of the newest snapshot; none where there is none."""
    if known.connection is None or snapshot is None:
        return Plans(
            source=known.source,
            timezone=known.timezone,
            currency=known.currency,
            reason="COLLECTING",
        )
    ordered = sorted(
        stored, key=lambda one: (-(one.mrr or 0), one.price.price_id, one.currency)
    )
    parts = _shares(ordered)
    return Plans(
        source=known.source,
        date=snapshot.day,
        timezone=known.timezone,
        currency=snapshot.currency,
        mrr=snapshot.mrr,
        as_of=snapshot.as_of,
        complete=snapshot.complete,
        reason=snapshot.reason,
        plans=tuple(
            Plan(
                price_id=one.price.price_id,
                product_id=one.price.product_id,
                name=plan_name(one.price, names),
                interval=one.price.interval,
                interval_count=one.price.interval_count,
                currency=one.currency,
                native_mrr=one.native_mrr,
                mrr=one.mrr,
                subscriptions=one.subscriptions,
                share=share,
            )
            for one, share in zip(ordered, parts, strict=True)
        ),
    )


def _shares(plans: Sequence[StoredPlan]) -> list[int | None]:
    """Split 10,000 by MRR, by largest remainder."""
    whole = sum(one.mrr or 0 for one in plans)
    if not whole:
        return [None] * len(plans)
    exact = [Fraction((one.mrr or 0) * WHOLE, whole) for one in plans]
    split = iter(shares(exact, WHOLE))
    return [
        None if one.mrr is None else part
        for one, part in zip(plans, split, strict=True)
    ]
