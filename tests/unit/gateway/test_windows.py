"""Which days a read is about."""

from __future__ import annotations

from datetime import date

import pytest

from opseer_common.days import DayRange
from opseer_common.errors import RefusedError
from opseer_gateway.domain.windows import asked_range, oldest_cached, parse_day

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    "text",
    ["", "2026-2-3", "2026-02-30", "20260203", "2026-02-03T00:00", "\u0662026-01-01"],
)
def test_no_date(text: str) -> None:
    """Anything but a real day written YYYY-MM-DD is INVALID_DATE."""
    with pytest.raises(RefusedError) as refused:
        parse_day(text)
    assert refused.value.code == "INVALID_DATE"


def test_leap_day() -> None:
    """A leap day is a real day."""
    assert parse_day("2028-02-29") == date(2028, 2, 29)


def test_default_range() -> None:
    """Without a range: so many days back, and today."""
    found = asked_range(None, None, today=TODAY, back=90)
    assert found == DayRange(date(2026, 8, 26), TODAY)
    assert len(found) == 91


def test_range_ends_today() -> None:
    """Days after today are left out."""
    found = asked_range("2026-11-20", "2026-12-31", today=TODAY, back=90)
    assert found == DayRange(date(2026, 11, 20), TODAY)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        ("2026-11-02", "2026-11-01", "INVALID_RANGE"),
        ("2025-11-22", "2026-11-24", "INVALID_RANGE"),
        ("x", None, "INVALID_DATE"),
        (None, "x", "INVALID_DATE"),
    ],
)
def test_impossible_range(first: str | None, last: str | None, code: str) -> None:
    """The wrong way round, or more than 366 days, is refused."""
    with pytest.raises(RefusedError) as refused:
        asked_range(first, last, today=TODAY, back=90)
    assert refused.value.code == code


def test_longest_range() -> None:
    """366 days are fine."""
    assert asked_range("2025-11-23", "2026-11-24", today=TODAY, back=90).first == date(
        2025, 11, 23
    )


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2020-01-01", None, 91),
        ("2026-08-27", None, 90),
        ("2020-01-01", "2020-02-01", 0),
    ],
)
def test_older_days_are_left_out(first: str, last: str | None, days: int) -> None:
    """What is older than the cache is clipped, however long the range asked for."""
    oldest = oldest_cached(TODAY)
    assert oldest == date(2026, 8, 26)
    found = asked_range(first, last, today=TODAY, back=90, oldest=oldest)
    assert len(found) == days
