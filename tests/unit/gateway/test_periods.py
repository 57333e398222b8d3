"""The periods of the revenue page."""

from __future__ import annotations

from datetime import date

import pytest

from opseer_common.days import DayRange
from opseer_common.errors import RefusedError
from opseer_gateway.domain.periods import asked_period

TODAY = date(2026, 11, 24)


def day(text: str) -> date:
    """Return a day of 2026, from month and day."""
    return date.fromisoformat(f"2026-{text}")


@pytest.mark.parametrize(
    ("preset", "first", "last", "before"),
    [
        (None, "11-18", "11-24", ("11-11", "11-17")),
        ("7d", "11-18", "11-24", ("11-11", "11-17")),
        ("today", "11-24", "11-24", ("11-23", "11-23")),
        ("yesterday", "11-23", "11-23", ("11-22", "11-22")),
        ("this_month", "11-01", "11-24", ("10-08", "10-31")),
        ("last_month", "10-01", "10-31", ("08-31", "09-30")),
    ],
)
def test_presets(
    preset: str | None, first: str, last: str, before: tuple[str, str]
) -> None:
    """Each name means its days, and as many days just before; 7 days by default."""
    found = asked_period(preset, None, None, TODAY)
    assert found.days == DayRange(day(first), day(last))
    assert found.before == DayRange(*map(day, before))


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2026-11-02", "2026-11-05", ("11-02", "11-05")),
        ("2026-01-01", "2026-11-05", ("08-26", "11-05")),
        ("2026-11-20", "2027-01-01", ("11-20", "11-24")),
        ("2026-01-01", "2026-01-05", ("08-26", "08-26")),
        ("2027-01-01", "2027-01-05", ("11-24", "11-24")),
        ("2026-11-20", None, ("11-20", "11-24")),
        (None, "2026-11-20", ("11-14", "11-20")),
    ],
)
def test_custom(first: str | None, last: str | None, days: tuple[str, str]) -> None:
    """Two days choose a range, cut to today and the 90 days before it."""
    found = asked_period(None, first, last, TODAY)
    assert found.preset == "custom"
    assert found.days == DayRange(*map(day, days))


def test_what_is_before_the_cache_is_not_compared() -> None:
    """A period is compared only where all of the days before it are cached."""
    assert asked_period("custom", "2026-10-10", None, TODAY).before is None
    found = asked_period("custom", "2026-10-11", "2026-11-24", TODAY).before
    assert found == DayRange(day("08-27"), day("10-10"))


@pytest.mark.parametrize(
    ("preset", "first", "last", "code"),
    [
        ("year", None, None, "INVALID_PERIOD"),
        ("custom", "2026-11-05", "2026-11-02", "INVALID_RANGE"),
        ("custom", "2026-13-05", None, "INVALID_DATE"),
    ],
)
def test_what_is_no_period(
    preset: str, first: str | None, last: str | None, code: str
) -> None:
    """An unknown name, a range the wrong way round and no date are refused."""
    with pytest.raises(RefusedError) as refused:
        asked_period(preset, first, last, TODAY)
    assert refused.value.code == code
