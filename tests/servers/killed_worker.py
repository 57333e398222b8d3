"""A consumer to be killed: commits the effect, says so, and never acks in mode hang."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from opseer_common import inbox
from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.contracts import IntegrationConnected
from opseer_common.database import Database

DATABASE_URL, NATS_URL, SEED, MODE = sys.argv[1:]


async def main() -> None:
    """Hear integration.connected until killed."""
    database = await Database.connect(DATABASE_URL)
    bus = Bus(
        "collector",
        NATS_URL,
        Path(SEED) if SEED else None,
        StoredAttempts(database, "collector"),
    )

    async def handle(message: IntegrationConnected) -> None:
        async with database.transaction() as connection:
            new = await inbox.is_new(
                connection,
                "collector",
                message.durable("collector"),
                message.message_id,
            )
        sys.stdout.write("committed\n" if new else "seen before\n")
        sys.stdout.flush()
        if MODE == "hang":
            await asyncio.Event().wait()

    bus.hear(IntegrationConnected, handle)
    await bus.start()
    await asyncio.Event().wait()


asyncio.run(main())
