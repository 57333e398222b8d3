"""What the mrr service does: compute a connection's figures, forget a connection."""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import UUID

import structlog

from opseer_mrr.domain.computation import ConnectionKey, Figures, Inputs, compute
from opseer_mrr.domain.given import Given, GivenInputs, given

COMPUTED_SOURCES = frozenset({"stripe"})
"""The others report their own MRR, which is copied: see domain/given.py."""
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


class Estimates(Protocol):
    """What is estimated from older history, where some was read."""

    async def bring_up_to_date(self, key: ConnectionKey) -> None:
        """Estimate anew where what the estimate rests on has changed."""
        ...


class GivenStore(Protocol):
    """The rows of sources that report their own MRR."""

    async def read(self, key: ConnectionKey) -> GivenInputs | None:
        """Return what was reported; None where that is done or there is nothing."""
        ...

    async def write(
        self, inputs: GivenInputs, given: Given, message_id: UUID | None
    ) -> bool:
        """Replace the rows and say mrr.computed, as `Store.write` does."""
        ...


class Computing:
    """Computes, one connection at a time: it is work of the processor."""

    def __init__(
        self,
        store: Store,
        estimates: Estimates | None = None,
        given: GivenStore | None = None,
    ) -> None:
        """Read and write through `store`, estimate through `estimates`.

        What other sources report is copied through `given`.
        """
        self._store = store
        self._estimates = estimates
        self._given = given
        self._turn = asyncio.Lock()

    async def compute(self, key: ConnectionKey, message_id: UUID | None = None) -> None:
        """Bring a connection's figures up to what was collected.

        `message_id` names the message that asks for it, None where none was heard.
        """
        if key.source not in COMPUTED_SOURCES:
            await self._copy(key, message_id)
            return
        async with self._turn:
            # First, for it is found undone by what the exact figures were made from.
            if self._estimates is not None:
                await self._estimates.bring_up_to_date(key)
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

    async def _copy(self, key: ConnectionKey, message_id: UUID | None) -> None:
        """Copy what the provider reports."""
        if self._given is None:
            return
        async with self._turn:
            inputs = await self._given.read(key)
            rows = None if inputs is None else given(inputs)
            if inputs is None or rows is None:
                return
            written = await self._given.write(inputs, rows, message_id)
        _log.info(
            "copied",
            connection=str(key.connection_id),
            revision=inputs.revision,
            written=written,
        )

    async def forget(self, key: ConnectionKey, message_id: UUID | None = None) -> None:
        """Delete the figures of a connection that is gone."""
        await self._store.forget(key, message_id)
        _log.info("forgotten", connection=str(key.connection_id))
