"""What is due to a user, and when the next thing is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from opseer_common.contracts.message import Source
from opseer_common.firing import Timetable
from opseer_notifier.domain.report import SOURCES

WAITS: Final = timedelta(minutes=30)
"""For how long a report waits for the day's figures."""
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_MONDAY: Final = frozenset({1})
FREE: Final = "free"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a user chose, and what the account has.

    `zones` are the IANA zones of the connected sources' days. `next_fire_at` is None
    where it was not worked out since `updated_at`.
    """

    account_id: UUID
    user_id: UUID
    sources: frozenset[Source]
    timetable: Timetable
    weekly_digest: bool
    updated_at: datetime
    next_fire_at: datetime | None
    plan: str
    zones: Mapping[Source, str]


@dataclass(frozen=True, slots=True)
class Due:
    """A report of `day`, which was to be sent at `at`."""

    kind: Literal["daily", "weekly"]
    day: date
    at: datetime


@dataclass(frozen=True, slots=True)
class Firing:
    """What is due now, and the instant of what comes next."""

    due: tuple[Due, ...]
    next_fire_at: datetime


def fire(setting: Setting, now: datetime) -> Firing:
    """Return what is due at the aware instant `now`.

    After an outage that is the newest report alone, however late. A free plan, and an
    account with none of the chosen sources, gets nothing.
    """
    tables = _tables(setting)
    since = setting.next_fire_at or _next(tables, setting.updated_at)
    if since > now:
        return Firing((), since)
    nothing = setting.plan == FREE or not setting.sources & setting.zones.keys()
    found: list[Due] = []
    for kind, table in tables.items() if not nothing else ():
        local = table.last_until(now)
        if local is not None and (at := table.instant(local)) >= since:
            found.append(Due(kind, table.reports(local, zone_of(setting.zones)), at))
    return Firing(tuple(found), _next(tables, now))


def zone_of(zones: Mapping[Source, str]) -> str:
    """Return the report's zone: Stripe's, else the first source's, else UTC."""
    return next((zones[source] for source in SOURCES if source in zones), "UTC")


def _tables(setting: Setting) -> dict[Literal["daily", "weekly"], Timetable]:
    """Return when each kind is sent; the digest on Mondays."""
    found: dict[Literal["daily", "weekly"], Timetable] = {"daily": setting.timetable}
    if setting.weekly_digest:
        daily = setting.timetable
        found["weekly"] = Timetable(daily.at, daily.timezone, _MONDAY)
    return found


def _next(
    tables: Mapping[Literal["daily", "weekly"], Timetable], now: datetime
) -> datetime:
    """Return the first instant after `now` of any table."""
    return min((table.next_after(now) or NEVER) for table in tables.values())
