"""Reporting days: calendar days of an IANA zone as half-open ranges of instants.

A day starts at its local midnight, or at the first existing instant after it
where a clock change swallows midnight, and ends where the next one starts. So a
day has 23, 24 or 25 hours, and every instant belongs to exactly one day
(rule: docs/MRR.md, "Day").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from opseer_common.errors import RefusedError

ONE_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@cache
def _names() -> frozenset[str]:
    """Return the zone list; reading it walks the file system."""
    return frozenset(available_timezones())


def zone(name: str) -> ZoneInfo:
    """Return the IANA zone called `name`.

    Raises RefusedError(INVALID_TIMEZONE) for anything that is not in the zone
    list. The list is asked first: a name is never used as a path.
    """
    if name not in _names():
        raise RefusedError("INVALID_TIMEZONE", "That is not an IANA time zone name.")
    return ZoneInfo(name)


def start_of(day: date, tz: ZoneInfo) -> datetime:
    """Return the UTC instant at which `day` begins in `tz`."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=tz)
    after = midnight.astimezone(UTC)
    if after.astimezone(tz).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return after
    # Midnight does not exist: the day begins in the moment of the clock change,
    # which lies between the readings with the offset after it and before it.
    before = midnight.replace(fold=1).astimezone(UTC)
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if day_of(middle, tz) < day:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def day_of(instant: datetime, tz: ZoneInfo) -> date:
    """Return the reporting day of `tz` that holds the aware `instant`."""
    return instant.astimezone(tz).date()


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        """Yield each day, ascending; nothing when `last` is before `first`."""
        day = self.first
        while day <= self.last:
            yield day
            day += ONE_DAY

    def __len__(self) -> int:
        """Return the number of days."""
        return max(0, (self.last - self.first).days + 1)

    def bounds(self, tz: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the half-open range of UTC instants that the days cover."""
        return start_of(self.first, tz), start_of(self.last + ONE_DAY, tz)


def last_days(count: int, today: date) -> DayRange:
    """Return the `count` days that end with `today`."""
    return DayRange(today - timedelta(days=count - 1), today)
