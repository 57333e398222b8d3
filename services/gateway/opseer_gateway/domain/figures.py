"""Figures as they are answered: each with its completeness, and never a guess.

What is not known is null with a reason. Money is in minor units of `currency`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import msgspec

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_common.days import ONE_DAY, DayRange
from opseer_common.money import round_half_even
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.terms import StoredBasis, Terms, terms_of

Grain = Literal["subscription", "customer"]
MONTHS = 12


class DailyRow(msgspec.Struct, frozen=True):
    """The revenue of one day."""

    date: date
    currency: str | None = None
    net_revenue: int | None = None
    charges_count: int | None = None
    charges_amount: int | None = None
    refunds_count: int | None = None
    refunds_amount: int | None = None
    failed_payments: int | None = None
    disputes: int | None = None
    complete: bool = False
    reason: str | None = None


class DailyRevenue(msgspec.Struct, frozen=True):
    """Revenue per day, ascending, empty days included."""

    source: Source
    currency: str | None
    as_of: datetime | None
    complete: bool
    rows: tuple[DailyRow, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """The newest stored MRR snapshot of a connection."""

    day: date
    currency: str
    mrr: int | None
    active_subscriptions: int | None
    usage_mrr: int | None
    at_risk_mrr: int | None
    trial_mrr: int | None
    committed_mrr: int | None
    mrr_stripe_comparable: int | None
    unconverted: Mapping[str, int]
    policy: Mapping[str, Any]
    complete: bool
    reason: str | None
    as_of: datetime
    timezone: str | None = None


class Mrr(msgspec.Struct, frozen=True):
    """Monthly recurring revenue now.

    `arr` is 12 times `mrr`. `arpa` is `mrr` per active subscription, rounded
    half-even to a minor unit; null where there is none.
    """

    source: Source
    currency: str | None = None
    mrr: int | None = None
    active_subscriptions: int | None = None
    usage_mrr: int | None = None
    at_risk_mrr: int | None = None
    trial_mrr: int | None = None
    committed_mrr: int | None = None
    mrr_stripe_comparable: int | None = None
    arr: int | None = None
    arpa: int | None = None
    unconverted: Mapping[str, int] = {}
    as_of: datetime | None = None
    complete: bool = False
    reason: str | None = None
    policy: Mapping[str, Any] | None = None
    timezone: str | None = None


class MovementRow(msgspec.Struct, frozen=True):
    """What moved MRR on one day. net = new + expansion + contraction + churned."""

    date: date
    new: int | None = None
    expansion: int | None = None
    contraction: int | None = None
    churned: int | None = None
    net: int | None = None
    of_which_reactivation: int | None = None
    fx: int | None = None
    snapshot: int | None = None
    complete: bool = False
    reason: str | None = None


class Rebase(msgspec.Struct, frozen=True):
    """Where stored history and the days computed after it do not meet.

    On that day snapshot = snapshot of the day before + net + fx + `amount`; on every
    other one the amount is zero and there is no such line.
    """

    date: date
    amount: int
    reason: str | None


class Movements(msgspec.Struct, frozen=True):
    """MRR movements per day, ascending.

    `terms` say what the rows are under, `rebases` where their chain does not close.
    """

    source: Source
    currency: str | None
    as_of: datetime | None
    rows: tuple[MovementRow, ...]
    terms: tuple[Terms, ...] = ()
    rebases: tuple[Rebase, ...] = ()


def daily_revenue(
    known: Known,
    days: DayRange,
    stored: Sequence[DailyRow],
    as_of: datetime | None,
) -> DailyRevenue:
    """Return one row per day of `days`; none at all where nothing is connected."""
    if known.connection is None:
        return DailyRevenue(known.source, None, None, complete=False, rows=())
    by_day = {row.date: row for row in stored}
    newest = max(by_day, default=None)
    oldest = min(by_day, default=None)
    currency = known.currency or (by_day[newest].currency if newest else None)
    rows = tuple(
        by_day.get(day)
        or DailyRow(day, currency, reason=why_no_day(day, oldest, newest))
        for day in days
    )
    complete = bool(rows) and all(row.complete for row in rows)
    return DailyRevenue(known.source, currency, as_of, complete=complete, rows=rows)


def why_no_day(day: date, oldest: date | None, newest: date | None) -> str:
    """Return why a day has no row, given the days that have one."""
    if oldest is None or newest is None or oldest <= day <= newest:
        return "COLLECTING"
    return "BEFORE_HISTORY" if day < oldest else "CRON_PENDING"


def mrr(known: Known, snapshot: Snapshot | None) -> Mrr:
    """Return the live figures; all null where there is no snapshot yet."""
    if known.connection is None or snapshot is None:
        return Mrr(
            known.source,
            currency=known.currency,
            policy=_words(known),
            timezone=known.connection.timezone if known.connection else None,
            reason="COLLECTING",
        )
    value, active = snapshot.mrr, snapshot.active_subscriptions
    arpa = round_half_even(Fraction(value, active)) if value and active else None
    return Mrr(
        source=known.source,
        currency=snapshot.currency,
        mrr=value,
        active_subscriptions=active,
        usage_mrr=snapshot.usage_mrr,
        at_risk_mrr=snapshot.at_risk_mrr,
        trial_mrr=snapshot.trial_mrr,
        committed_mrr=snapshot.committed_mrr,
        mrr_stripe_comparable=snapshot.mrr_stripe_comparable,
        arr=None if value is None else MONTHS * value,
        arpa=arpa,
        unconverted=snapshot.unconverted,
        as_of=snapshot.as_of,
        complete=snapshot.complete,
        reason=snapshot.reason,
        policy=snapshot.policy,
        timezone=snapshot.timezone,
    )


def _words(known: Known) -> Mapping[str, Any] | None:
    """Return the policy that the figures will follow."""
    if known.connection is None:
        return None
    if not CHANNELS[known.source].computed:
        return {"preset": "provider", "version": 1}
    policy = known.connection.policy
    return {"preset": policy.preset, "version": policy.version}


def movements(
    known: Known,
    days: DayRange,
    stored: Sequence[MovementRow],
    currency: str | None,
    as_of: datetime | None,
    bases: Sequence[StoredBasis] = (),
) -> Movements:
    """Return the stored rows; `stored` may begin with the day before `days`.

    Where a connection has none at all, each day of `days` says why.
    """
    if known.connection is None:
        return Movements(known.source, None, None, ())
    rows = tuple(row for row in stored if row.date >= days.first) or tuple(
        MovementRow(day, reason=why_no_movement(known)) for day in days
    )
    dates = {row.date for row in rows}
    return Movements(
        known.source,
        currency or known.currency,
        as_of,
        rows,
        terms_of([basis for basis in bases if basis.day in dates]),
        rebases(stored, days),
    )


def rebases(rows: Sequence[MovementRow], days: DayRange) -> tuple[Rebase, ...]:
    """Return what keeps the chain of snapshots of ascending `rows` from closing."""
    found = []
    for before, row in pairwise(rows):
        if not days.first <= row.date <= days.last:
            continue
        amount = _unexplained(before, row)
        if amount:
            found.append(Rebase(row.date, amount, row.reason))
    return tuple(found)


def _unexplained(before: MovementRow, row: MovementRow) -> int:
    """Return what a day's row does not explain; 0 where it cannot be told."""
    if row.date - before.date != ONE_DAY:
        return 0
    if row.snapshot is None or before.snapshot is None:
        return 0
    if row.net is None or row.fx is None:
        return 0
    return row.snapshot - before.snapshot - row.net - row.fx


def why_no_movement(known: Known) -> str:
    """Return why a source has no movement of a closed day."""
    if known.state in ("collecting", "disconnected"):
        return "COLLECTING"
    for permission in CHANNELS[known.source].movement_permissions:
        if known.permission(permission) == "missing":
            return f"{permission.upper()}_PERMISSION"
    return "CRON_PENDING"
