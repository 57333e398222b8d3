"""The subscriptions behind a day of MRR movements, with reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from opseer_common.contracts import Source
from opseer_common.contracts.movement_reasons import REASON_TEXTS
from opseer_common.money import Money
from opseer_gateway.domain.figures import Grain, MovementRow, why_no_movement
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.links import dashboard_link
from opseer_gateway.domain.names import Customer, Name, Price, customer_of, plan_name


class Arithmetic(msgspec.Struct, frozen=True):
    """How an amount of MRR came about, a line per step; none for no subscription."""

    before: tuple[str, ...]
    after: tuple[str, ...]


class StoredChange(msgspec.Struct, frozen=True):
    """A row of mrr's v1_movement_change."""

    subscription_id: str
    customer_id: str
    category: str
    reason: str
    currency: str
    before: int
    after: int
    amount: int | None
    event_ids: tuple[str, ...]
    arithmetic: Arithmetic
    plans: tuple[Price, ...]
    reactivation: bool
    customer_category: str
    customer_reactivation: bool


class StoredMovement(msgspec.Struct, frozen=True):
    """A day's row with its currency and zone."""

    row: MovementRow
    currency: str
    timezone: str
    as_of: datetime


class Change(msgspec.Struct, frozen=True):
    """One subscription that moved a day.

    `before` and `after` are its MRR in minor units of `currency`, `amount` what it
    adds to the day's row in the row's currency, null without a rate. `category` is
    new, expansion, contraction, churned or none: over a day the amounts of a category
    sum to the row. Per customer it is that of all the customer's changes together.
    `plan` names what it is on, or was before it went. `text` says it as a sentence; the
    links are pages of the provider's dashboard, none for a made-up company.
    """

    subscription_id: str
    customer: Customer | None
    plan: str | None
    price_ids: tuple[str, ...]
    event_ids: tuple[str, ...]
    category: str
    reactivation: bool
    reason: str
    reason_text: str
    currency: str
    before: int
    after: int
    amount: int | None
    arithmetic: Arithmetic
    text: str
    link: str | None
    customer_link: str | None
    event_links: tuple[str, ...]


class DayChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The subscriptions behind a day, by size of what they moved."""

    source: Source
    date: date
    timezone: str
    grain: Grain
    currency: str | None = None
    as_of: datetime | None = None
    complete: bool = False
    reason: str | None = None
    changes: tuple[Change, ...] = ()


def day_changes(
    known: Known,
    stored: StoredMovement,
    grain: Grain,
    behind: Sequence[StoredChange],
    names: Mapping[str, Name],
) -> DayChanges:
    """Return what moved a day that has a row."""
    ordered = sorted(
        behind, key=lambda one: (-abs(one.amount or 0), one.subscription_id)
    )
    return DayChanges(
        source=known.source,
        date=stored.row.date,
        timezone=stored.timezone,
        grain=grain,
        currency=stored.currency,
        as_of=stored.as_of,
        complete=stored.row.complete,
        reason=stored.row.reason,
        changes=tuple(_change(known, one, grain, names) for one in ordered),
    )


def why_no_row(known: Known, day: date, first: date | None) -> str:
    """Return why a day has no movements; `first` is the oldest one that has."""
    reason = why_no_movement(known)
    if reason == "CRON_PENDING" and first is not None and day < first:
        return "BEFORE_HISTORY"
    return reason


def named(behind: Iterable[StoredChange]) -> set[str]:
    """Return the ids that have names: customers and products."""
    return {
        found
        for one in behind
        for found in (one.customer_id, *(price.product_id for price in one.plans))
        if found is not None
    }


def _change(
    known: Known, one: StoredChange, grain: Grain, names: Mapping[str, Name]
) -> Change:
    per_customer = grain == "customer"
    plans = dict.fromkeys(plan_name(price, names) for price in one.plans)
    customer = customer_of(one.customer_id, names)
    links = (dashboard_link(known, event) for event in one.event_ids)
    return Change(
        subscription_id=one.subscription_id,
        customer=customer,
        plan=", ".join(plans) or None,
        price_ids=tuple(price.price_id for price in one.plans),
        event_ids=one.event_ids,
        category=one.customer_category if per_customer else one.category,
        reactivation=one.customer_reactivation if per_customer else one.reactivation,
        reason=one.reason,
        reason_text=REASON_TEXTS.get(one.reason, one.reason),
        currency=one.currency,
        before=one.before,
        after=one.after,
        amount=one.amount,
        arithmetic=one.arithmetic,
        text=_sentence(one, customer),
        link=dashboard_link(known, one.subscription_id),
        customer_link=dashboard_link(known, one.customer_id),
        event_links=tuple(link for link in links if link is not None),
    )


def _sentence(one: StoredChange, customer: Customer | None) -> str:
    """Return who did what, and what it was and is worth."""
    who = (customer and (customer.name or customer.email)) or one.customer_id
    what = REASON_TEXTS.get(one.reason, one.reason)
    before, after = (
        f"{Money(minor, one.currency).major()}" for minor in (one.before, one.after)
    )
    return f"{who} {what}: {before} → {after} {one.currency.upper()} a month"
