"""Where a run puts what it reads: stored in order, shown as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from opseer_collector.actions.ports import Announce, Publisher, Rows, Runs
from opseer_collector.domain.fetching import STAGES
from opseer_collector.domain.records import Batch, merged
from opseer_collector.domain.work import Claim, Covered
from opseer_common.contracts import CollectionProgressed

_ANNOUNCE_SECONDS: Final = 0.5
_PREVIEW_SECONDS: Final = 4.0
_PREVIEW_PAUSE: Final = 9
_GATHER_SECONDS: Final = 0.15
_DAILY_LISTS: Final = ("balance_transactions", "charges")


class Preview:
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


class RunIntake:
    """Stores for one claim, and shows how far it is."""

    def __init__(
        self,
        claim: Claim,
        stores: tuple[Runs, Rows],
        announce: Announce,
        preview: Preview | None,
    ) -> None:
        self._claim = claim
        self._runs, rows = stores
        self._storing = _Storing(claim, rows)
        self._announce = announce
        self._preview = preview
        self._stage = ""
        self._told_at = 0.0
        self._total = self._part = self._told = 0
        self._telling = asyncio.Lock()

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
        self._total, self._part = total * (len(done) + 1), total
        await self._tell(stage or "computing", sum(done.values()))

    async def computing(self) -> None:
        """Show that everything is read."""
        await self._tell("computing", self._total - self._part)

    async def finished(self) -> None:
        """Tell whoever listens that the run is over; its row says so already."""
        await self._say("done", self._total)

    async def _tell(self, stage: str, done: int) -> None:
        """Show it, unless the last telling was just now and of the same stage."""
        now = asyncio.get_running_loop().time()
        if stage == self._stage and now - self._told_at < _ANNOUNCE_SECONDS:
            return
        self._stage, self._told_at = stage, now
        async with self._telling:
            if done < self._told:
                return  # somebody else was faster
            self._told = done
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
