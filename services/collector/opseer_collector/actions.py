"""Driving a run: open the key, fetch, publish, and decide what becomes of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from opseer_collector.domain import windows
from opseer_collector.domain.fetching import (
    STAGES,
    KeyRefusedError,
    Overtaken,
    Provider,
    ProviderAwayError,
    Request,
)
from opseer_collector.domain.records import Batch, Fetched, Window, merged
from opseer_collector.domain.rounds import wait_after
from opseer_collector.domain.work import Claim, Covered, Integration, Reading
from opseer_common.clock import Clock
from opseer_common.contracts import CollectionProgressed
from opseer_common.database import UNAVAILABLE
from opseer_common.days import zone
from opseer_common.sealing import SealedFor, SealError, Secret

HEARTBEAT_SECONDS: Final = 10.0
_ANNOUNCE_SECONDS: Final = 0.5
_PREVIEW_SECONDS: Final = 4.0
_PREVIEW_PAUSE: Final = 9
_GATHER_SECONDS: Final = 0.15
_DAILY_LISTS: Final = ("balance_transactions", "charges")
_LEFT: Final[tuple[type[Exception], ...]] = (*UNAVAILABLE, Overtaken)
_log = structlog.get_logger()


class Runs(Protocol):
    """The claimed runs; every method but `sealed_key` may raise Overtaken."""

    async def integration(self, claim: Claim) -> Integration | None:
        """Return the connection of a claim; None where it has ended."""
        ...

    async def sealed_key(self, claim: Claim) -> tuple[int, bytes] | None:
        """Return key version and record; None where the connection has ended."""
        ...

    async def windows_read(self, claim: Claim, until: datetime) -> list[Window]:
        """Return the windows before `until` that the run stored and then broke off."""
        ...

    async def renew(self, claim: Claim) -> None:
        """Keep the lease."""
        ...

    async def progress(self, claim: Claim, stage: str, done: int, total: int) -> None:
        """Show how far the run is."""
        ...

    async def put_back(
        self, claim: Claim, not_before: datetime, code: str, detail: str
    ) -> None:
        """Try again later, and show why."""
        ...

    async def fail(self, claim: Claim, now: datetime, code: str, detail: str) -> None:
        """End the collecting of the connection."""
        ...


class Rows(Protocol):
    """Where fetched rows go."""

    async def store(self, claim: Claim, batch: Batch) -> None:
        """Store a batch; again is the same once."""
        ...


class Publisher(Protocol):
    """Makes figures of stored rows."""

    async def publish(
        self,
        claim: Claim,
        now: datetime,
        reading: Reading | None,
        fetched: Fetched | None,
    ) -> None:
        """End the run with its figures."""
        ...

    async def preview(self, claim: Claim, as_of: datetime, covered: Covered) -> None:
        """Show the days that a first run has read so far."""
        ...


Announce = Callable[[CollectionProgressed], Awaitable[None]]
OpenKey = Callable[[bytes, SealedFor], Secret]


class Collecting:
    """Drives claimed runs."""

    def __init__(
        self,
        stores: tuple[Runs, Rows, Publisher],
        providers: Mapping[str, Provider],
        open_key: OpenKey,
        announce: Announce,
        clock: Clock,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """Fetch by the provider of a claim's source."""
        self._runs, self._rows, self._publisher = stores
        self._providers = providers
        self._open_key = open_key
        self._announce = announce
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds

    async def drive(self, claim: Claim) -> None:
        """Drive a run to one of its ends; never raises but for cancellation."""
        log = _log.bind(run=str(claim.run_id), kind=claim.kind, fence=claim.fence)
        try:
            await self._work_under_lease(claim)
            log.info("run done")
        except Overtaken as error:
            log.info("run left", why=str(error))
        except UNAVAILABLE as error:
            log.warning("run waits for its lease to end", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - judged below
            await self._judge(claim, error)

    async def _judge(self, claim: Claim, error: Exception) -> None:
        """Decide what becomes of a run that raised."""
        try:
            match error:
                case KeyRefusedError():
                    _log.warning("key refused", run=str(claim.run_id))
                    await self._runs.fail(
                        claim, self._clock(), error.code, error.detail
                    )
                case ProviderAwayError():
                    _log.warning("run put back", run=str(claim.run_id), why=str(error))
                    await self._put_back(claim, "PROVIDER_UNAVAILABLE", str(error))
                case _:
                    _log.error("run fault", run=str(claim.run_id), exc_info=error)
                    await self._put_back(
                        claim, "INTERNAL_ERROR", "A fault in Opseer: see the log."
                    )
        except _LEFT as again:
            _log.info("run left", run=str(claim.run_id), why=type(again).__name__)

    async def _put_back(self, claim: Claim, code: str, detail: str) -> None:
        not_before = self._clock() + wait_after(claim.tries + 1)
        await self._runs.put_back(claim, not_before, code, detail)

    async def _work_under_lease(self, claim: Claim) -> None:
        """Work while the lease is kept; Overtaken as soon as it is lost."""
        work = asyncio.create_task(self._work(claim))
        beat = asyncio.create_task(self._keep_lease(claim))
        try:
            await asyncio.wait({work, beat}, return_when=asyncio.FIRST_COMPLETED)
            # The lease only ends by raising; the work's own end comes first.
            await (work if work.done() else beat)
        finally:
            work.cancel()
            beat.cancel()
            await asyncio.gather(work, beat, return_exceptions=True)

    async def _keep_lease(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            try:
                await self._runs.renew(claim)
            except UNAVAILABLE as error:
                # Writes are refused by the fence if this lasts.
                _log.warning("lease not renewed", error=type(error).__name__)

    async def _work(self, claim: Claim) -> None:
        """Fetch and publish, or publish alone."""
        integration = await self._runs.integration(claim)
        if integration is None:
            raise Overtaken("the connection has ended")
        if claim.kind == "recompute":
            await self._publisher.publish(claim, self._clock(), None, None)
            return
        provider = self._providers.get(claim.source)
        if provider is None:
            raise ProviderAwayError(f"{claim.source} cannot be collected yet.")
        now = self._clock()
        tz = zone(integration.timezone)
        yesterday = windows.start_of_yesterday(now, tz)
        preview = (
            _Preview(claim, self._publisher, now, yesterday)
            if claim.kind == "first"
            else None
        )
        intake = _Intake(claim, (self._runs, self._rows), self._announce, preview)
        whole = claim.kind != "daily" or integration.flagged
        span = windows.span(now, integration.last_collected_at, whole=whole)
        request = Request(
            kind=claim.kind,
            environment=integration.environment,
            key=await self._key(claim),
            since=span.since,
            until=span.until,
            events_since=span.events,
            now=now,
            newest=yesterday,
            read=await self._runs.windows_read(claim, now - windows.HELD_BACK),
            pace=integration.pace,
        )
        fetched = await provider.fetch(request, intake)
        await intake.computing()
        reading = Reading(now, span)
        await self._publisher.publish(claim, self._clock(), reading, fetched)
        await intake.finished()

    async def _key(self, claim: Claim) -> Secret:
        """Open the key. Overtaken where the connection has ended meanwhile."""
        sealed = await self._runs.sealed_key(claim)
        if sealed is None:
            raise Overtaken("the connection has ended")
        version, record = sealed
        place = SealedFor(claim.account_id, claim.source, version)
        try:
            return self._open_key(record, place)
        except SealError:
            raise KeyRefusedError(
                "The stored key does not open with this server's sealing key. "
                "Connect again."
            ) from None


class _Preview:
    """Shows yesterday as soon as it is read, then more now and then."""

    def __init__(
        self, claim: Claim, publisher: Publisher, as_of: datetime, yesterday: int
    ) -> None:
        self._claim = claim
        self._publisher = publisher
        self._as_of = as_of
        self._yesterday = yesterday
        self._listings: dict[str, int] = {}
        self._next_at = 0.0
        self.currency: str | None = None
        self.begun = False

    async def covered(self, listing: str, since: int) -> None:
        """Show what all lists of the daily figures cover, not too often."""
        self._listings[listing] = since
        reached = [self._listings.get(name) for name in _DAILY_LISTS]
        known = [since for since in reached if since is not None]
        now = asyncio.get_running_loop().time()
        if len(known) < len(reached) or max(known) > self._yesterday:
            return
        if not self.begun or now < self._next_at:
            return
        self._next_at = now + _PREVIEW_SECONDS
        covered = Covered(max(known), self.currency)
        await self._publisher.preview(self._claim, self._as_of, covered)
        # The more rows, the longer it takes: most of the time is for reading.
        took = asyncio.get_running_loop().time() - now
        self._next_at += _PREVIEW_PAUSE * took


class _Storing:
    """Stores batches in their order: those that come meanwhile share a transaction.

    So a window that is noted as read was stored before the note or with it.
    """

    def __init__(self, claim: Claim, rows: Rows) -> None:
        self._claim = claim
        self._rows = rows
        self._one_at_a_time = asyncio.Lock()
        self._waiting: list[tuple[Batch, asyncio.Future[None]]] = []
        self._failed: BaseException | None = None

    async def store(self, batch: Batch) -> None:
        """Wait until a batch is stored. The first one waits a little for others."""
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, stored))
        if len(self._waiting) == 1:
            await self._store_waiting()
        await stored

    async def _store_waiting(self) -> None:
        taken = self._waiting
        try:
            await asyncio.sleep(_GATHER_SECONDS)
            async with self._one_at_a_time:
                self._waiting = []
                await self._store([one for one, _ in taken])
        except BaseException as error:
            # What comes after must not be stored without this.
            self._failed = self._failed or error
            self._waiting = []
            for _, stored in taken:
                stored.cancel()
            raise
        for _, stored in taken:
            if not stored.done():
                stored.set_result(None)

    async def _store(self, batches: Sequence[Batch]) -> None:
        if self._failed is not None:
            raise self._failed
        await self._rows.store(self._claim, merged(batches))


class _Intake:
    """Stores for one claim, and shows how far it is."""

    def __init__(
        self,
        claim: Claim,
        stores: tuple[Runs, Rows],
        announce: Announce,
        preview: _Preview | None,
    ) -> None:
        self._claim = claim
        self._runs, rows = stores
        self._storing = _Storing(claim, rows)
        self._announce = announce
        self._preview = preview
        self._stage = ""
        self._told_at = 0.0
        self._total = 0

    async def store(self, batch: Batch) -> None:
        """Store rows of the claim, in the order in which they come."""
        await self._storing.store(batch)

    def began(self, currencies: frozenset[str]) -> None:
        """Note the currency of the balance, if it has only one."""
        if self._preview is None:
            return
        self._preview.begun = True
        if len(currencies) == 1:
            [self._preview.currency] = currencies

    async def covered(self, listing: str, since: int) -> None:
        """Show what is read so far, in a first run."""
        if self._preview is not None:
            await self._preview.covered(listing, since)

    async def progress(self, done: Mapping[str, int], total: int) -> None:
        """Show the first stage that is under way, and the sum of all."""
        stage = next(
            (name for name in STAGES if name in done and done[name] < total), ""
        )
        self._total = total * (len(done) + 1)
        await self._tell(stage or "computing", sum(done.values()))

    async def computing(self) -> None:
        """Show that everything is read."""
        await self._tell("computing", self._total - self._total // len(STAGES))

    async def finished(self) -> None:
        """Tell whoever listens that the run is over; its row says so already."""
        await self._say("done", self._total)

    async def _tell(self, stage: str, done: int) -> None:
        """Show it, unless the last telling was just now and of the same stage."""
        now = asyncio.get_running_loop().time()
        if stage == self._stage and now - self._told_at < _ANNOUNCE_SECONDS:
            return
        self._stage, self._told_at = stage, now
        await self._runs.progress(self._claim, stage, done, self._total)
        await self._say(stage, done)

    async def _say(self, stage: str, done: int) -> None:
        await self._announce(
            CollectionProgressed.of(
                self._claim.account_id,
                self._claim.source,
                self._claim.run_id,
                stage,
                done,
                self._total,
            )
        )
