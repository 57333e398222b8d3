"""A collector without its bus: its runs are driven when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from opseer_collector.actions import Collecting
from opseer_collector.domain.work import Claim
from opseer_collector.store.runs import Runs


class Driven:
    """What drives the runs that wait, at the instant of a clock."""

    runs: Runs
    collecting: Collecting
    clock: Callable[[], datetime]

    async def claim(self) -> Claim | None:
        """Claim the oldest run that waits."""
        for candidate in await self.runs.waiting(self.clock()):
            found = await self.runs.claim(candidate, self.clock())
            if found is not None:
                return found
        return None

    async def drive_all(self) -> int:
        """Drive every run that waits; return how many."""
        count = 0
        while (claim := await self.claim()) is not None:
            await self.collecting.drive(claim)
            count += 1
        return count
