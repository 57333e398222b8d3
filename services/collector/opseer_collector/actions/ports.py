"""What driving a run needs of the rest: the ports that app.py fills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from opseer_collector.domain.records import Batch, Fetched, Window
from opseer_collector.domain.work import Claim, Covered, Integration, Reading
from opseer_common.contracts import CollectionProgressed
from opseer_common.sealing import SealedFor, Secret

Announce = Callable[[CollectionProgressed], Awaitable[None]]
OpenKey = Callable[[bytes, SealedFor], Secret]


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

    async def release(self, claim: Claim) -> None:
        """Let the run be claimed at once by whoever comes next."""
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
