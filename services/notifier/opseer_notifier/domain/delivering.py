"""From a delivery that is due to the letter that is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from opseer_common.contracts.daily_report import DailyReport
from opseer_common.contracts.destination import DestinationKind
from opseer_common.contracts.message import Source
from opseer_notifier.domain.letter import Kind, Letter, daily_letter
from opseer_notifier.domain.movement import Movement, movement_letter
from opseer_notifier.domain.notices import Notice, notice_letter
from opseer_notifier.domain.weekly import weekly_letter

_OPEN: Final = frozenset({"CRON_PENDING", "COLLECTING"})
_TEST_WORDS: Final = (
    "This is a test: messages from Opseer arrive here. A report looks like this:"
)
_TEST_ALONE: Final = "This is a test: messages from Opseer arrive here."


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that was claimed: attempt number `attempts` runs under `fence`.

    `reports` are those that its letter needs, by day. `had_error`: the destination
    shows an error of an earlier attempt.
    """

    delivery_id: UUID
    account_id: UUID
    user_id: UUID
    destination_id: UUID
    channel: DestinationKind
    name: str
    sealed: bytes = field(repr=False)
    moved_to: str | None
    had_error: bool
    asked: bool
    kind: Kind
    day: date
    due_at: datetime
    attempts: int
    fence: int
    sources: frozenset[Source]
    body: str | None
    reports: Mapping[date, DailyReport]


def is_ready(report: DailyReport | None, sources: frozenset[Source]) -> bool:
    """Tell whether the day of `report` is collected for the chosen sources.

    What will come tomorrow, or never, is not waited for.
    """
    if report is None:
        return False
    return not any(
        metric.reason in _OPEN
        for channel in report.channels
        if channel.source in sources
        for metric in channel.metrics
    )


def letter_of(delivery: Delivery, url: str | None) -> Letter | None:
    """Return what is sent; None where there is no report to send."""
    if delivery.kind == "daily":
        report = delivery.reports.get(delivery.day)
        if report is None:
            return None
        return daily_letter(report, delivery.sources, delivery.due_at, url=url)
    if delivery.kind == "weekly":
        return weekly_letter(
            delivery.reports, delivery.day, delivery.sources, delivery.due_at, url=url
        )
    if delivery.kind == "test":
        return _test(delivery, url)
    body = delivery.body or "null"
    if delivery.kind == "movement":
        movement = msgspec.json.decode(body, type=Movement | None)
        return movement_letter(movement, delivery.due_at, url=url) if movement else None
    notice = msgspec.json.decode(body, type=Notice | None)
    return notice_letter(notice, delivery.due_at, url=url) if notice else None


def _test(delivery: Delivery, url: str | None) -> Letter:
    """Return a test with the newest report, where there is one, as an example."""
    alone = Letter(
        kind="test",
        title="Opseer test message",
        subtitle="",
        at=delivery.due_at,
        intro=_TEST_ALONE,
        url=url,
    )
    if not delivery.reports:
        return alone
    newest = delivery.reports[max(delivery.reports)]
    shown = daily_letter(newest, delivery.sources, delivery.due_at, url=url)
    return replace(
        alone,
        subtitle=f"{shown.title} · {shown.subtitle}",
        intro=_TEST_WORDS,
        sections=shown.sections,
        data=shown.data,
    )
