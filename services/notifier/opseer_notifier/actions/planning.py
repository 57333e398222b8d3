"""Making deliveries of what is due by the timetables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import structlog

from opseer_common.clock import Clock
from opseer_common.database import LATER
from opseer_notifier.domain.planning import Firing, Setting, fire

_BATCH: Final = 50
_log = structlog.get_logger()


class Store(Protocol):
    """Users and when something is due to them."""

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """Return accounts and users for whom something is due."""
        ...

    async def plan(
        self,
        wanted: Sequence[tuple[UUID, UUID]],
        now: datetime,
        fire: Callable[[Setting, datetime], Firing],
    ) -> int:
        """Add the deliveries of users, each once; return for how many."""
        ...


class Planning:
    """Looks who is due."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read and write through `store`."""
        self._store = store
        self._clock = clock

    async def plan(self) -> int:
        """Plan for some of those who are due; return for how many."""
        now = self._clock()
        due = await self._store.due(now, _BATCH)
        if not due:
            return 0
        try:
            return await self._store.plan(due, now, fire)
        except LATER:
            raise
        except Exception:  # noqa: BLE001 - one user must not stop the others
            _log.exception("not planned together", users=len(due))
        return sum([await self._alone(who, now) for who in due])

    async def _alone(self, who: tuple[UUID, UUID], now: datetime) -> int:
        """Plan for one user, whoever else fails."""
        try:
            return await self._store.plan([who], now, fire)
        except LATER:
            raise
        except Exception:  # noqa: BLE001 - see above
            _log.exception("not planned", account=str(who[0]))
            return 0
