"""Alerts in the words of their page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

import msgspec

from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.contracts.destination import DestinationKind
from opseer_common.days import zone
from opseer_common.errors import RefusedError
from opseer_common.money import Money, to_minor
from opseer_common.rendering import report_text
from opseer_gateway.domain.alerts import AlertChange, Alerts, Delivery
from opseer_gateway.domain.destinations import NewDestination
from opseer_gateway.domain.integrations import SOURCE_NAMES, SOURCES

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ZONES: Final = tuple(sorted(name for name in available_timezones() if "/" in name))
_HOUR: Final = 3600
_AMOUNT: Final = re.compile(r"\d{1,12}(\.\d{1,4})?", re.ASCII)
_TOPIC: Final = re.compile(r"\d{1,15}", re.ASCII)
_STATES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pending": ("waits", ""),
        "retrying": ("tried again", "warn"),
        "sent": ("sent", "good"),
        "failed": ("failed", "bad"),
        "disabled": ("disabled", "bad"),
        "perhaps_sent": ("perhaps sent", "warn"),
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "daily": "Daily report",
        "weekly": "Weekly digest",
        "movement": "Movement alert",
        "notice": "Notice",
        "test": "Test",
    }
)


@dataclass(frozen=True, slots=True)
class Toggle:
    """A channel and whether the report has it."""

    source: Source
    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class LogLine:
    """A delivery in words; `badge` is a class of the style sheet."""

    delivery_id: UUID
    what: str
    where: str
    when: str
    state: str
    badge: str
    note: str
    may_resend: bool


def toggles(alerts: Alerts) -> tuple[Toggle, ...]:
    """Return the channels in their order."""
    return tuple(
        Toggle(source, SOURCE_NAMES[source], alerts.sources[source])
        for source in SOURCES
    )


def upcoming(alerts: Alerts, now: datetime) -> str:
    """Say when the next report is sent, and which day it is about."""
    if alerts.next_report_at is None or alerts.next_report_day is None:
        if not any(one.state == "active" for one in alerts.destinations):
            return "No report will be sent: add a destination below."
        return "No report will be sent: choose channels and days."
    local = alerts.next_report_at.astimezone(zone(alerts.timezone))
    left = (alerts.next_report_at - now).total_seconds()
    hours = f"{left / _HOUR:.0f} h" if left >= _HOUR else f"{left / 60:.0f} min"
    return (
        f"Next report: {local:%a} {local.day} {local:%b %Y %H:%M} {alerts.timezone} "
        f"(in {hours}), about {alerts.next_report_day}."
    )


def log(deliveries: Sequence[Delivery], timezone: str) -> tuple[LogLine, ...]:
    """Return the delivery log, times in the user's zone."""
    tz = zone(timezone)
    lines = []
    for one in deliveries:
        state, badge = _STATES[one.state]
        at = one.sent_at or one.due_at
        lines.append(
            LogLine(
                delivery_id=one.delivery_id,
                what=f"{_KINDS[one.kind]} · {one.day}",
                where=f"{one.channel} {one.hint}",
                when=f"{at.astimezone(tz):%Y-%m-%d %H:%M}",
                state=state,
                badge=badge,
                note=_note(one, timezone),
                may_resend=one.state not in ("pending", "retrying"),
            )
        )
    return tuple(lines)


def _note(one: Delivery, timezone: str) -> str:
    """Say what went wrong, and when it is tried again."""
    parts = [f"{one.error.code}: {one.error.detail}"] if one.error else []
    if one.next_attempt_at is not None:
        local = one.next_attempt_at.astimezone(zone(timezone))
        parts.append(f"next try {local:%H:%M:%S}")
    return ", ".join(parts)


def result(one: Delivery) -> tuple[str, str]:
    """Return how a message that was asked for went, and a class for its notice."""
    if one.state == "sent":
        return "It was taken: look there, it should have arrived.", "good"
    if one.state == "pending":
        return "It is on its way. Reload the page to see how it went.", "warn"
    why = f"{one.error.code} — {one.error.detail}" if one.error else ""
    if one.state == "retrying":
        return f"It was not taken yet and is tried again. {why}", "warn"
    if one.state == "perhaps_sent":
        return f"Nobody knows whether it arrived: look there. {why}", "warn"
    return f"It was not taken. {why}", "bad"


def preview(report: DailyReport, alerts: Alerts) -> str:
    """Return the newest report with the chosen channels, as text."""
    chosen = tuple(one for one in report.channels if alerts.sources[one.source])
    return report_text(
        msgspec.to_builtins(msgspec.structs.replace(report, channels=chosen))
    )


def threshold_text(alerts: Alerts, currency: str) -> str:
    """Return the threshold in major units of `currency`."""
    amount = alerts.movement_threshold
    return "" if amount is None else str(Money(amount, currency).major())


def change_of(fields: Mapping[str, str], currency: str) -> AlertChange:
    """Return the settings of the page's form. RefusedError(INVALID_VALUE)."""
    return AlertChange(
        sources={source: f"source_{source}" in fields for source in SOURCES},
        time=fields.get("time", ""),
        timezone=fields.get("timezone", "").strip(),
        weekdays=tuple(day for day in range(1, 8) if f"day_{day}" in fields),
        weekly_digest="weekly_digest" in fields,
        movement_threshold=_threshold(fields.get("threshold", ""), currency),
    )


def _threshold(text: str, currency: str) -> int | None:
    """Read an amount in major units; None where the field is empty."""
    amount = text.strip()
    if not amount:
        return None
    if not _AMOUNT.fullmatch(amount):
        raise RefusedError("INVALID_VALUE", "A threshold is an amount such as 50.00.")
    return to_minor(Decimal(amount), currency)


def destination_of(kind: DestinationKind, fields: Mapping[str, str]) -> NewDestination:
    """Return the destination of a form. RefusedError(INVALID_DESTINATION)."""
    thread = fields.get("thread_id", "").strip()
    if thread and not _TOPIC.fullmatch(thread):
        raise RefusedError("INVALID_DESTINATION", "A topic is a number.")
    return NewDestination(
        kind=kind,
        name=fields.get("name", ""),
        url=fields.get("url", ""),
        secret=fields.get("secret", ""),
        bot_token=fields.get("bot_token", ""),
        chat_id=fields.get("chat_id", ""),
        thread_id=int(thread) if thread else None,
        address=fields.get("address", ""),
    )
