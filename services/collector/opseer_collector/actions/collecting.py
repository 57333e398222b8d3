"""Driving a run: open the key, fetch, publish, and decide what becomes of trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import structlog

from opseer_collector.actions.history import Histories
from opseer_collector.actions.intake import Preview, RunIntake
from opseer_collector.actions.ports import Announce, OpenKey, Publisher, Rows, Runs
from opseer_collector.domain import windows
from opseer_collector.domain.fetching import (
    KeyRefusedError,
    Overtaken,
    Provider,
    ProviderAwayError,
    Request,
)
from opseer_collector.domain.rounds import wait_after
from opseer_collector.domain.work import Claim, Reading
from opseer_common.clock import Clock
from opseer_common.database import UNAVAILABLE
from opseer_common.days import zone
from opseer_common.sealing import (
    SealedFor,
    SealError,
    Secret,
    UnknownSealingKeyError,
)

HEARTBEAT_SECONDS: Final = 10.0
_LEFT: Final[tuple[type[Exception], ...]] = (*UNAVAILABLE, Overtaken)
_log = structlog.get_logger()

Publish = Callable[[], Awaitable[None]]


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
        *,
        histories: Histories | None = None,
    ) -> None:
        """Fetch by the provider of a claim's source, older history by `histories`."""
        self._runs, self._rows, self._publisher = stores
        self._providers = providers
        self._open_key = open_key
        self._announce = announce
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._histories = histories

    async def drive(self, claim: Claim) -> None:
        """Drive a run to one of its ends; never raises but for cancellation.

        Then the lease is given back: the next process goes on without waiting for it.
        """
        log = _log.bind(run=str(claim.run_id), kind=claim.kind, fence=claim.fence)
        try:
            publish = await self._work_under_lease(claim)
            await publish()
            log.info("run done")
        except asyncio.CancelledError:
            with contextlib.suppress(*_LEFT):
                await self._runs.release(claim)
            raise
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

    async def _work_under_lease(self, claim: Claim) -> Publish:
        """Fetch while the lease is kept; Overtaken as soon as it is lost.

        Publishing comes after the last heartbeat: its transaction holds the run's row,
        so that no lease can be lost in it, and a heartbeat would wait for its commit
        to find the run over.
        """
        work = asyncio.create_task(self._work(claim))
        beat = asyncio.create_task(self._keep_lease(claim))
        try:
            await asyncio.wait({work, beat}, return_when=asyncio.FIRST_COMPLETED)
            # The lease only ends by raising; the work's own end comes first.
            if not work.done():
                await beat
            return await work
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

    async def _work(self, claim: Claim) -> Publish:
        """Fetch what there is to fetch; return what publishes it."""
        integration = await self._runs.integration(claim)
        if integration is None:
            raise Overtaken("the connection has ended")
        provider = self._providers.get(claim.source)
        reports = provider is not None and provider.reports
        if claim.kind == "recompute" and (integration.refused or not reports):
            return partial(self._publisher.publish, claim, self._clock(), None, None)
        if provider is None:
            raise ProviderAwayError(f"{claim.source} cannot be collected yet.")
        now = self._clock()
        tz = zone(integration.timezone)
        yesterday = windows.start_of_yesterday(now, tz)
        preview = (
            Preview(claim, self._publisher, now, yesterday)
            if claim.kind == "first"
            else None
        )
        intake = RunIntake(claim, (self._runs, self._rows), self._announce, preview)
        unsettled = reports and integration.unsettled
        whole = claim.kind != "daily" or integration.flagged or unsettled
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
            fresh=span.fresh,
            wanted=integration.wanted,
        )
        if claim.kind == "history" and self._histories is not None:
            return await self._histories.work(claim, request)
        fetched = await provider.fetch(request, intake)
        await intake.computing()

        async def publish() -> None:
            reading = Reading(now, span)
            await self._publisher.publish(claim, self._clock(), reading, fetched)
            await intake.finished()

        return publish

    async def _key(self, claim: Claim) -> Secret:
        """Open the key. Overtaken where the connection has ended meanwhile."""
        sealed = await self._runs.sealed_key(claim)
        if sealed is None:
            raise Overtaken("the connection has ended")
        version, record = sealed
        place = SealedFor(claim.account_id, claim.source, version)
        try:
            return self._open_key(record, place)
        except UnknownSealingKeyError as error:
            # Nothing is damaged: the operator has to bring a file back.
            raise ProviderAwayError(f"The stored key is {error}.") from None
        except SealError:
            raise KeyRefusedError(
                "The stored key does not open with this server's sealing key. "
                "Connect again."
            ) from None
