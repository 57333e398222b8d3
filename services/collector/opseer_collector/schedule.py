"""What the collector does by the clock: driving runs, daily rounds, the sweep."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from opseer_collector.actions import Collecting
from opseer_collector.store.connections import Connections
from opseer_collector.store.runs import Runs
from opseer_common.clock import Clock

LOOK_SECONDS: Final = 0.5
ROUND_SECONDS: Final = 15.0
SWEEP_SECONDS: Final = 60.0
_AT_ONCE: Final = 8
_log = structlog.get_logger()


class Runner:
    """Claims waiting runs and drives them, some at a time."""

    def __init__(
        self, runs: Runs, collecting: Collecting, clock: Clock, at_once: int = _AT_ONCE
    ) -> None:
        """Drive at most `at_once` runs in this process."""
        self._runs = runs
        self._collecting = collecting
        self._clock = clock
        self._at_once = at_once
        self._driven: set[asyncio.Task[None]] = set()

    async def look(self) -> None:
        """Claim what waits, as far as there is room."""
        if len(self._driven) >= self._at_once:
            return
        for candidate in await self._runs.waiting(self._clock()):
            if len(self._driven) >= self._at_once:
                return
            claim = await self._runs.claim(candidate, self._clock())
            if claim is not None:
                task = asyncio.create_task(self._collecting.drive(claim))
                self._driven.add(task)
                task.add_done_callback(self._driven.discard)

    async def stop(self) -> None:
        """Leave every run where it is: whoever comes next drives it anew."""
        driven = list(self._driven)
        for task in driven:
            task.cancel()
        await asyncio.gather(*driven, return_exceptions=True)


class Rounds:
    """The daily rounds, and what the bus lost."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        """Work by `clock`."""
        self._connections = connections
        self._clock = clock

    async def start_due(self) -> None:
        """Put the daily runs that are due in line."""
        started = await self._connections.start_rounds(self._clock())
        if started:
            _log.info("daily rounds", started=started)

    async def sweep(self) -> None:
        """Find missed connects, disconnects and settings."""
        found = await self._connections.sweep(self._clock())
        if found:
            _log.warning("sweep made up for lost news", found=found)
        stale = await self._connections.mark_stale(self._clock())
        if stale:
            _log.warning("figures are stale", connections=stale)
        await self._connections.tidy()
