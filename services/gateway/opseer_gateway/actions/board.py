"""Everything the revenue page shows, read at one instant. Never calls a provider."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import msgspec

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.days import ONE_DAY, DayRange, day_of, last_days, zone
from opseer_gateway.actions.details import DetailReader
from opseer_gateway.domain import customers, figures, metrics, plans
from opseer_gateway.domain.board import WEEK, ActiveDay
from opseer_gateway.domain.customers import (
    CustomerHistory,
    Found,
    FoundChange,
    FoundEntry,
)
from opseer_gateway.domain.figures import (
    DailyRevenue,
    DailyRow,
    Grain,
    MovementRow,
    Movements,
    Mrr,
)
from opseer_gateway.domain.integrations import SOURCES, Integration, Known, describe
from opseer_gateway.domain.links import dashboard_link
from opseer_gateway.domain.metrics import Metrics, StoredRange
from opseer_gateway.domain.periods import Period, asked_period
from opseer_gateway.domain.plans import Plans
from opseer_gateway.domain.terms import StoredBasis
from opseer_gateway.domain.windows import oldest_cached

RATE_DAYS: Final = 29
"""As many closed days as a first collection has complete movements of."""


class BoardReader(DetailReader, Protocol):
    """Reads of one account at one instant."""

    async def daily(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> tuple[list[DailyRow], datetime | None]: ...
    async def movements(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange, grain: Grain
    ) -> tuple[list[MovementRow], str | None, datetime | None]: ...
    async def bases(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[StoredBasis]: ...
    async def active(  # noqa: D102
        self, source: Source, connection_id: UUID, since: date
    ) -> list[ActiveDay]: ...
    async def customers(  # noqa: D102
        self, source: Source, connection_id: UUID, text: str
    ) -> list[Found]: ...
    async def changes_of(  # noqa: D102
        self, source: Source, connection_id: UUID, customers: list[str]
    ) -> list[FoundChange]: ...
    async def entries_of(  # noqa: D102
        self, source: Source, connection_id: UUID, customers: list[str]
    ) -> list[FoundEntry]: ...


class BoardStore(Protocol):
    """Opens readers."""

    def reading(self, account_id: UUID) -> AbstractAsyncContextManager[BoardReader]: ...  # noqa: D102


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a source: the 90 days of the cache, today, and MRR now."""

    mrr: Mrr
    daily: DailyRevenue
    movements: Movements
    active: tuple[ActiveDay, ...]
    """Those of the last seven days and today, where they were taken."""
    plans: Plans
    metrics: Metrics
    """Rates of the last `RATE_DAYS` days that are over."""


class Board(Figures, frozen=True, kw_only=True):
    """One source as its page shows it; `period` chooses of the figures' days."""

    integrations: tuple[Integration, ...]
    integration: Integration
    now: datetime
    today: date
    period: Period
    why_unmoved: str
    """Why a day without a row of movements has none."""


class Search(msgspec.Struct, frozen=True):
    """What a search for a customer found; `text` is what was searched for."""

    integrations: tuple[Integration, ...]
    timezone: str
    now: datetime
    text: str
    found: tuple[CustomerHistory, ...]


class Boards:
    """Reads boards and customers."""

    def __init__(self, store: BoardStore, clock: Clock) -> None:
        """Read from `store`."""
        self._store = store
        self._clock = clock

    async def board(
        self,
        account_id: UUID,
        source: Source,
        preset: str | None = None,
        first: str | None = None,
        last: str | None = None,
    ) -> Board:
        """Return a source's board. RefusedError as `asked_period`."""
        now = self._clock()
        async with self._store.reading(account_id) as reader:
            all_known = {one: await reader.known(one) for one in SOURCES}
            known = all_known[source]
            today = day_of(now, zone(known.timezone))
            period = asked_period(preset, first, last, today)
            rows = tuple(describe(one, now) for one in all_known.values())
            return Board(
                integrations=rows,
                integration=rows[SOURCES.index(source)],
                now=now,
                today=today,
                period=period,
                why_unmoved=figures.why_no_movement(known),
                **msgspec.structs.asdict(await _figures(reader, known, today)),
            )

    async def search(self, account_id: UUID, source: Source, text: str) -> Search:
        """Return the customers that hold `text` in name, e-mail address or id."""
        now = self._clock()
        words = text.strip()[: customers.MAX_LENGTH]
        async with self._store.reading(account_id) as reader:
            all_known = {one: await reader.known(one) for one in SOURCES}
            return Search(
                integrations=tuple(describe(one, now) for one in all_known.values()),
                timezone=all_known[source].timezone,
                now=now,
                text=words,
                found=await _search(reader, all_known[source], words),
            )


async def _figures(reader: BoardReader, known: Known, today: date) -> Figures:
    """Read the figures of the current connection; all null where there is none."""
    days = DayRange(oldest_cached(today), today)
    rated = last_days(RATE_DAYS, today - ONE_DAY)
    if known.connection is None:
        return Figures(
            mrr=figures.mrr(known, None),
            daily=figures.daily_revenue(known, days, (), None),
            movements=figures.movements(known, days, (), None, None),
            active=(),
            plans=plans.plans_of(known, None, (), {}),
            metrics=metrics.metrics(known, rated, "subscription", StoredRange()),
        )
    of = known.source, known.connection.connection_id
    snapshot = await reader.snapshot(*of)
    stored = await reader.plans(*of)
    products = {one.price.product_id for one in stored if one.price.product_id}
    names = await reader.names(*of, products)
    moved = await reader.movements(*of, days, "subscription")
    bases = await reader.bases(*of, rated)
    recent = await reader.active(*of, today - timedelta(days=WEEK))
    return Figures(
        mrr=figures.mrr(known, snapshot),
        daily=figures.daily_revenue(known, days, *await reader.daily(*of, days)),
        movements=figures.movements(known, days, *moved),
        active=tuple(recent),
        plans=plans.plans_of(known, snapshot, stored, names),
        metrics=metrics.metrics(
            known, rated, "subscription", _range(rated, moved, bases)
        ),
    )


def _range(
    days: DayRange,
    moved: tuple[list[MovementRow], str | None, datetime | None],
    bases: list[StoredBasis],
) -> StoredRange:
    """Return the rows of `days` for their rates."""
    rows, currency, as_of = moved
    stored = DayRange(rows[0].date, rows[-1].date) if rows else None
    kept = [row for row in rows if days.first <= row.date <= days.last]
    return StoredRange(kept, bases, currency, as_of, stored)


async def _search(
    reader: BoardReader, known: Known, text: str
) -> tuple[CustomerHistory, ...]:
    """Read the customers of the current connection."""
    if known.connection is None or len(text) < customers.MIN_LENGTH:
        return ()
    of = known.source, known.connection.connection_id
    found = await reader.customers(*of, text)
    ids = [one.id for one in found]
    return customers.histories(
        found,
        [dashboard_link(known, one) for one in ids],
        await reader.changes_of(*of, ids),
        await reader.entries_of(*of, ids),
    )
