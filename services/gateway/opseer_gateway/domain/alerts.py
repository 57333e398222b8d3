"""A user's alert settings as the API shows and takes them."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from opseer_common.contracts import Source
from opseer_common.contracts.destination import DestinationKind
from opseer_common.days import zone
from opseer_common.errors import RefusedError
from opseer_common.firing import EVERY_DAY, Timetable
from opseer_gateway.domain.destinations import NewDestination
from opseer_gateway.domain.integrations import SOURCES, LastError
from opseer_gateway.domain.visitors import Visitor

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_FREE: Final = "free"
_LARGEST_THRESHOLD: Final = 10**15


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go; the address itself is never shown again.

    `secret` is a webhook's signing secret, there only in the answer that made it.
    """

    destination_id: UUID
    kind: DestinationKind
    name: str
    hint: str
    state: Literal["active", "disabled"]
    last_error: LastError | None
    created_at: datetime
    secret: str | None = None


class Stored(msgspec.Struct, frozen=True):
    """The stored settings of a user."""

    sources: frozenset[str]
    send_at: time
    timezone: str
    weekdays: frozenset[int]
    weekly_digest: bool
    movement_threshold: int | None


DEFAULT: Final = Stored(frozenset(SOURCES), time(9), "UTC", EVERY_DAY, False, None)  # noqa: FBT003


class Alerts(msgspec.Struct, frozen=True):
    """What a user is told, where and when.

    `time` is HH:MM in the IANA zone `timezone`; weekdays are 1 (Monday) to 7. The
    threshold is in minor units of each channel's currency, null for no alerts of
    movements. `next_report_at` is null where no report will be sent.
    """

    sources: dict[Source, bool]
    time: str
    timezone: str
    weekdays: tuple[int, ...]
    weekly_digest: bool
    movement_threshold: int | None
    destinations: tuple[Destination, ...]
    next_report_at: datetime | None
    next_report_day: date | None


class AlertChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New settings; what is left out stays as it is.

    `destinations` is the whole list: one that is not in it is deleted.
    """

    sources: dict[Source, bool] | UnsetType = UNSET
    time: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    weekdays: tuple[int, ...] | UnsetType = UNSET
    weekly_digest: bool | UnsetType = UNSET
    movement_threshold: int | UnsetType | None = UNSET
    destinations: tuple[NewDestination, ...] | UnsetType = UNSET

    def applied_to(self, stored: Stored) -> Stored:
        """Return the settings with the changes.

        RefusedError: INVALID_TIME, INVALID_TIMEZONE, INVALID_WEEKDAYS, INVALID_VALUE.
        """
        return Stored(
            sources=_sources(self.sources, stored.sources),
            send_at=stored.send_at if self.time is UNSET else _time(self.time),
            timezone=(
                stored.timezone if self.timezone is UNSET else str(zone(self.timezone))
            ),
            weekdays=(
                stored.weekdays if self.weekdays is UNSET else _weekdays(self.weekdays)
            ),
            weekly_digest=(
                stored.weekly_digest
                if self.weekly_digest is UNSET
                else self.weekly_digest
            ),
            movement_threshold=(
                stored.movement_threshold
                if self.movement_threshold is UNSET
                else _threshold(self.movement_threshold)
            ),
        )


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one destination. Instants are UTC.

    `state`: pending, retrying (`next_attempt_at` says when), sent, failed, disabled
    (so is its destination), perhaps_sent: nobody knows, so it is not sent again unless
    you ask.
    """

    delivery_id: UUID
    destination_id: UUID
    channel: DestinationKind
    hint: str
    kind: str
    day: date
    state: str
    attempts: int
    error: LastError | None
    due_at: datetime
    next_attempt_at: datetime | None
    sent_at: datetime | None


class Deliveries(msgspec.Struct, frozen=True):
    """A page of deliveries, the newest first; None where no older one is left."""

    deliveries: tuple[Delivery, ...]
    next_cursor: str | None


def paid(visitor: Visitor) -> None:
    """Refuse alerts on the free plan. RefusedError(PLAN_REQUIRED)."""
    if visitor.plan == _FREE:
        raise RefusedError(
            "PLAN_REQUIRED",
            "Alerts come with the plans Starter, Plus and Max; this account is on "
            "Free, where everything else works. Who runs this Opseer sets the plan of "
            "new accounts with OPSEER_DEFAULT_PLAN.",
        )


def described(
    stored: Stored, destinations: tuple[Destination, ...], zones: str, now: datetime
) -> Alerts:
    """Return the settings; `zones` is the zone of the account's days."""
    table = Timetable(stored.send_at, stored.timezone, stored.weekdays)
    active = any(one.state == "active" for one in destinations)
    upcoming = table.next_after(now) if active and stored.sources else None
    day = None
    if upcoming is not None:
        local = upcoming.astimezone(zone(stored.timezone)).date()
        day = table.reports(local, zones)
    return Alerts(
        sources={source: source in stored.sources for source in SOURCES},
        time=f"{stored.send_at:%H:%M}",
        timezone=stored.timezone,
        weekdays=tuple(sorted(stored.weekdays)),
        weekly_digest=stored.weekly_digest,
        movement_threshold=stored.movement_threshold,
        destinations=destinations,
        next_report_at=upcoming,
        next_report_day=day,
    )


def _sources(
    change: dict[Source, bool] | UnsetType, stored: frozenset[str]
) -> frozenset[str]:
    """Return the sources that are on."""
    told = {} if change is UNSET else change
    return frozenset(one for one in SOURCES if told.get(one, one in stored))


def _time(text: str) -> time:
    if not _TIME.fullmatch(text):
        raise RefusedError("INVALID_TIME", "A time is HH:MM, from 00:00 to 23:59.")
    return time.fromisoformat(text)


def _weekdays(days: tuple[int, ...]) -> frozenset[int]:
    if not set(days) <= EVERY_DAY:
        raise RefusedError("INVALID_WEEKDAYS", "Weekdays are 1 (Monday) to 7 (Sunday).")
    return frozenset(days)


def _threshold(amount: int | None) -> int | None:
    if amount is not None and not 0 <= amount <= _LARGEST_THRESHOLD:
        raise RefusedError("INVALID_VALUE", "A threshold is not below zero.")
    return amount
