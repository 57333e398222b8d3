"""When a connection is collected next, and the ids of runs that nobody asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from opseer_common.days import ONE_DAY, day_of, start_of

_AFTER_MIDNIGHT: Final = timedelta(minutes=15)
_SPREAD_SECONDS: Final = 3600
STALE_AFTER: Final = timedelta(hours=28)
"""Longer than from one round to the next, clock changes and waits included."""


def next_round(now: datetime, tz: ZoneInfo, account_id: UUID, source: str) -> datetime:
    """Return the next due instant after `now`: once per local day, in UTC.

    A quarter of an hour after local midnight, so that the closed day has become
    visible, plus a part of an hour that is the account's own, so that not all
    accounts are due at once.
    """
    digest = blake2b(account_id.bytes + source.encode(), digest_size=4).digest()
    own = timedelta(seconds=int.from_bytes(digest) % _SPREAD_SECONDS)
    day = day_of(now, tz)
    due = start_of(day, tz) + _AFTER_MIDNIGHT + own
    if due <= now:
        due = start_of(day + ONE_DAY, tz) + _AFTER_MIDNIGHT + own
    return due


def daily_run(connection_id: UUID, due: datetime) -> UUID:
    """Return the id of the daily run that is due at `due`: the same each time."""
    return uuid5(connection_id, f"daily:{int(due.timestamp())}")


def drift_run(daily: UUID) -> UUID:
    """Return the id of the run that reads everything again after a daily one."""
    return uuid5(daily, "drift")


def settings_run(connection_id: UUID, settings_revision: int) -> UUID:
    """Return the id of the run that puts changed settings into effect."""
    return uuid5(connection_id, f"settings:{settings_revision}")


_WAITS: Final = (60, 300, 900, 3600)


def wait_after(tries: int) -> timedelta:
    """Return how long a run waits after its `tries`-th failure (from 1)."""
    return timedelta(seconds=_WAITS[min(tries, len(_WAITS)) - 1])
