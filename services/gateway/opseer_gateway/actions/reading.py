"""Reading figures. Nothing here ever calls a provider."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from opseer_common.channels import CHANNELS
from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.days import ONE_DAY, DayRange, day_of, zone
from opseer_common.errors import RefusedError
from opseer_gateway.domain import figures, reports
from opseer_gateway.domain.figures import (
    DailyRevenue,
    DailyRow,
    Grain,
    MovementRow,
    Movements,
    Mrr,
    Snapshot,
)
from opseer_gateway.domain.integrations import (
    SOURCES,
    Integration,
    Known,
    describe,
    report_zone,
)
from opseer_gateway.domain.terms import StoredBasis
from opseer_gateway.domain.windows import (
    CACHE_DAYS,
    asked_range,
    oldest_cached,
    parse_day,
)

MOVEMENT_DAYS = 30


class Reader(Protocol):
    """Reads of one account at one instant."""

    async def known(self, source: Source) -> Known: ...  # noqa: D102
    async def daily(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> tuple[list[DailyRow], datetime | None]: ...
    async def snapshot(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> Snapshot | None: ...
    async def movements(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange, grain: Grain
    ) -> tuple[list[MovementRow], str | None, datetime | None]: ...
    async def bases(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[StoredBasis]: ...
    async def report(self, day: date) -> tuple[DailyReport, datetime] | None: ...  # noqa: D102


class ReadingStore(Protocol):
    """Opens readers."""

    def reading(self, account_id: UUID) -> AbstractAsyncContextManager[Reader]: ...  # noqa: D102


class Overview(msgspec.Struct, frozen=True):
    """One source as the dashboard shows it, all from one instant."""

    integration: Integration
    today: date
    mrr: Mrr
    daily: DailyRevenue
    movements: Movements
    why_unmoved: str
    """Why a day without a row of movements has none."""


class Reading:
    """Answers to every question about figures."""

    def __init__(self, store: ReadingStore, clock: Clock) -> None:
        """Read from `store`."""
        self._store = store
        self._clock = clock

    async def integration(self, account_id: UUID, source: Source) -> Integration:
        """Return one source's row."""
        async with self._store.reading(account_id) as reader:
            return describe(await reader.known(source), self._clock())

    async def integrations(self, account_id: UUID) -> list[Integration]:
        """Return the rows of all sources."""
        async with self._store.reading(account_id) as reader:
            return [
                describe(await reader.known(source), self._clock())
                for source in SOURCES
            ]

    async def daily(
        self, account_id: UUID, source: Source, first: str | None, last: str | None
    ) -> DailyRevenue:
        """Return revenue per day, from the cache alone.

        RefusedError: INVALID_DATE, INVALID_RANGE.
        """
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            today = self._today(known.timezone)
            oldest = oldest_cached(today)
            days = asked_range(first, last, today=today, back=CACHE_DAYS, oldest=oldest)
            return await _daily(reader, known, days)

    async def mrr(self, account_id: UUID, source: Source) -> Mrr:
        """Return the live MRR figures."""
        async with self._store.reading(account_id) as reader:
            return await _mrr(reader, await reader.known(source))

    async def movements(
        self,
        account_id: UUID,
        source: Source,
        first: str | None,
        last: str | None,
        grain: Grain,
    ) -> Movements:
        """Return MRR movements per day, by default of the last 30 days.

        RefusedError: INVALID_DATE, INVALID_RANGE, INVALID_GRAIN of customers where
        the provider does not tell them apart.
        """
        channel = CHANNELS[source]
        if grain == "customer" and not channel.computed:
            raise RefusedError(
                "INVALID_GRAIN",
                f"{channel.name} tells movements of subscriptions only.",
            )
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            today = self._today(known.timezone)
            days = asked_range(first, last, today=today, back=MOVEMENT_DAYS - 1)
            return await _movements(reader, known, days, grain)

    async def report(self, account_id: UUID, day: str | None) -> DailyReport:
        """Return the daily report, by default yesterday's in the report's zone.

        RefusedError(INVALID_DATE).
        """
        asked = None if day is None else parse_day(day)
        async with self._store.reading(account_id) as reader:
            all_known = [await reader.known(source) for source in SOURCES]
            timezone = report_zone(all_known)
            today = self._today(timezone)
            when = asked or today - timedelta(days=1)
            body, built_at = await reader.report(when) or (None, None)
            return reports.current(body, built_at, when, today, timezone, all_known)

    async def overview(self, account_id: UUID, source: Source) -> Overview:
        """Return what the dashboard shows of a source: the last 30 days."""
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            today = self._today(known.timezone)
            days = asked_range(None, None, today=today, back=MOVEMENT_DAYS - 1)
            return Overview(
                integration=describe(known, self._clock()),
                today=today,
                mrr=await _mrr(reader, known),
                daily=await _daily(reader, known, days),
                movements=await _movements(reader, known, days, "subscription"),
                why_unmoved=figures.why_no_movement(known),
            )

    def _today(self, timezone: str) -> date:
        """Return the current day of a zone."""
        return day_of(self._clock(), zone(timezone))


async def _daily(reader: Reader, known: Known, days: DayRange) -> DailyRevenue:
    """Read the days of the current connection."""
    if known.connection is None:
        return figures.daily_revenue(known, days, (), None)
    rows, as_of = await reader.daily(known.source, known.connection.connection_id, days)
    return figures.daily_revenue(known, days, rows, as_of)


async def _mrr(reader: Reader, known: Known) -> Mrr:
    """Read the newest snapshot of the current connection."""
    snapshot = None
    if known.connection is not None:
        snapshot = await reader.snapshot(known.source, known.connection.connection_id)
    return figures.mrr(known, snapshot)


async def _movements(
    reader: Reader, known: Known, days: DayRange, grain: Grain
) -> Movements:
    """Read the movements of the current connection."""
    if known.connection is None:
        return figures.movements(known, days, (), None, None)
    of = known.source, known.connection.connection_id
    begun = DayRange(days.first - ONE_DAY, days.last)
    rows, currency, as_of = await reader.movements(*of, begun, grain)
    bases = await reader.bases(*of, days)
    return figures.movements(known, days, rows, currency, as_of, bases)
