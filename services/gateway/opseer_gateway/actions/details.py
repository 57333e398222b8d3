"""What stands behind the figures. Nothing here ever calls a provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import date
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import msgspec

from opseer_common.channels import CHANNELS
from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.days import DayRange, day_of, zone
from opseer_common.errors import RefusedError
from opseer_gateway.domain import entries, figures, movement_changes, plans
from opseer_gateway.domain.entries import DayEntries, StoredDay, StoredEntry
from opseer_gateway.domain.figures import DailyRow, Grain, MovementRow, Snapshot
from opseer_gateway.domain.integrations import Integration, Known, describe
from opseer_gateway.domain.movement_changes import (
    DayChanges,
    StoredChange,
    StoredMovement,
)
from opseer_gateway.domain.names import Name
from opseer_gateway.domain.paging import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    parse_cursor,
    parse_limit,
)
from opseer_gateway.domain.plans import Plans, StoredPlan
from opseer_gateway.domain.windows import oldest_cached, parse_day


class DetailReader(Protocol):
    """Reads of one account at one instant."""

    async def known(self, source: Source) -> Known: ...  # noqa: D102
    async def day(  # noqa: D102
        self, source: Source, connection_id: UUID, day: date
    ) -> StoredDay | None: ...
    async def cached_days(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> DayRange | None: ...
    async def entries(  # noqa: D102
        self, source: Source, connection_id: UUID, of: StoredDay
    ) -> list[StoredEntry]: ...
    async def rates(  # noqa: D102
        self, source: Source, connection_id: UUID, of: StoredDay
    ) -> Mapping[str, Decimal]: ...
    async def names(  # noqa: D102
        self, source: Source, connection_id: UUID, ids: Iterable[str]
    ) -> Mapping[str, Name]: ...
    async def movement(  # noqa: D102
        self, source: Source, connection_id: UUID, day: date, grain: Grain
    ) -> StoredMovement | None: ...
    async def first_movement(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> date | None: ...
    async def changes(  # noqa: D102
        self, source: Source, connection_id: UUID, day: date
    ) -> list[StoredChange]: ...
    async def snapshot(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> Snapshot | None: ...
    async def plans(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> list[StoredPlan]: ...


class DetailStore(Protocol):
    """Opens readers."""

    def reading(  # noqa: D102
        self, account_id: UUID
    ) -> AbstractAsyncContextManager[DetailReader]: ...


class Day(msgspec.Struct, frozen=True):
    """A day as its page shows it, all from one instant; rows are None where none is."""

    integration: Integration
    today: date
    row: DailyRow | None
    entries: DayEntries
    movement: MovementRow | None
    changes: DayChanges


class Details:
    """Answers to where a figure comes from."""

    def __init__(self, store: DetailStore, clock: Clock) -> None:
        """Read from `store`."""
        self._store = store
        self._clock = clock

    async def entries(
        self,
        account_id: UUID,
        source: Source,
        day: str,
        limit: str | None,
        cursor: str | None,
    ) -> DayEntries:
        """Return a page of what stands behind a day of revenue.

        RefusedError: INVALID_DATE, INVALID_LIMIT, INVALID_CURSOR, and
        SOURCE_NOT_SUPPORTED of a source that tells sums alone.
        """
        _check_computed(source)
        when, size = parse_day(day), parse_limit(limit)
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            return (await self._entries(reader, known, when, size, cursor))[1]

    async def changes(
        self, account_id: UUID, source: Source, day: str, grain: Grain
    ) -> DayChanges:
        """Return the subscriptions behind a day of movements.

        RefusedError: INVALID_DATE, SOURCE_NOT_SUPPORTED as `entries`.
        """
        _check_computed(source)
        when = parse_day(day)
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            return (await _changes(reader, known, when, grain))[1]

    async def plans(self, account_id: UUID, source: Source) -> Plans:
        """Return MRR per plan, dearest first.

        RefusedError: SOURCE_NOT_SUPPORTED as `entries`.
        """
        _check_computed(source)
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            if known.connection is None:
                return plans.plans_of(known, None, (), {})
            of = source, known.connection.connection_id
            stored = await reader.plans(*of)
            names = await reader.names(
                *of, {one.price.product_id for one in stored if one.price.product_id}
            )
            return plans.plans_of(known, await reader.snapshot(*of), stored, names)

    async def day(
        self, account_id: UUID, source: Source, day: str, cursor: str | None
    ) -> Day:
        """Return everything behind a day. RefusedError as `entries`."""
        when = parse_day(day)
        size = LARGEST_LIMIT if cursor else DEFAULT_LIMIT
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            stored, page = await self._entries(reader, known, when, size, cursor)
            moved, changes = await _changes(reader, known, when, "subscription")
            return Day(
                integration=describe(known, self._clock()),
                today=self._today(known),
                row=stored.row if stored else None,
                entries=page,
                movement=moved.row if moved else None,
                changes=changes,
            )

    async def _entries(
        self,
        reader: DetailReader,
        known: Known,
        day: date,
        limit: int,
        cursor: str | None,
    ) -> tuple[StoredDay | None, DayEntries]:
        """Return the day's row and a page of its entries, with names."""
        after = None if cursor is None else parse_cursor(cursor, day)
        nothing = DayEntries(
            source=known.source,
            date=day,
            timezone=known.timezone,
            currency=known.currency,
            reason="COLLECTING",
        )
        if known.connection is None:
            return None, nothing
        of = known.source, known.connection.connection_id
        oldest = oldest_cached(self._today(known))
        stored = await reader.day(*of, day) if day >= oldest else None
        if stored is None:
            cached = await reader.cached_days(*of)
            reason = figures.why_no_day(
                day,
                max(oldest, cached.first) if cached else None,
                cached.last if cached else None,
            )
            return None, msgspec.structs.replace(nothing, reason=reason)
        page, shown = entries.entries_page(
            known,
            stored,
            await reader.entries(*of, stored),
            await reader.rates(*of, stored),
            limit=limit,
            after=after,
        )
        names = await reader.names(*of, {one.customer for one in shown if one.customer})
        return stored, entries.with_names(page, shown, names)

    def _today(self, known: Known) -> date:
        """Return the current day of a source's zone."""
        return day_of(self._clock(), zone(known.timezone))


async def _changes(
    reader: DetailReader, known: Known, day: date, grain: Grain
) -> tuple[StoredMovement | None, DayChanges]:
    """Return the day's movements and the subscriptions behind them."""
    nothing = DayChanges(
        source=known.source,
        date=day,
        timezone=known.timezone,
        grain=grain,
        currency=known.currency,
        reason="COLLECTING",
    )
    if known.connection is None:
        return None, nothing
    of = known.source, known.connection.connection_id
    stored = await reader.movement(*of, day, grain)
    if stored is None:
        first = await reader.first_movement(*of)
        reason = movement_changes.why_no_row(known, day, first)
        return None, msgspec.structs.replace(nothing, reason=reason)
    behind = await reader.changes(*of, day)
    names = await reader.names(*of, movement_changes.named(behind))
    return stored, movement_changes.day_changes(known, stored, grain, behind, names)


def _check_computed(source: Source) -> None:
    """Refuse a source whose figures have nothing of ours behind them."""
    channel = CHANNELS[source]
    if not channel.computed:
        raise RefusedError(
            "SOURCE_NOT_SUPPORTED",
            f"{channel.name} tells sums alone: what is behind them is shown there.",
        )
