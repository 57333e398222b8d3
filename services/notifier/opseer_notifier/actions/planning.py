"""Making deliveries of what is due by the timetables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import structlog

from opseer_common.clock import Clock
from opseer_common.database import LATER
from opseer_notifier.domain.planning import Firing, Setting, fire

_BATCH: Final = 500
_AT_ONCE: Final = 6
_log = structlog.get_logger()


class Store(Protocol):
    """Users and when something is due to them."""

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """Return accounts and users for whom something is due."""
        ...

    async def plan(
        self,
        account_id: UUID,
        user_id: UUID,
        now: datetime,
        fire: Callable[[Setting, datetime], Firing],
    ) -> bool:
        """Add a user's deliveries, each once; False where another process does."""
        ...


class Planning:
    """Looks who is due."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read and write through `store`."""
        self._store = store
        self._clock = clock

    async def plan(self) -> int:
        """Plan for everyone who is due; return how many were."""
        planned = 0
        while True:
            now = self._clock()
            due = await self._store.due(now, _BATCH)
            slots = asyncio.Semaphore(_AT_ONCE)
            done = await asyncio.gather(*(self._one(*who, now, slots) for who in due))
            planned += sum(done)
            # A user who cannot be planned for must not keep this loop going.
            if len(due) < _BATCH or not any(done):
                return planned

    async def _one(
        self, account_id: UUID, user_id: UUID, now: datetime, slots: asyncio.Semaphore
    ) -> bool:
        """Plan for one user; one who fails must not stop the others."""
        async with slots:
            try:
                return await self._store.plan(account_id, user_id, now, fire)
            except LATER:
                raise
            except Exception:  # noqa: BLE001 - see above
                _log.exception("not planned", account=str(account_id))
                return False
