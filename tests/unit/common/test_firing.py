"""When a report is sent, and which day it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opseer_common.firing import Timetable

ONE_SECOND = timedelta(seconds=1)
ZONES = (
    *("UTC", "America/New_York", "Europe/Berlin", "Australia/Sydney", "Asia/Seoul"),
    *("Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/Sao_Paulo"),
    *("Australia/Lord_Howe", "Pacific/Kiritimati", "Atlantic/Azores"),
)
zones = st.sampled_from(ZONES)
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45, 59]))
starts = st.dates(date(2025, 1, 2), date(2040, 1, 1))


def at(text: str) -> datetime:
    """Return an instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "when", "instant"),
    [
        # Clocks go forward from 02:00 to 03:00: half past two is half past three.
        ("America/New_York", date(2026, 3, 8), time(2, 30), "2026-03-08T07:30"),
        # Clocks go back from 02:00 to 01:00: of two half past ones the first.
        ("America/New_York", date(2026, 11, 1), time(1, 30), "2026-11-01T05:30"),
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29T01:30"),
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T00:30"),
        ("Asia/Seoul", date(2026, 11, 24), time(9), "2026-11-24T00:00"),
    ],
)
def test_a_time_that_clocks_skip_or_repeat(
    zone: str, day: date, when: time, instant: str
) -> None:
    """A time that is skipped comes later, one that is repeated at its first."""
    assert Timetable(when, zone).instant(day) == at(instant)


def once_each(zone: str, other: str, when: time, start: date) -> None:
    """Look at 400 days: both ends of summer time, in either zone."""
    table = Timetable(when, zone)
    now = table.instant(start) - ONE_SECOND
    fired, reported = [], []
    for _ in range(400):
        found = table.next_after(now)
        assert found is not None
        assert found > now
        now = found
        local = table.last_until(now)
        assert local is not None
        fired.append(local)
        day = table.reports(local, other)
        reported.append(day)
        over = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(other))
        assert over <= now
    assert fired == [start + timedelta(days=n) for n in range(400)]
    assert reported == [reported[0] + timedelta(days=n) for n in range(400)]


@settings(max_examples=12, deadline=None)
@given(zone=zones, other=zones, when=times, start=starts)
def test_every_local_day_once_and_every_report_day_once(
    zone: str, other: str, when: time, start: date
) -> None:
    """One firing per local date, in order.

    The reported days follow one another without a gap or a repeat, and each is over
    when it is reported.
    """
    once_each(zone, other, when, start)


@pytest.mark.deep
@settings(max_examples=1_000, deadline=None)
@given(zone=zones, other=zones, when=times, start=starts)
def test_the_same_a_thousand_times(
    zone: str, other: str, when: time, start: date
) -> None:
    """The rule above, over more zones, times and years."""
    once_each(zone, other, when, start)


def test_the_day_that_samoa_skipped_is_sent_once() -> None:
    """Samoa had no 30 December 2011: that morning and the next one are the same."""
    table = Timetable(time(9), "Pacific/Apia")
    now, found = at("2011-12-28T00:00"), []
    for _ in range(4):
        now = table.next_after(now) or now
        found.append(now)
    assert [f"{one:%d %H}" for one in found] == ["28 19", "29 19", "30 19", "31 19"]


@pytest.mark.parametrize(
    ("when", "zone", "account_zone", "behind"),
    [
        (time(9), "UTC", "UTC", 1),
        (time(9), "Asia/Seoul", "UTC", 1),
        # At 08:59 in Seoul the day in UTC is not over.
        (time(8, 59), "Asia/Seoul", "UTC", 2),
        # In summer New York's midnight is six in Berlin, in a few weeks it is five.
        (time(6), "Europe/Berlin", "America/New_York", 1),
        (time(5, 30), "Europe/Berlin", "America/New_York", 2),
        (time(18), "America/Los_Angeles", "UTC", 1),
    ],
)
def test_the_reported_day_is_over_in_every_season(
    when: time, zone: str, account_zone: str, behind: int
) -> None:
    """Yesterday by the user's calendar, or the day before where it may not be over."""
    day = date(2026, 11, 24)
    found = Timetable(when, zone).reports(day, account_zone)
    assert (day - found).days == behind


def test_weekdays() -> None:
    """Only chosen days fire; without any, nothing ever does."""
    table = Timetable(time(9), "UTC", frozenset({1, 5}))
    assert table.next_after(at("2026-11-24T00:00")) == at("2026-11-27T09:00")
    assert table.last_until(at("2026-11-24T00:00")) == date(2026, 11, 23)
    never = Timetable(time(9), "UTC", frozenset())
    assert never.next_after(at("2026-11-24T00:00")) is None
    assert never.last_until(at("2026-11-24T00:00")) is None
