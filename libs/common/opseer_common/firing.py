"""When a report is sent to a user, and which day it is about.

Someone chooses a time of day in a zone of their own; the day that is reported is one of
the account's zone. A time that a clock change skips is taken with the offset before it
(02:30 becomes 03:30), one that comes twice is the first of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from zoneinfo import ZoneInfo

from opseer_common.days import day_of, start_of, zone

EVERY_DAY = frozenset(range(1, 8))
# Fixed, for a window that moves would let a day be reported twice, or never, where a
# zone's summer does (Morocco's Ramadan). Rules that a zone gave up before don't count.
_SEASONS = (date(2025, 1, 1), date(2045, 1, 1))


@dataclass(frozen=True, slots=True)
class Timetable:
    """A local time on some weekdays (1 is Monday) of the IANA zone `timezone`."""

    at: time
    timezone: str
    weekdays: frozenset[int] = EVERY_DAY

    def instant(self, day: date) -> datetime:
        """Return the UTC instant of the time on the local date `day`."""
        return _instant(day, self.at, zone(self.timezone))

    def next_after(self, now: datetime) -> datetime | None:
        """Return the first instant after the aware `now`; None without weekdays."""
        if not self.weekdays:
            return None
        # The local date may be a day behind where a clock change skipped it.
        for back in count(-1):
            day = day_of(now, zone(self.timezone)) + timedelta(days=back)
            if day.isoweekday() in self.weekdays and self.instant(day) > now:
                return self.instant(day)
        raise AssertionError("weeks have no end")

    def last_until(self, now: datetime) -> date | None:
        """Return the newest local date whose instant is not after `now`.

        It is at most a week ago; None where there is none.
        """
        today = day_of(now, zone(self.timezone))
        for back in range(9):
            day = today - timedelta(days=back)
            if day.isoweekday() in self.weekdays and self.instant(day) <= now:
                return day
        return None

    def reports(self, day: date, account_zone: str) -> date:
        """Return the day that what is sent on the local date `day` is about.

        It is the day before by the user's calendar, or the one before that where
        that of the account's zone is then not over in every season: so each day is
        reported once, whichever of the two zones changes its clocks.
        """
        return day - timedelta(days=_lag(self.at, self.timezone, account_zone))


def _instant(day: date, at: time, tz: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tz).astimezone(UTC)


@lru_cache(maxsize=4096)
def _lag(at: time, timezone: str, account_zone: str) -> int:
    """Return 1 where the day before is over at each such time of `_SEASONS`, else 2."""
    here, there = zone(timezone), zone(account_zone)
    for day in {*_changes(timezone), *_changes(account_zone)}:
        if start_of(day, there) > _instant(day, at, here):
            return 2
    return 1


@lru_cache(maxsize=1024)
def _changes(timezone: str) -> tuple[date, ...]:
    """Return the first date of `_SEASONS`, and those around each change of clocks.

    Between two of them the distance to any zone changes only where that one's does.
    """
    tz, found = zone(timezone), [_SEASONS[0]]
    before = None
    for n in range((_SEASONS[1] - _SEASONS[0]).days):
        day = _SEASONS[0] + timedelta(days=n)
        offset = datetime.combine(day, time(), tz).utcoffset()
        if before not in {None, offset}:
            found += [day - timedelta(days=1), day, day + timedelta(days=1)]
        before = offset
    return tuple(found)
