"""What a collection hands its rows to, without a database."""

from __future__ import annotations

from collections.abc import Mapping

from opseer_collector.domain.records import Batch


class Intake:
    """Keeps what is stored."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.batches: list[Batch] = []

    async def store(self, batch: Batch) -> None:
        """Keep a batch."""
        self.batches.append(batch)

    def began(self, currencies: frozenset[str]) -> None:
        """Ignore the currencies."""

    async def covered(self, listing: str, since: int) -> None:
        """Ignore how far a list was read."""

    async def progress(self, done: Mapping[str, int], total: int) -> None:
        """Ignore how far the run is."""

    def ended(self) -> list[str]:
        """Return the ids of the ended subscriptions that were stored."""
        return [one.id for batch in self.batches for one in batch.ended]
