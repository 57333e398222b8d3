"""Which days are shown, what is fetched for them, and when a round is due."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_collector.domain.rounds import next_round, wait_after
from opseer_collector.domain.windows import bounds, span, touched, window
from opseer_common.days import DayRange, day_of, zone

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
ZONES = st.sampled_from(sorted(available_timezones()))
INSTANTS = st.datetimes(datetime(2016, 1, 1), datetime(2030, 1, 1))


def test_the_window_is_ninety_days_and_today() -> None:
    """91 days that end with the zone's today."""
    assert window(NOW, zone("UTC")) == DayRange(date(2026, 8, 26), date(2026, 11, 24))
    assert window(NOW, zone("Pacific/Auckland")).last == date(2026, 11, 25)


@given(ZONES, INSTANTS)
def test_what_is_fetched_covers_the_window_of_every_zone(
    name: str, naive: datetime
) -> None:
    """Another zone never needs another fetch."""
    now = naive.replace(tzinfo=UTC)
    starts = bounds(window(now, zone(name)), zone(name))
    assert span(now, None, whole=True).since <= starts[0]


def test_a_daily_round_reads_a_week_again() -> None:
    """Seven days before the last collection, for what became visible late."""
    last = NOW - timedelta(days=1)
    read = span(NOW, last, whole=False)
    assert read.since == int((NOW - timedelta(days=8)).timestamp())
    assert read.events == read.since


def test_a_round_after_a_long_pause_reads_everything() -> None:
    """Events are kept for 30 days: an old collection is no base."""
    late = span(NOW, NOW - timedelta(days=16), whole=False)
    assert late == span(NOW, None, whole=True)


def test_touched_days() -> None:
    """A half-open span touches the days it has an instant of; unknown edges all."""
    starts = [0, 100, 200, 300]
    assert touched(100, 101, starts) == {1}
    assert touched(99, 201, starts) == {0, 1, 2}
    assert touched(None, 100, starts) == {0}
    assert touched(None, None, starts) == {0, 1, 2}
    assert touched(300, None, starts) == frozenset()


@given(ZONES, INSTANTS, st.uuids())
def test_a_round_is_due_once_per_local_day(
    name: str, naive: datetime, account: UUID
) -> None:
    """Walking from due to due visits every local day exactly once, DST or not."""
    tz, now = zone(name), naive.replace(tzinfo=UTC)
    due = [next_round(now, tz, account, "stripe")]
    for _ in range(5):
        due.append(next_round(due[-1], tz, account, "stripe"))
    days = [day_of(instant, tz) for instant in due]
    assert due[0] > now
    assert all(later > earlier for earlier, later in itertools.pairwise(due))
    assert days == list(DayRange(days[0], days[-1]))


def test_a_round_waits_until_the_closed_day_is_visible() -> None:
    """Between 15 and 75 minutes after local midnight, in the night of a clock change.

    New York's clocks went back at 2026-11-01 06:00 UTC: midnights are 04:00 and 05:00.
    """
    account = UUID(int=7)
    due = next_round(
        datetime(2026, 11, 1, 3, tzinfo=UTC),
        zone("America/New_York"),
        account,
        "stripe",
    )
    after = due - datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert timedelta(minutes=15) <= after < timedelta(minutes=75)
    again = next_round(due, zone("America/New_York"), account, "stripe")
    assert again - due == timedelta(hours=25)


def test_accounts_are_spread() -> None:
    """A thousand accounts are not due in the same minute."""
    minutes = {
        next_round(NOW, zone("UTC"), UUID(int=number), "stripe").minute
        for number in range(1000)
    }
    assert len(minutes) == 60


@pytest.mark.parametrize(
    ("tries", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (9, 60)]
)
def test_the_waits_grow_to_an_hour(tries: int, minutes: int) -> None:
    """1, 5, 15, 60 minutes, and no longer."""
    assert wait_after(tries) == timedelta(minutes=minutes)
