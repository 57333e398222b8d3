"""All reports of an account from everything that was read: what is new in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from opseer_common.contracts.daily_report import DailyReport
from opseer_common.contracts.message import Source
from opseer_common.days import ONE_DAY, DayRange, day_of, start_of, zone
from opseer_notifier.domain.report import SOURCES, Channel, closed_days, report, without


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection, the revisions read with it, and its rows.

    `timezone` is the IANA zone of its days.
    """

    connection_id: UUID
    collected_revision: int
    mrr_revision: int
    timezone: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that an account's reports follow from, and the `reports` there are.

    `gone` are sources whose numbers may stand in a report though the connection they
    came by is no more; `built_from` are the connections that the reports have seen.
    """

    account_id: UUID
    connected: Sequence[Connected]
    gone: frozenset[Source]
    reports: Mapping[date, DailyReport]
    built_from: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Built:
    """The reports that are not as they were stored.

    `days` were built, to the last closed one, which it is until `next_day_at`.
    """

    days: DayRange
    next_day_at: datetime
    changed: tuple[DailyReport, ...]


def timezone_of(connected: Sequence[Connected]) -> str:
    """Return the report's zone: Stripe's, else the first source's, else UTC."""
    zones = {one.channel.source: one.timezone for one in connected}
    return next((zones[source] for source in SOURCES if source in zones), "UTC")


def build(inputs: Inputs, now: datetime) -> Built:
    """Return what changes in an account's reports as of the aware instant `now`."""
    timezone = timezone_of(inputs.connected)
    tz = zone(timezone)
    today = day_of(now, tz)
    channels = [one.channel for one in inputs.connected]
    days = closed_days(channels, today)
    reports = {day: report(day, timezone, channels) for day in days}
    if inputs.gone:
        reports.update(
            (day, without(body, inputs.gone))
            for day, body in inputs.reports.items()
            if day not in reports
        )
    return Built(
        days=days,
        next_day_at=start_of(today + ONE_DAY, tz),
        changed=tuple(
            body
            for day, body in sorted(reports.items())
            if body != inputs.reports.get(day)
        ),
    )
