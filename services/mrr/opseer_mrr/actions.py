"""What the mrr service does: compute a connection's figures, forget a connection."""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID

import structlog

from opseer_mrr.domain.computation import ConnectionKey, Figures, Inputs, compute

COMPUTED_SOURCES = frozenset({"stripe"})
"""The others report their own MRR: there are no subscriptions of theirs to compute."""
_log = structlog.get_logger()


class Store(Protocol):
    """The rows of the account that a key names."""

    async def read(self, key: ConnectionKey) -> Inputs | None:
        """Return what the figures follow from, from one state of the database.

        None where the connection is gone, was replaced, has published nothing yet, or
        was computed from this revision and these settings already.
        """
        ...

    async def write(
        self, inputs: Inputs, figures: Figures | None, message_id: UUID | None
    ) -> bool:
        """Replace the figures and say mrr.computed, in one transaction.

        False where it changed nothing: the message was handled, the connection is
        gone or newer figures are there.
        """
        ...

    async def forget(self, key: ConnectionKey, message_id: UUID | None) -> None:
        """Delete every row of a connection, and of no other."""
        ...


class Computing:
    """Computes, one connection at a time: it is work of the processor."""

    def __init__(self, store: Store) -> None:
        """Read and write through `store`."""
        self._store = store
        self._turn = asyncio.Lock()

    async def compute(self, key: ConnectionKey, message_id: UUID | None = None) -> None:
        """Bring a connection's figures up to what was collected.

        `message_id` names the message that asks for it, None where none was heard.
        """
        if key.source not in COMPUTED_SOURCES:
            return
        async with self._turn:
            inputs = await self._store.read(key)
            if inputs is None:
                return
            # In a thread, so that the bus and the database are answered meanwhile.
            figures = await asyncio.to_thread(compute, inputs)
            written = await self._store.write(inputs, figures, message_id)
        _log.info(
            "computed",
            connection=str(key.connection_id),
            revision=inputs.revision,
            written=written,
        )

    async def forget(self, key: ConnectionKey, message_id: UUID | None = None) -> None:
        """Delete the figures of a connection that is gone."""
        await self._store.forget(key, message_id)
        _log.info("forgotten", connection=str(key.connection_id))
