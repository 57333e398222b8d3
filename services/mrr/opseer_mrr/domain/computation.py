"""From the collector's stored rows to the rows of the mrr schema: one pure step.

The newest 31 days are computed from today's subscriptions backwards through their
events. Stripe keeps events for 30 days, so the 31st, of which a part may lie before the
first event, is only written where no earlier collection left a row that agrees with it.
Older rows are never touched: they are history. Where they do not lead to what is
computed, the oldest day is marked, and the reconciliation says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from opseer_common.contracts.message import Source
from opseer_common.contracts.subscription import Subscription, SubscriptionChange
from opseer_common.days import ONE_DAY, DayRange, day_of, last_days, zone
from opseer_mrr.domain.basis import DayBasis, bases, paying_customers
from opseer_mrr.domain.customer_discounts import with_ends
from opseer_mrr.domain.former import paid_before_end
from opseer_mrr.domain.holdings import Holding
from opseer_mrr.domain.movements import MISSED_EVENT, compute_movements
from opseer_mrr.domain.plans import PlanRow, compute_plans
from opseer_mrr.domain.policy import Policy, policy_from
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.recall import Endings, endings, recalled, told_endings
from opseer_mrr.domain.reconciliation import Closing, Reconciliation, reconcile
from opseer_mrr.domain.rows import DayRow, MovementChange, Movements
from opseer_mrr.domain.snapshot import Snapshot, compute_snapshot
from opseer_mrr.domain.timeline import dated

DAYS = 31
BEFORE_HISTORY = "BEFORE_HISTORY"
QUARANTINE = "QUARANTINE"
CRON_PENDING = "CRON_PENDING"
EVENTS_PERMISSION = "EVENTS_PERMISSION"
SUBSCRIPTIONS_PERMISSION = "SUBSCRIPTIONS_PERMISSION"


@dataclass(frozen=True, slots=True)
class ConnectionKey:
    """Whose rows: an account's connection to a source."""

    account_id: UUID
    source: Source
    connection_id: UUID


@dataclass(frozen=True, slots=True)
class ObservedRate:
    """A payment at `at` (unix seconds) converted at `rate` between minor units."""

    origin: str
    target: str
    at: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Settings:
    """What the account chose: its `policy` document and zone, as of `revision`."""

    revision: int
    policy: Mapping[str, object]
    timezone: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What an earlier computation left.

    `seam` is the snapshot (minor units, currency) of the oldest day that is computed
    now, None where there is no row; `settings_revision` what it was made under.
    `closed` is (day, minor units, currency) of the newest day that was over by then;
    `holdings` are what each subscription was worth at its end, None where that was not
    kept; `endings` the discounts that were seen. `past_customers` had MRR before the
    oldest day.
    """

    settings_revision: int | None = None
    seam: tuple[int, str] | None = None
    closed: tuple[date, int, str] | None = None
    holdings: Mapping[str, Holding] | None = None
    endings: Endings = field(default_factory=dict)
    past_customers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that the figures follow from, as of the collector's `revision`.

    `subscriptions`, `ended` and `changes` are JSON of contracts/subscription.py;
    `ended` are subscriptions of all time as they ended, of customers with changes at
    least. `unread` where a live one could not be read. `as_of` is the instant of the
    collection. `settlement` is None where no currency is known yet.
    """

    key: ConnectionKey
    revision: int
    as_of: datetime
    settings: Settings
    settlement: str | None
    permissions: Mapping[str, str]
    subscriptions: Sequence[str]
    changes: Sequence[str]
    rates: Sequence[ObservedRate]
    ended: Sequence[str] = ()
    unread: bool = False
    stored: Stored = Stored()


@dataclass(frozen=True, slots=True)
class Figures:
    """The rows to write. `days` are replaced as a whole.

    `snapshot` and `plans` are today's; amounts are unknown where snapshot is None.
    `movements` are (grain, row), ascending. `unmoved` is today's snapshot where only
    that is known, because Events could not be read. `basis` tells who paid on the days.
    `holdings` are what each subscription was worth at the end of yesterday, `endings`
    the discounts with an end.
    """

    days: DayRange
    settlement: str
    snapshot: Snapshot | None
    reason: str | None
    plans: tuple[PlanRow, ...] = ()
    movements: tuple[tuple[str, DayRow], ...] = ()
    changes: tuple[MovementChange, ...] = ()
    unmoved: int | None = None
    reconciliation: Reconciliation | None = None
    basis: tuple[DayBasis, ...] = ()
    holdings: Mapping[str, Holding] | None = None
    endings: Endings = field(default_factory=dict)


def window(as_of: datetime, tz: ZoneInfo) -> DayRange:
    """Return the days that are computed from events collected at `as_of`."""
    return last_days(DAYS, day_of(as_of, tz))


def compute(inputs: Inputs) -> Figures | None:
    """Return the rows that follow from `inputs`; None without a settlement currency."""
    if inputs.settlement is None:
        return None
    tz = zone(inputs.settings.timezone)
    today = day_of(inputs.as_of, tz)
    if inputs.permissions.get("subscriptions") == "missing":
        only = DayRange(today, today)
        return Figures(only, inputs.settlement, None, SUBSCRIPTIONS_PERMISSION)
    policy = policy_of(inputs.settings)
    rates = rate_table(inputs.rates, tz)
    live, ended, changes, kept = _states(inputs)
    under = (policy, inputs.settlement, rates)
    snapshot = compute_snapshot(live, *under, inputs.as_of, tz)
    figures = Figures(
        days=DayRange(today, today),
        settlement=inputs.settlement,
        snapshot=snapshot,
        reason=QUARANTINE if inputs.unread else snapshot.reason,
        plans=compute_plans(live, *under, inputs.as_of, tz),
        unmoved=snapshot.mrr,
    )
    paying = paying_customers(live, policy, int(inputs.as_of.timestamp()))
    if inputs.permissions.get("events") == "missing":
        basis = bases(figures.days, paying, snapshot.active_subscriptions, None)
        return replace(figures, basis=basis)
    days = window(inputs.as_of, tz)
    start = int(days.bounds(tz)[0].timestamp())
    moved = compute_movements(
        live,
        changes,
        *under,
        days=days,
        tz=tz,
        now=inputs.as_of,
        past_customers=inputs.stored.past_customers
        | past_customers(ended, changes, policy, start),
        closings=_closings(inputs, days),
    )
    figures = _with_movements(figures, inputs, moved)
    figures = replace(
        figures,
        holdings=moved.closings[today - ONE_DAY],
        endings=endings(live, kept, start),
        reconciliation=_reconciled(inputs, moved, rates),
    )
    return _with_basis(figures, paying)


def past_customers(
    ended: Iterable[Subscription],
    changes: Iterable[SubscriptionChange],
    policy: Policy,
    start: int,
) -> frozenset[str]:
    """Return who paid for a subscription that ended before `start` (unix seconds).

    One that ended later and that no change tells of ended before the events begin.
    """
    told = {change.subscription_id for change in changes}
    return frozenset(
        one.customer
        for one in ended
        if ((one.ended_at or one.created) < start or one.id not in told)
        and paid_before_end(one, policy)
    )


def _with_movements(figures: Figures, inputs: Inputs, moved: Movements) -> Figures:
    """Add the movements, without the oldest day where its stored row agrees."""
    oldest, second = moved.by_subscription[:2]
    seam = _seam_reason(inputs, oldest)
    first = second.day if seam is None else oldest.day
    today = figures.days.last
    return replace(
        figures,
        days=DayRange(first, today),
        movements=tuple(
            (grain, _marked(row, oldest.day, today, seam, unread=inputs.unread))
            for grain, rows in (
                ("subscription", moved.by_subscription),
                ("customer", moved.by_customer),
            )
            for row in rows
            if row.day >= first
        ),
        changes=tuple(one for one in moved.changes if one.day >= first),
        unmoved=None,
    )


def _with_basis(figures: Figures, paying: int) -> Figures:
    """Add who paid on each day; `paying` customers do today."""
    active = 0 if figures.snapshot is None else figures.snapshot.active_subscriptions
    return replace(figures, basis=bases(figures.days, paying, active, figures.changes))


def rate_table(rates: Iterable[ObservedRate], tz: ZoneInfo) -> RateTable:
    """Return the table of the newest rate of each day of `tz`."""
    return RateTable(rates_by_day(rates, tz))


def rates_by_day(
    rates: Iterable[ObservedRate], tz: ZoneInfo
) -> dict[tuple[str, str], dict[date, Fraction]]:
    """Return the newest rate of each pair of currencies and day of `tz`."""
    table: dict[tuple[str, str], dict[date, Fraction]] = {}
    for one in sorted(rates, key=lambda observed: observed.at):
        day = day_of(datetime.fromtimestamp(one.at, tz), tz)
        table.setdefault((one.origin, one.target), {})[day] = Fraction(one.rate)
    return table


def policy_of(settings: Settings) -> Policy:
    """Return the policy that a stored document names; its `version` is not a switch."""
    document = {k: v for k, v in settings.policy.items() if k != "version"}
    return policy_from({**document, "timezone": settings.timezone})


def _seam_reason(inputs: Inputs, oldest: DayRow) -> str | None:
    """Return why the oldest day is incomplete; None to leave its stored row."""
    stored = inputs.stored
    if stored.seam == (oldest.snapshot, inputs.settlement):
        return None
    same_settings = stored.settings_revision == inputs.settings.revision
    return MISSED_EVENT if stored.seam and same_settings else BEFORE_HISTORY


def _marked(
    row: DayRow, oldest: date, today: date, seam: str | None, *, unread: bool
) -> DayRow:
    """Mark what cannot be complete: the oldest day, and today, which goes on.

    Today's movements are those up to the collection; its rest comes with the next, and
    so does an event that happened while it was under way. Every day lacks what could
    not be read.
    """
    if unread:
        return replace(row, reason=QUARANTINE)
    if row.day == oldest:
        return replace(row, reason=seam)
    if row.day == today:
        pending = row.reason is None or row.reason == MISSED_EVENT
        return replace(row, reason=CRON_PENDING if pending else row.reason)
    return row


def _states(
    inputs: Inputs,
) -> tuple[list[Subscription], list[Subscription], list[SubscriptionChange], Endings]:
    """Return who is live, who ended, what changed, and the discounts that ended."""
    now = int(inputs.as_of.timestamp())
    live = [msgspec.json.decode(s, type=Subscription) for s in inputs.subscriptions]
    ended = [msgspec.json.decode(one, type=Subscription) for one in inputs.ended]
    changes, kept = told_endings(
        (msgspec.json.decode(c, type=SubscriptionChange) for c in inputs.changes),
        inputs.stored.endings,
    )
    live, changes = recalled(live, with_ends(changes, ended), kept, now)
    return dated(live, changes, now), ended, changes, kept


def _closings(inputs: Inputs, days: DayRange) -> frozenset[date]:
    """Return the days whose ends are looked at: yesterday, and the one stored."""
    closings = {days.last - ONE_DAY}
    if inputs.stored.closed is not None and inputs.stored.closed[0] in set(days):
        closings.add(inputs.stored.closed[0])
    return frozenset(closings)


def _reconciled(
    inputs: Inputs, moved: Movements, rates: RateTable
) -> Reconciliation | None:
    """Compare with what was stored; None where that is of other settings or too old."""
    stored, rows = inputs.stored, moved.by_subscription
    if stored.closed is None or stored.settings_revision != inputs.settings.revision:
        return None
    day, minor, currency = stored.closed
    if currency != moved.settlement or not rows[0].day <= day < rows[-1].day:
        return None
    (known,) = (row.snapshot for row in rows if row.day == day)
    return reconcile(
        day,
        Closing(minor, stored.holdings),
        Closing(known, moved.closings[day]),
        sum(row.net + row.fx for row in rows if row.day > day),
        currency,
        rates,
    )
