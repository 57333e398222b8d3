"""Which days are shown, what is fetched for them, and when a day is over for good.

The daily cache shows 90 days and today, in the connection's zone. What is fetched is
a day wider than those days are in any zone, so that another zone needs no fetching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opseer_common.days import ONE_DAY, DayRange, day_of, last_days, start_of

WINDOW_DAYS: Final = 91
HELD_BACK: Final = timedelta(minutes=10)
"""Objects become visible late at a list's newest edge (singer-io/tap-stripe#45)."""
_FETCHED: Final = timedelta(days=92, hours=2)
KEPT: Final = timedelta(days=94)
"""How far back stored rows are kept."""
LOOK_AGAIN: Final = timedelta(days=7)
"""How far before the last collection a daily round reads again."""
EVENTS_KEPT: Final = timedelta(days=30)
"""How far back Stripe tells events (source: API reference, "List all events")."""
_TOO_OLD: Final = timedelta(days=15)


def window(now: datetime, tz: ZoneInfo) -> DayRange:
    """Return the days that are shown at `now` (aware)."""
    return last_days(WINDOW_DAYS, day_of(now, tz))


def start_of_yesterday(now: datetime, tz: ZoneInfo) -> int:
    """Return the unix second at which the day before that of `now` began."""
    return int(start_of(day_of(now, tz) - ONE_DAY, tz).timestamp())


def bounds(days: DayRange, tz: ZoneInfo) -> list[int]:
    """Return the unix second at which each day begins, and the end of the last."""
    ends = [*days, days.last + ONE_DAY]
    return [int(start_of(day, tz).timestamp()) for day in ends]


def is_over(end: int, as_of: datetime) -> bool:
    """Tell whether a day that ended at `end` was fully visible at `as_of`."""
    return end + int(HELD_BACK.total_seconds()) <= int(as_of.timestamp())


def oldest_read(now: datetime) -> int:
    """Return the unix second from which on rows are needed at `now`."""
    return int((now - _FETCHED).timestamp())


@dataclass(frozen=True, slots=True)
class Span:
    """What a run reads, in unix seconds: [since, until) and events from `events`.

    What was created before `fresh` is read for the second time.
    """

    since: int
    until: int
    events: int
    fresh: int = 0


def span(now: datetime, last_collected: datetime | None, *, whole: bool) -> Span:
    """Return what a run at `now` reads.

    A daily round (`whole` False) reads the last days again, unless the last
    collection is so old that events would be missed.
    """
    until = int(now.timestamp()) + 1
    full = Span(
        since=oldest_read(now),
        until=until,
        events=int((now - EVENTS_KEPT).timestamp()) + 1,
    )
    if whole or last_collected is None or now - last_collected > _TOO_OLD:
        return full
    again = int((last_collected - LOOK_AGAIN).timestamp())
    return Span(
        max(full.since, again),
        until,
        max(full.events, again),
        int((last_collected - HELD_BACK).timestamp()),
    )


def touched(
    since: int | None, until: int | None, starts: Sequence[int]
) -> frozenset[int]:
    """Return the indexes of the days that [since, until) touches.

    `starts` is what `bounds` returns. An unknown edge touches to the end.
    """
    last = len(starts) - 1
    return frozenset(
        index
        for index in range(last)
        if (until is None or starts[index] < until)
        and (since is None or since < starts[index + 1])
    )
