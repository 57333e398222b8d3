"""The weekly digest: seven days of reports beside the seven before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from opseer_common.contracts.daily_report import DailyReport, Metric, ReportChannel
from opseer_common.contracts.message import Source
from opseer_common.days import DayRange, last_days
from opseer_common.rendering import ENGLISH, Line, day_text, heading, lines
from opseer_notifier.domain.letter import Letter, Section
from opseer_notifier.domain.report import titled

WEEK: Final = 7
TITLE: Final = "📊 Opseer Revenue Weekly Digest"


@dataclass(frozen=True, slots=True)
class _Sum:
    """A metric over a week: of how many days, and the reason of the newest gap."""

    value: int | None
    days: int
    reason: str | None


def weekly_letter(
    reports: Mapping[date, DailyReport],
    last: date,
    sources: frozenset[Source],
    at: datetime,
    *,
    url: str | None = None,
    locale: str = ENGLISH,
) -> Letter | None:
    """Return the digest of the week that ends with `last`; None without reports.

    MRR is that of the last day; the others are summed over the days that are known,
    and it says how many where they are not seven.
    """
    newest = reports.get(last)
    if newest is None:
        return None
    week = last_days(WEEK, last)
    channels = tuple(
        _channel(one, reports, week) for one in newest.channels if one.source in sources
    )
    report = titled(last, newest.timezone, tuple(one for one, _ in channels), TITLE)
    first = day_text(week.first, locale)
    return Letter(
        kind="weekly",
        title=report.title,
        subtitle=f"{first} to {day_text(last, locale)} · {report.timezone}",
        at=at,
        intro="" if channels else "No source is connected.",
        sections=tuple(
            Section(heading(one, report), _noted(lines(one, locale), days))
            for one, days in channels
        ),
        url=url,
        data={
            "first_day": week.first,
            "last_day": last,
            "timezone": report.timezone,
            "channels": msgspec.to_builtins(report.channels),
        },
    )


def _channel(
    channel: ReportChannel, reports: Mapping[date, DailyReport], week: DayRange
) -> tuple[ReportChannel, list[int]]:
    """Return the channel with its week's metrics, and of how many days each is."""
    before = DayRange(week.first - timedelta(days=WEEK), week.first - timedelta(days=1))
    metrics, days = [], []
    for place, metric in enumerate(channel.metrics):
        if metric.key == "mrr":
            earlier = _metric(reports.get(before.last), channel, place)
            metrics.append(_beside(metric, earlier.value if earlier else None))
            days.append(WEEK)
            continue
        now = _sum(reports, week, channel, place)
        then = _sum(reports, before, channel, place)
        whole = now.days == then.days == WEEK
        metrics.append(
            Metric(
                key=metric.key,
                label=metric.label,
                value=now.value,
                previous=then.value if whole else None,
                average_7d=None,
                status="missing" if now.value is None else "ok",
                reason=now.reason if now.value is None else None,
            )
        )
        days.append(now.days)
    return msgspec.structs.replace(channel, metrics=tuple(metrics)), days


def _beside(metric: Metric, previous: int | None) -> Metric:
    return msgspec.structs.replace(metric, previous=previous, average_7d=None)


def _metric(report: DailyReport | None, of: ReportChannel, place: int) -> Metric | None:
    """Return a channel's metric of a day; None where it is in another currency."""
    for channel in report.channels if report else ():
        if (channel.source, channel.currency) == (of.source, of.currency):
            return channel.metrics[place]
    return None


def _sum(
    reports: Mapping[date, DailyReport],
    days: DayRange,
    of: ReportChannel,
    place: int,
) -> _Sum:
    """Return a metric's sum over the days that have a value."""
    found = [_metric(reports.get(day), of, place) for day in days]
    values = [one.value for one in found if one is not None and one.value is not None]
    gaps = [one.reason for one in found if one is not None and one.value is None]
    if not values:
        return _Sum(None, 0, gaps[-1] if gaps else "COLLECTING")
    return _Sum(sum(values), len(values), None)


def _noted(rows: tuple[Line, ...], days: Sequence[int]) -> tuple[Line, ...]:
    """Return the rows, each with of how many days it is where that is not seven."""
    return tuple(
        row
        if count in (0, WEEK)
        else replace(
            row, note=" · ".join(filter(None, [row.note, f"{count} of 7 days"]))
        )
        for row, count in zip(rows, days, strict=True)
    )
