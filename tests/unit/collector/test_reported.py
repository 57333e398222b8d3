"""Sums of what a provider reports of itself: whole, or unknown with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from opseer_collector.domain.records import ProjectMetric, Reported, Told
from opseer_collector.domain.reported import (
    MetricDay,
    Stored,
    daily_rows,
    metric_days,
)
from opseer_collector.domain.windows import bounds
from opseer_common.days import DayRange

FIRST, SECOND, TODAY = date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24)
DAYS = DayRange(FIRST, TODAY)
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
NAMES = {
    "orders": Told("charts/revenue", "charts"),
    "mrr": Told("charts/mrr", "charts"),
}


def row(
    day: date,
    name: str,
    value: int | None,
    project: str = "a",
    *,
    currency: str | None = None,
    partial: bool = False,
) -> ProjectMetric:
    """Return a stored figure; money is in dollars."""
    unit = currency or ("" if name == "orders" else "usd")
    return ProjectMetric(project, day, name, unit, value, partial)


def figures(
    *metrics: ProjectMetric,
    projects: tuple[str, ...] = ("a",),
    names: dict[str, Told] = NAMES,
    aside: frozenset[tuple[str, date]] = frozenset(),
    missing: frozenset[str] = frozenset(),
    now: datetime = NOW,
) -> dict[tuple[date, str], MetricDay]:
    """Return the published figures by day and name."""
    stored = Stored([*DAYS], bounds(DAYS, ZoneInfo("UTC")), metrics, aside, missing)
    reported = Reported(names, projects, "UTC", "usd")
    return {(one.day, one.name): one for one in metric_days(stored, reported, now)}


def said(found: MetricDay) -> tuple[int | None, str | None]:
    """Return value and reason."""
    return found.value, found.reason


def test_projects_are_summed() -> None:
    """Rule: the figure of a day is the sum over the projects."""
    found = figures(
        row(FIRST, "orders", 2), row(FIRST, "orders", 3, "b"), projects=("a", "b")
    )
    assert said(found[FIRST, "orders"]) == (5, None)


def test_a_sum_lacks_no_project() -> None:
    """Rule: where one project's part is not known, the sum is not."""
    found = figures(
        row(FIRST, "orders", 2),
        row(FIRST, "orders", 3, "b"),
        row(SECOND, "orders", 2),
        projects=("a", "b"),
    )
    assert found[SECOND, "orders"].value is None
    assert found[SECOND, "orders"].reason is not None


def test_a_day_that_was_read_while_it_ran() -> None:
    """Rule: what was read before a day was over is no figure of it afterwards."""
    found = figures(
        row(SECOND, "orders", 4, partial=True), row(TODAY, "orders", 1, partial=True)
    )
    assert said(found[SECOND, "orders"]) == (None, "ARRIVES_TOMORROW")
    assert said(found[TODAY, "orders"]) == (1, "ARRIVES_TOMORROW")


def test_the_last_ten_minutes() -> None:
    """Rule: a day is complete ten minutes after its end."""
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    early = figures(row(SECOND, "orders", 4), now=midnight + timedelta(minutes=9))
    late = figures(row(SECOND, "orders", 4), now=midnight + timedelta(minutes=10))
    assert said(early[SECOND, "orders"]) == (4, "CRON_PENDING")
    assert said(late[SECOND, "orders"]) == (4, None)


def test_a_missing_permission_keeps_what_is_known() -> None:
    """Rule: days that were read before stay; the others name what is missing."""
    found = figures(row(FIRST, "orders", 2), missing=frozenset({"charts"}))
    assert said(found[FIRST, "orders"]) == (2, None)
    assert said(found[SECOND, "orders"]) == (None, "CHARTS_PERMISSION")


def test_what_was_put_aside_marks_its_own_days() -> None:
    """Rule: what could not be read marks the figures of its list and day alone."""
    found = figures(
        *(row(day, name, 1) for day in DAYS for name in NAMES),
        aside=frozenset({("charts/mrr", FIRST)}),
    )
    assert said(found[FIRST, "mrr"]) == (1, "QUARANTINE")
    assert said(found[FIRST, "orders"]) == (1, None)
    assert said(found[SECOND, "mrr"]) == (1, None)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ([SECOND, TODAY], "BEFORE_HISTORY"),
        ([date(2026, 11, 21)], "ARRIVES_TOMORROW"),
        ([date(2026, 11, 21), SECOND], "QUARANTINE"),
        ([], "BEFORE_HISTORY"),
    ],
)
def test_why_a_day_is_not_there(known: list[date], reason: str) -> None:
    """Rule: before the first day, after the last one, or a hole: never 0."""
    found = figures(*(row(day, "orders", 1) for day in known))
    assert said(found[FIRST, "orders"]) == (None, reason)


def test_net_is_charges_minus_refunds() -> None:
    """Rule: net is the difference where it is not reported; unknown if a part is."""
    told = Told("metrics", "metrics")
    names = {"charges_amount": told, "refunds_amount": Told("refunds", "refunds")}
    found = figures(
        row(FIRST, "charges_amount", 500),
        row(FIRST, "refunds_amount", 700),
        row(SECOND, "charges_amount", 500),
        names=names,
        missing=frozenset({"refunds"}),
    )
    assert said(found[FIRST, "net_revenue"]) == (-200, None)
    assert said(found[SECOND, "net_revenue"]) == (None, "REFUNDS_PERMISSION")


def test_another_currency_has_no_rate() -> None:
    """Rule: money of another currency is in no sum, and the day says so."""
    found = figures(row(FIRST, "mrr", 500), row(FIRST, "mrr", 900, currency="eur"))
    assert said(found[FIRST, "mrr"]) == (500, "NO_RATE")


def test_daily_rows_say_what_the_channel_says() -> None:
    """Rule: a daily row has what is reported, null what is not, and one reason."""
    names = {
        "net_revenue": Told("charts/revenue", "charts"),
        "orders": Told("charts/revenue", "charts"),
    }
    found = figures(
        row(FIRST, "net_revenue", 1999), row(FIRST, "orders", 2), names=names
    )
    [first, second, _] = daily_rows(found.values())
    assert (first.net_revenue, first.charges_count, first.reason) == (1999, 2, None)
    assert (first.failed_payments, first.refunds_amount) == (None, None)
    assert (second.net_revenue, second.reason) == (None, "ARRIVES_TOMORROW")
