"""Saying something and changing rows in one transaction, and carrying it to the bus.

`say` writes the message beside the rows that it is about; `Relay` publishes what is
committed. It publishes before it deletes: a crash in between says it twice with the
same id, and JetStream's window or the hearer's inbox drops the second.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

import asyncpg
import structlog

from opseer_common.contracts import Message
from opseer_common.database import LATER, UNAVAILABLE, Connection, Database

_BATCH = 200
_POLL_SECONDS = 1.0
_log = structlog.get_logger()


class Publish(Protocol):
    """Hand one message to JetStream; return when it is stored there."""

    async def __call__(self, subject: str, payload: bytes, message_id: str) -> None:
        """Publish. Raises TryLaterError while the bus is away."""
        ...


async def say(connection: Connection, schema: str, message: Message) -> None:
    """Say `message` when the running transaction commits; again is the same once."""
    await connection.execute(
        f"""
        INSERT INTO {schema}.outbox (message_id, subject, payload)
        VALUES ($1, $2, $3) ON CONFLICT (message_id) DO NOTHING
        """,  # noqa: S608 - the schema is the service's own constant
        message.message_id,
        message.subject,
        message.model_dump_json().encode(),
    )


class Relay:
    """Carries one service's outbox to the bus, oldest first."""

    def __init__(self, database: Database, schema: str, publish: Publish) -> None:
        """Read `schema`.outbox through `database`."""
        self._database = database
        self._schema = schema
        self._publish = publish
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Carry until cancelled, whatever is away meanwhile."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                try:
                    carried = await self.carry()
                except LATER as error:
                    _log.warning("relay waits", error=type(error).__name__)
                    carried = 0
                if carried < _BATCH:
                    await self._sleep()
        finally:
            listener.cancel()

    async def carry(self) -> int:
        """Publish one batch and return its size. One relay at a time per schema."""
        async with self._database.transaction() as connection:
            mine = await connection.fetchval(
                "SELECT pg_try_advisory_xact_lock(hashtext($1))",
                f"opseer outbox {self._schema}",
            )
            if not mine:
                return 0
            rows = await connection.fetch(
                f"""
                SELECT id, message_id, subject, payload FROM {self._schema}.outbox
                ORDER BY id LIMIT {_BATCH}
                """  # noqa: S608 - the schema is the service's own constant
            )
            for row in rows:
                await self._publish(
                    row["subject"], row["payload"], str(row["message_id"])
                )
            await connection.execute(
                f"DELETE FROM {self._schema}.outbox WHERE id = ANY($1::bigint[])",  # noqa: S608
                [row["id"] for row in rows],
            )
            return len(rows)

    async def _sleep(self) -> None:
        """Wait for a commit's notice, at most until the next poll."""
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _listen(self) -> None:
        """Keep a listening connection; polling covers the time without one."""
        while True:
            with contextlib.suppress(*UNAVAILABLE):
                await self._listen_once()
            await asyncio.sleep(_POLL_SECONDS)

    async def _listen_once(self) -> None:
        """Listen until the connection ends."""
        connection = await asyncpg.connect(self._database.url)
        gone = asyncio.Event()
        connection.add_termination_listener(lambda *_: gone.set())
        try:
            await connection.add_listener(
                f"{self._schema}_outbox", lambda *_: self._wake.set()
            )
            await gone.wait()
        finally:
            connection.terminate()
