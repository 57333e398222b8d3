"""The periods that the revenue page offers, all within the 90 days of the cache."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from opseer_common.days import DayRange
from opseer_common.errors import RefusedError
from opseer_gateway.domain.windows import oldest_cached, parse_day

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "today": "Today",
        "yesterday": "Yesterday",
        "7d": "7 days",
        "this_month": "This month",
        "last_month": "Last month",
        "custom": "Custom",
    }
)
DEFAULT: Final = "7d"
_ONE: Final = timedelta(days=1)
_WEEK: Final = 7


class Period(msgspec.Struct, frozen=True):
    """The days shown, and as many before them to compare with where there are."""

    preset: str
    days: DayRange
    before: DayRange | None


def asked_period(
    preset: str | None, first: str | None, last: str | None, today: date
) -> Period:
    """Return the period of a name of `PRESETS`; `first` and `last` are Custom's.

    Days outside of the cache are left out. RefusedError: INVALID_PERIOD, INVALID_DATE,
    INVALID_RANGE for the wrong way round.
    """
    name = preset or (DEFAULT if first is None and last is None else "custom")
    if name not in PRESETS:
        raise RefusedError(
            "INVALID_PERIOD", f"A period is one of {', '.join(PRESETS)}."
        )
    oldest = oldest_cached(today)
    begin, end = _bounds(name, first, last, today)
    if begin > end:
        raise RefusedError("INVALID_RANGE", "`from` is after `to`.")
    days = DayRange(
        *(min(max(day, oldest), today) for day in (begin, end)),
    )
    return Period(name, days, _before(days, oldest))


def _bounds(
    name: str, first: str | None, last: str | None, today: date
) -> tuple[date, date]:
    """Return the first and the last day that a name means."""
    month = today.replace(day=1)
    if name == "custom":
        end = today if not last else parse_day(last)
        return (end - (_WEEK - 1) * _ONE if not first else parse_day(first)), end
    return {
        "today": (today, today),
        "yesterday": (today - _ONE, today - _ONE),
        "7d": (today - (_WEEK - 1) * _ONE, today),
        "this_month": (month, today),
        "last_month": ((month - _ONE).replace(day=1), month - _ONE),
    }[name]


def _before(days: DayRange, oldest: date) -> DayRange | None:
    """Return as many days just before, None where the cache has not all of them."""
    length = (days.last - days.first) + _ONE
    begin = days.first - length
    return DayRange(begin, days.first - _ONE) if begin >= oldest else None
