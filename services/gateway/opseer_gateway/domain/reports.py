"""The stored daily report, held against what is connected now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from opseer_common.contracts.daily_report import (
    DailyReport,
    Metric,
    MetricKey,
    ReportChannel,
)
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.windows import oldest_cached

TITLE: Final = "📊 Opseer Revenue Daily Report"
METRICS: Final[tuple[tuple[MetricKey, str], ...]] = (
    ("mrr", "MRR"),
    ("revenue", "Revenue"),
    ("orders", "Orders"),
    ("new_subs", "New Subs"),
    ("churned", "Churned"),
)
_MODES: Final = (("test", "TEST MODE"), ("demo", "DEMO"))


def current(
    stored: DailyReport | None,
    built_at: datetime | None,
    day: date,
    today: date,
    timezone: str,
    all_known: Sequence[Known],
) -> DailyReport:
    """Return the report of `day` without a number of a connection that is gone.

    A channel that is disconnected is left out. One that was connected after the
    report was built, or is not in it, has null values and says why.
    """
    built = {channel.source: channel for channel in stored.channels} if stored else {}
    channels = []
    for known in all_known:
        connection = known.connection
        if connection is None:
            continue
        channel = built.get(known.source)
        if channel is None or built_at is None or connection.connected_at > built_at:
            channel = ReportChannel(
                known.source,
                known.currency,
                connection.environment,
                _nothing(_why_none(day, today)),
            )
        channels.append(channel)
    modes = {channel.environment for channel in channels}
    return DailyReport(
        date=day,
        timezone=stored.timezone if stored else timezone,
        title=TITLE + "".join(f" · {words}" for mode, words in _MODES if mode in modes),
        channels=tuple(channels),
    )


def _why_none(day: date, today: date) -> str:
    """Return why a day has no report: only closed days of the cache have one."""
    if day >= today:
        return "ARRIVES_TOMORROW"
    return "BEFORE_HISTORY" if day < oldest_cached(today) else "COLLECTING"


def _nothing(reason: str) -> tuple[Metric, ...]:
    """Return the metrics without a value."""
    return tuple(
        Metric(key, label, None, None, None, "missing", reason)
        for key, label in METRICS
    )
