"""The five metrics of a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common.contracts.daily_report import Metric
from opseer_common.contracts.message import Source
from opseer_notifier.domain.report import (
    Channel,
    DailyRow,
    MovementRow,
    closed_days,
    report,
    without,
)

DAY = date(2026, 11, 23)
FIVE = ["mrr", "revenue", "orders", "new_subs", "churned"]


def days_back(count: int, until: date = DAY) -> list[date]:
    """Return the `count` days that end with `until`, newest first."""
    return [until - timedelta(days=back) for back in range(count)]


def daily_row(day: date, net: int = 500, charges: int = 3) -> DailyRow:
    """Return a complete day of the cache in dollars."""
    return DailyRow(day, "usd", net, charges, complete=True, reason=None)


def movement_row(day: date, snapshot: int = 9000) -> MovementRow:
    """Return a complete day of movements in dollars."""
    return MovementRow(day, "usd", snapshot, 2, 1, complete=True, reason=None)


CHANNEL = Channel(
    source="stripe",
    currency="usd",
    environment="live",
    collecting=False,
    permissions={},
    daily={day: daily_row(day) for day in days_back(90)},
    movements={day: movement_row(day) for day in days_back(30)},
)


def metrics_of(channel: Channel, day: date = DAY) -> Mapping[str, Metric]:
    """Return the metrics of a report with one channel, by key."""
    body = report(day, "UTC", [channel])
    return {metric.key: metric for metric in body.channels[0].metrics}


def with_daily(day: date, row: DailyRow | None) -> Channel:
    """Return the channel with another row, or none, for `day`."""
    daily = {**CHANNEL.daily}
    daily.pop(day, None)
    return replace(CHANNEL, daily=daily if row is None else {**daily, day: row})


def with_movement(day: date, row: MovementRow | None) -> Channel:
    """Return the channel with another row, or none, for `day`."""
    rows = {**CHANNEL.movements}
    rows.pop(day, None)
    return replace(CHANNEL, movements=rows if row is None else {**rows, day: row})


def test_labels_and_order_are_fixed() -> None:
    """Every channel has the same five, named alike, in the same order."""
    body = report(DAY, "UTC", [replace(CHANNEL, source="polar"), CHANNEL])
    assert [one.source for one in body.channels] == ["stripe", "polar"]
    for channel in body.channels:
        assert [(metric.key, metric.label) for metric in channel.metrics] == [
            ("mrr", "MRR"),
            ("revenue", "Revenue"),
            ("orders", "Orders"),
            ("new_subs", "New Subs"),
            ("churned", "Churned"),
        ]


def test_each_metric_has_its_column() -> None:
    """MRR is the day's snapshot, Revenue net, Orders charges, the rest counts."""
    found = metrics_of(CHANNEL)
    assert [found[key].value for key in FIVE] == [9000, 500, 3, 2, 1]
    assert {metric.status for metric in found.values()} == {"ok"}
    assert {metric.reason for metric in found.values()} == {None}


@pytest.mark.parametrize(
    ("environments", "end"),
    [
        (["live"], "Report"),
        (["test"], "Report · TEST MODE"),
        (["demo"], "Report · DEMO"),
        (["live", "test"], "Report · TEST MODE"),
    ],
)
def test_the_title_says_what_is_not_real(environments: list[str], end: str) -> None:
    """TEST MODE and DEMO are said where they hold."""
    sources = ["stripe", "polar"]
    channels = [
        replace(CHANNEL, source=source, environment=environment)  # type: ignore[arg-type]
        for source, environment in zip(sources, environments, strict=False)
    ]
    title = report(DAY, "UTC", channels).title
    assert title.startswith("📊 Opseer Revenue Daily Report")
    assert title.endswith(end)


def test_a_day_before_history_has_no_mrr() -> None:
    """Revenue has 90 days, movements 30: before them the three are null, not 0."""
    found = metrics_of(CHANNEL, DAY - timedelta(days=40))
    for key in ("mrr", "new_subs", "churned"):
        assert (found[key].value, found[key].status) == (None, "missing")
        assert found[key].reason == "BEFORE_HISTORY"
    assert found["revenue"].value == 500


def test_a_day_that_was_not_collected_waits() -> None:
    """No row for the newest day: null with CRON_PENDING in all five."""
    found = metrics_of(CHANNEL, DAY + timedelta(days=1))
    assert {metric.value for metric in found.values()} == {None}
    assert {metric.reason for metric in found.values()} == {"CRON_PENDING"}
    assert {metric.status for metric in found.values()} == {"missing"}


@pytest.mark.parametrize(
    ("source", "said", "reason"),
    [
        ("stripe", "CRON_PENDING", "CRON_PENDING"),
        ("stripe", "ARRIVES_TOMORROW", "CRON_PENDING"),
        ("revenuecat", "ARRIVES_TOMORROW", "ARRIVES_TOMORROW"),
    ],
)
def test_what_was_read_before_the_days_end_is_stale(
    source: Source, said: str, reason: str
) -> None:
    """A row of an earlier instant is not shown as the day's figure.

    That the rest comes tomorrow was said while the day lasted: now it is awaited.
    """
    row = replace(daily_row(DAY), complete=False, reason=said)
    channel = replace(with_daily(DAY, row), source=source)
    revenue = metrics_of(channel)["revenue"]
    assert (revenue.value, revenue.status, revenue.reason) == (None, "stale", reason)


def test_a_figure_that_could_not_be_read_is_missing() -> None:
    """Null in the cache is null in the report, under the cache's reason."""
    reason = "BALANCE_TRANSACTION_SOURCE_PERMISSION"
    row = DailyRow(DAY, "usd", None, None, complete=False, reason=reason)
    found = metrics_of(with_daily(DAY, row))
    for key in ("revenue", "orders"):
        assert (found[key].value, found[key].status) == (None, "missing")
        assert found[key].reason == reason


@pytest.mark.parametrize("reason", ["QUARANTINE", "NO_RATE", "MISSED_EVENT"])
def test_an_incomplete_day_is_partial(reason: str) -> None:
    """A value of which a part is missing is shown and marked."""
    moved = replace(movement_row(DAY), complete=False, reason=reason)
    mrr = metrics_of(with_movement(DAY, moved))["mrr"]
    assert (mrr.value, mrr.status, mrr.reason) == (9000, "partial", reason)


def test_a_missing_permission_for_other_columns_does_not_matter() -> None:
    """Revenue and Orders come from balance transactions, not from charges."""
    row = replace(
        daily_row(DAY), complete=False, reason="CHARGES_AND_REFUNDS_PERMISSION"
    )
    found = metrics_of(with_daily(DAY, row))
    assert (found["revenue"].value, found["revenue"].status) == (500, "ok")
    assert (found["orders"].value, found["orders"].status) == (3, "ok")


@pytest.mark.parametrize(
    ("permission", "reason"),
    [
        ("subscriptions", "SUBSCRIPTIONS_PERMISSION"),
        ("events", "EVENTS_PERMISSION"),
    ],
)
def test_without_a_permission_there_is_no_mrr(permission: str, reason: str) -> None:
    """The three of subscriptions are null and say which permission is missing."""
    channel = replace(CHANNEL, movements={}, permissions={permission: "missing"})
    found = metrics_of(channel)
    for key in ("mrr", "new_subs", "churned"):
        assert (found[key].value, found[key].reason) == (None, reason)
    assert found["orders"].value == 3


def test_a_snapshot_without_events_is_not_the_days_mrr() -> None:
    """A row that Events could not complete gives "—" as the description says."""
    row = MovementRow(
        DAY, "usd", 9000, None, None, complete=False, reason="EVENTS_PERMISSION"
    )
    mrr = metrics_of(with_movement(DAY, row))["mrr"]
    assert (mrr.value, mrr.status, mrr.reason) == (None, "missing", "EVENTS_PERMISSION")


def test_a_source_without_rows_is_being_collected() -> None:
    """A source that is connected stands in the report before its first rows."""
    channel = replace(CHANNEL, daily={}, movements={}, collecting=True, currency=None)
    found = metrics_of(channel)
    assert {metric.reason for metric in found.values()} == {"COLLECTING"}


def test_money_of_another_currency_is_not_compared() -> None:
    """Euros from before a change of currency are no dollars: null, never 1:1."""
    channel = with_daily(
        DAY - timedelta(days=1),
        replace(daily_row(DAY - timedelta(days=1)), currency="eur"),
    )
    found = metrics_of(channel)
    assert found["revenue"].previous is None
    assert found["orders"].previous == 3


def test_the_average_is_of_days_that_are_there() -> None:
    """The mean of the seven days before, without absent ones, half to even."""
    values = {1: 10, 2: 11, 3: 10, 5: 11, 8: 1_000_000}
    daily = {
        day: daily_row(day, values[back])
        for back in values
        for day in [DAY - timedelta(days=back)]
    }
    found = metrics_of(replace(CHANNEL, daily=daily))
    assert found["revenue"].average_7d == 10  # 42 / 4 = 10.5
    assert found["revenue"].previous == 10


def test_no_average_of_three_days() -> None:
    """Fewer than four days of seven say too little."""
    daily = {day: daily_row(day) for day in days_back(4)}
    assert metrics_of(replace(CHANNEL, daily=daily))["revenue"].average_7d is None


def test_the_days_reported_are_the_closed_ones() -> None:
    """Yesterday back to the oldest row, at most 90 days; nothing without rows."""
    today = DAY + timedelta(days=1)
    assert list(closed_days([CHANNEL], today)) == days_back(90)[::-1]
    longer = {day: daily_row(day) for day in days_back(120)}
    assert len(closed_days([replace(CHANNEL, daily=longer)], today)) == 90
    assert len(closed_days([], today)) == 0


def test_a_source_can_be_taken_out() -> None:
    """Neither its numbers nor its mark in the title stay."""
    other = replace(CHANNEL, source="polar", environment="test")
    both = report(DAY, "UTC", [CHANNEL, other])
    assert without(both, frozenset({"polar"})) == report(DAY, "UTC", [CHANNEL])


rows = st.builds(
    DailyRow,
    day=st.sampled_from(days_back(12)),
    currency=st.sampled_from(["usd", "eur"]),
    net_revenue=st.integers(-(10**9), 10**9),
    charges_count=st.integers(0, 10**6),
    complete=st.booleans(),
    reason=st.sampled_from(["CRON_PENDING", "QUARANTINE"]),
)


@given(st.lists(rows), st.sampled_from(days_back(14, DAY + timedelta(days=1))))
def test_null_and_reason_go_together(found: list[DailyRow], day: date) -> None:
    """A value is null exactly when it is missing or stale; only ok has no reason."""
    channel = replace(CHANNEL, daily={row.day: row for row in found}, movements={})
    for metric in metrics_of(channel, day).values():
        assert (metric.value is None) == (metric.status in ("missing", "stale"))
        assert (metric.reason is None) == (metric.status == "ok")


@given(st.lists(rows))
def test_the_average_lies_between_its_days(found: list[DailyRow]) -> None:
    """Whatever is there, a mean is never outside of what it is the mean of."""
    daily = {row.day: replace(row, complete=True, reason=None) for row in found}
    orders = metrics_of(replace(CHANNEL, daily=daily))["orders"]
    if orders.average_7d is not None:
        week = days_back(7, DAY - timedelta(days=1))
        counts = [daily[day].charges_count or 0 for day in week if day in daily]
        assert min(counts) <= orders.average_7d <= max(counts)
