"""Remembering what was handled, in the transaction of the effect."""

from __future__ import annotations

from uuid import UUID

from opseer_common.database import Connection


async def is_new(
    connection: Connection, schema: str, durable: str, message_id: UUID
) -> bool:
    """Remember the message; False when its effect is there already."""
    inserted = await connection.fetchval(
        f"""
        INSERT INTO {schema}.inbox (durable, message_id) VALUES ($1, $2)
        ON CONFLICT DO NOTHING RETURNING true
        """,  # noqa: S608 - the schema is the service's own constant
        durable,
        message_id,
    )
    return inserted is not None


async def forget_old(connection: Connection, schema: str) -> None:
    """Drop what is older than any stream could deliver again (streams keep 7 days)."""
    await connection.execute(
        f"DELETE FROM {schema}.inbox WHERE handled_at < now() - interval '14 days'"  # noqa: S608
    )
