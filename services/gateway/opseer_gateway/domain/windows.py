"""Which days a read is about: strict dates, and the 90-day window."""

from __future__ import annotations

import re
from datetime import date, timedelta

from opseer_common.days import DayRange
from opseer_common.errors import RefusedError

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LONGEST = timedelta(days=366)
CACHE_DAYS = 90


def parse_day(text: str) -> date:
    """Read `YYYY-MM-DD`. RefusedError(INVALID_DATE) for anything else."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RefusedError("INVALID_DATE", "A date is a real day, written YYYY-MM-DD.")


def asked_range(
    first: str | None,
    last: str | None,
    *,
    today: date,
    back: int,
    oldest: date = date.min,
) -> DayRange:
    """Return the days from `first` to `last`, by default `back` days and today.

    Days after today are left out, and those before `oldest` where it is given.
    RefusedError INVALID_DATE or INVALID_RANGE (the wrong way round, or more than 366
    days).
    """
    end = today if last is None else parse_day(last)
    begin = min(end, today) - timedelta(days=back)
    if first is not None:
        begin = parse_day(first)
    if begin > end:
        raise RefusedError("INVALID_RANGE", "`from` is after `to`.")
    begin, end = max(begin, oldest), min(end, today)
    if end - begin > _LONGEST:
        raise RefusedError("INVALID_RANGE", "A range has at most 366 days.")
    return DayRange(begin, end)


def oldest_cached(today: date) -> date:
    """Return the oldest day of the cache, which covers today and 90 days before."""
    return today - timedelta(days=CACHE_DAYS)
