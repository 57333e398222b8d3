"""Driving a run of older history: gently, and after everything that is more urgent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from opseer_collector.actions.intake import RunIntake
from opseer_collector.actions.ports import Announce, Publisher, Rows, Runs
from opseer_collector.domain import history
from opseer_collector.domain.fetching import Overtaken, ProviderAwayError, Request
from opseer_collector.domain.history import (
    GiveWay,
    HistoryPage,
    HistoryProvider,
    InvoiceLine,
)
from opseer_collector.domain.records import Batch
from opseer_collector.domain.work import Claim
from opseer_common.clock import Clock

_STAGE: Final = "invoices"
_WHOLE: Final = 100
_LOOK_SECONDS: Final = 3.0
_AFTER_OTHERS: Final = timedelta(seconds=5)


class Store(Protocol):
    """Where lines go; every method but `someone_waits` may raise Overtaken."""

    async def store(self, claim: Claim, lines: Sequence[InvoiceLine]) -> None:
        """Store lines; again is the same once."""
        ...

    async def publish(
        self, claim: Claim, since: int, until: int, reason: str | None
    ) -> None:
        """Show the run's lines in place of those of earlier runs."""
        ...

    async def someone_waits(self, claim: Claim, now: datetime) -> bool:
        """Tell whether another run of the connection is due."""
        ...

    async def give_way(self, claim: Claim, not_before: datetime) -> None:
        """Put the run back in line."""
        ...


class Histories:
    """Reads older history of the sources that have `providers` for it."""

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, HistoryProvider],
        stores: tuple[Runs, Rows, Publisher],
        announce: Announce,
        clock: Clock,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Look every `look_seconds` for runs that are more urgent."""
        self._store = store
        self._providers = providers
        self._runs, self._rows, self._publisher = stores
        self._announce = announce
        self._clock = clock
        self._look_seconds = look_seconds

    async def work(
        self, claim: Claim, request: Request
    ) -> Callable[[], Awaitable[None]]:
        """Read what there is; return what publishes it. Overtaken where it waits."""
        provider = self._providers.get(claim.source)
        if provider is None:
            raise ProviderAwayError(f"{claim.source} has no older history.")
        asked = replace(request, since=history.since(request.now))
        shown = RunIntake(claim, (self._runs, self._rows), self._announce, None)
        intake = _Intake(claim, self._store, shown, self._clock, self._look_seconds)
        try:
            reason = await provider.fetch(asked, intake)
        except GiveWay:
            await self._store.give_way(claim, self._clock() + _AFTER_OTHERS)
            raise Overtaken("older history waits for another run") from None
        await shown.computing()

        async def publish() -> None:
            await self._store.publish(claim, asked.since, asked.until, reason)
            await self._publisher.publish(claim, self._clock(), None, None)
            await shown.finished()

        return publish


class _Intake:
    """Stores for one claim, and leaves when somebody else waits."""

    def __init__(
        self,
        claim: Claim,
        store: Store,
        shown: RunIntake,
        clock: Clock,
        look_seconds: float,
    ) -> None:
        self._claim = claim
        self._store = store
        self._shown = shown
        self._clock = clock
        self._look_seconds = look_seconds
        self._look_at = asyncio.get_running_loop().time() + look_seconds

    async def store(self, page: HistoryPage) -> None:
        """Store lines, then the window that they fill."""
        if page.lines:
            await self._store.store(self._claim, page.lines)
        await self._shown.store(
            Batch(
                quarantined=page.quarantined,
                read=() if page.read is None else (page.read,),
                permissions=page.permissions,
            )
        )
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            self._look_at = now + self._look_seconds
            if await self._store.someone_waits(self._claim, self._clock()):
                raise GiveWay

    async def progress(self, percent: int) -> None:
        """Show how far the list is read."""
        await self._shown.progress({_STAGE: percent}, _WHOLE)
