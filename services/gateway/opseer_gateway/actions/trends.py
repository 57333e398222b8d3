"""How MRR grows and how its figures hold up: rates, comparisons, older history.

Pure functions of stored rows (opseer_gateway/domain: metrics, reconciliations,
history); nothing here calls a provider.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Final, Protocol
from uuid import UUID

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.days import ONE_DAY, DayRange, day_of, zone
from opseer_gateway.domain import history, metrics, reconciliations
from opseer_gateway.domain.figures import Grain, MovementRow
from opseer_gateway.domain.history import History, StoredEstimate, StoredRun
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.metrics import Metrics, StoredRange
from opseer_gateway.domain.reconciliations import (
    Missed,
    Reconciliation,
    Reconciliations,
)
from opseer_gateway.domain.terms import StoredBasis
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.domain.windows import asked_range, parse_day

METRIC_DAYS: Final = 29
"""As many closed days as a first collection has complete movements of."""
RECONCILED_DAYS: Final = 90


class TrendReader(Protocol):
    """Reads of one account at one instant."""

    async def known(self, source: Source) -> Known: ...  # noqa: D102
    async def movements(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange, grain: Grain
    ) -> tuple[list[MovementRow], str | None, datetime | None]: ...
    async def bases(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[StoredBasis]: ...
    async def moved_days(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> DayRange | None: ...
    async def reconciliations(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[Reconciliation]: ...
    async def missed(  # noqa: D102
        self, source: Source, connection_id: UUID, days: DayRange
    ) -> list[Missed]: ...
    async def history_run(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> StoredRun | None: ...
    async def estimate(  # noqa: D102
        self, source: Source, connection_id: UUID
    ) -> StoredEstimate | None: ...


class TrendStore(Protocol):
    """Opens readers."""

    def reading(  # noqa: D102
        self, account_id: UUID
    ) -> AbstractAsyncContextManager[TrendReader]: ...
    async def ask_history(  # noqa: D102
        self, account_id: UUID, source: Source, now: datetime
    ) -> UUID: ...


class Trends:
    """Answers about more than a day."""

    def __init__(self, store: TrendStore, clock: Clock) -> None:
        """Read from `store`."""
        self._store = store
        self._clock = clock

    async def metrics(
        self,
        account_id: UUID,
        source: Source,
        first: str | None = None,
        last: str | None = None,
        grain: Grain = "subscription",
    ) -> Metrics:
        """Return churn rates and the quick ratio, by default of the last 29 days over.

        RefusedError: INVALID_DATE, INVALID_RANGE.
        """
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            days = self._closed_days(known, first, last)
            found = StoredRange()
            if known.connection is not None:
                of = source, known.connection.connection_id
                rows, currency, as_of = await reader.movements(*of, days, grain)
                bases = await reader.bases(*of, days)
                stored = await reader.moved_days(*of)
                found = StoredRange(rows, bases, currency, as_of, stored)
            return metrics.metrics(known, days, grain, found)

    async def reconciliations(
        self, account_id: UUID, source: Source, first: str | None, last: str | None
    ) -> Reconciliations:
        """Return what recomputing has found, by default in the last 90 days.

        RefusedError: INVALID_DATE, INVALID_RANGE.
        """
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            back = RECONCILED_DAYS - 1
            days = asked_range(first, last, today=self._today(known), back=back)
            if known.connection is None:
                return reconciliations.reconciliations(known, (), (), (), days)
            of = source, known.connection.connection_id
            stored = await reader.reconciliations(*of, days)
            begun = DayRange(days.first - ONE_DAY, days.last)
            moved, _, _ = await reader.movements(*of, begun, "subscription")
            missed = await reader.missed(*of, days)
            return reconciliations.reconciliations(known, stored, missed, moved, days)

    async def history(self, account_id: UUID, source: Source) -> History:
        """Return older history, estimated, and how far a run that reads it is."""
        async with self._store.reading(account_id) as reader:
            known = await reader.known(source)
            if known.connection is None:
                return history.history(known, None, None, self._clock())
            of = source, known.connection.connection_id
            run = await reader.history_run(*of)
            return history.history(
                known, run, await reader.estimate(*of), self._clock()
            )

    async def ask_history(self, visitor: Visitor, source: Source) -> UUID:
        """Have older history read; return the run.

        RefusedError: SOURCE_NOT_SUPPORTED, NOT_CONNECTED.
        """
        history.check_source(source)
        return await self._store.ask_history(visitor.account_id, source, self._clock())

    def _today(self, known: Known) -> date:
        """Return the current day of a source's zone."""
        return day_of(self._clock(), zone(known.timezone))

    def _closed_days(
        self, known: Known, first: str | None, last: str | None
    ) -> DayRange:
        """Return the days asked for; up to yesterday where no end is given."""
        today = self._today(known)
        yesterday = today - ONE_DAY
        if last is None and first is not None and parse_day(first) > yesterday:
            yesterday = today
        return asked_range(
            first, last or yesterday.isoformat(), today=today, back=METRIC_DAYS - 1
        )
