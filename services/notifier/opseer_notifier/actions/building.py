"""Building the reports of an account."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

import structlog

from opseer_common.clock import Clock
from opseer_common.contracts import Message
from opseer_notifier.domain.building import Built, Inputs, build

_log = structlog.get_logger()


class Store(Protocol):
    """The rows of one account."""

    async def read(self, account_id: UUID) -> Inputs:
        """Return everything the reports follow from, from one state of the database."""
        ...

    async def write(
        self, inputs: Inputs, built: Built, message: Message | None
    ) -> bool:
        """Store what changed and say report.built, in one transaction.

        False where it changed nothing: the message was handled or newer figures
        were built already. Raises TryLaterError where a connection came or went
        since `inputs` were read.
        """
        ...


class Building:
    """Builds reports."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read and write through `store`; which day is over, `clock` tells."""
        self._store = store
        self._clock = clock

    async def build(self, account_id: UUID, message: Message | None = None) -> None:
        """Bring an account's reports up to what is stored.

        `message` asks for it; None where none was heard.
        """
        inputs = await self._store.read(account_id)
        built = build(inputs, self._clock())
        written = await self._store.write(inputs, built, message)
        _log.info(
            "built",
            account=str(account_id),
            changed=len(built.changed),
            written=written,
        )
