"""The five metrics of channels that report their own figures."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import Metric
from opseer_notifier.domain.report import Channel, Reported, closed_days, report

DAY = date(2026, 11, 23)
NAMES = ("mrr", "net_revenue", "orders", "new_subs", "churned_subs")


def channel(
    source: Source, *more: tuple[str, int | None, str | None], zone: str = "UTC"
) -> Channel:
    """Return a channel with 10 of everything for ten days; `more` are of DAY."""
    reported = {
        (DAY - timedelta(days=back), name): Reported(10, None)
        for back in range(10)
        for name in NAMES
    }
    reported |= {(DAY, name): Reported(value, reason) for name, value, reason in more}
    return Channel(
        source=source,
        currency="usd",
        environment="live",
        collecting=False,
        permissions={},
        daily={},
        movements={},
        reported=reported,
        timezone=zone,
    )


def metrics(of: Channel, timezone: str = "UTC") -> dict[str, Metric]:
    """Return the metrics of DAY by key."""
    [found] = report(DAY, timezone, [of]).channels
    return {metric.key: metric for metric in found.metrics}


def test_what_is_reported_is_the_metric() -> None:
    """Rule: value, the day before and the week's average come from the channel."""
    found = metrics(channel("polar", ("mrr", 17, None)))["mrr"]
    assert (found.value, found.previous, found.average_7d) == (17, 10, 10)
    assert (found.status, found.reason) == ("ok", None)


@pytest.mark.parametrize(
    ("source", "value", "reason", "shown"),
    [
        ("revenuecat", None, "ARRIVES_TOMORROW", "ARRIVES_TOMORROW"),
        ("revenuecat", 4, "ARRIVES_TOMORROW", "ARRIVES_TOMORROW"),
        ("polar", 4, "ARRIVES_TOMORROW", "CRON_PENDING"),
        ("polar", None, "REFUNDS_PERMISSION", "REFUNDS_PERMISSION"),
    ],
)
def test_what_is_not_the_days_figure(
    source: Source, value: int | None, reason: str, shown: str
) -> None:
    """Rule: a day that is not all there is "—"; a day behind is RevenueCat's alone."""
    found = metrics(channel(source, ("net_revenue", value, reason)))
    assert (found["revenue"].value, found["revenue"].reason) == (None, shown)
    assert found["orders"].status == "ok"


def test_what_lacks_a_part_says_so() -> None:
    """Rule: a figure that lacks something is shown with its reason."""
    found = metrics(channel("polar", ("net_revenue", 4, "NO_RATE")))["revenue"]
    assert (found.value, found.status, found.reason) == (4, "partial", "NO_RATE")


def test_definitions_stand_beside_the_metrics() -> None:
    """Rule: a metric that a channel defines in its own way has its caveats."""
    assert metrics(channel("polar"))["new_subs"].caveats == ("TRIALS_COUNT",)
    churned = metrics(channel("revenuecat"))["churned"]
    assert "NET_OF_RESUBSCRIPTIONS" in churned.caveats


def test_days_of_another_zone_are_named() -> None:
    """Rule: a channel names the zone of its days where it is not the report's."""
    [other] = report(DAY, "Asia/Seoul", [channel("revenuecat")]).channels
    [same] = report(DAY, "UTC", [channel("revenuecat")]).channels
    assert (other.timezone, same.timezone) == ("UTC", None)


def test_days_with_reported_figures_have_reports() -> None:
    """Rule: reports begin with the oldest day that any channel reports."""
    days = closed_days([channel("polar")], DAY + timedelta(days=1))
    assert (days.first, days.last) == (DAY - timedelta(days=9), DAY)
