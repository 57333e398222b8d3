"""Reporting days: half-open, zone-true, without gaps and overlaps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common.days import DayRange, day_of, last_days, start_of, zone
from opseer_common.errors import RefusedError

ZONES = ["UTC", "America/New_York", "Asia/Seoul", "America/Havana", "Pacific/Apia"]


@pytest.mark.parametrize(
    ("name", "day", "begins"),
    [
        # The clock jumped from 23:30 to 00:30.
        ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30)),
        # Midnight itself was skipped.
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3)),
        # The whole day was skipped: it begins where the next one does.
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10)),
        ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10)),
        # Midnight happened twice: the first counts.
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4)),
    ],
)
def test_a_day_begins_at_its_first_instant(
    name: str, day: date, begins: datetime
) -> None:
    """Rule: a day begins at the first instant that carries its date."""
    assert start_of(day, zone(name)) == begins.replace(tzinfo=UTC)


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
)
def test_every_instant_belongs_to_exactly_one_day(name: str, instant: datetime) -> None:
    """Rule: start_of(day) <= instant < start_of(next day), for the instant's day."""
    tz = zone(name)
    day = day_of(instant, tz)
    assert start_of(day, tz) <= instant < start_of(day + timedelta(days=1), tz)


def test_days_at_a_clock_change_have_23_and_25_hours() -> None:
    """Rule: a local day is as long as the clock makes it."""
    tz = zone("America/New_York")
    spring, autumn = date(2026, 3, 8), date(2026, 11, 1)
    for day, hours in ((spring, 23), (autumn, 25)):
        first, end = DayRange(day, day).bounds(tz)
        assert end - first == timedelta(hours=hours)


def test_the_last_90_days_end_today() -> None:
    """Rule: a window of n days holds n days and ends with today."""
    days = list(last_days(90, date(2026, 3, 1)))
    assert (len(days), days[0], days[-1]) == (90, date(2025, 12, 2), date(2026, 3, 1))


@pytest.mark.parametrize("name", ["../../etc/passwd", "Europe/Nowhere", "", "utc\0"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    """Rule: a zone is one of the list, never a path that is opened."""
    with pytest.raises(RefusedError) as error:
        zone(name)
    assert error.value.code == "INVALID_TIMEZONE"
