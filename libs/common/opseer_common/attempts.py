"""Counting handler faults, and keeping what was given up, in the service's schema."""

from __future__ import annotations

from typing import Protocol

from opseer_common.database import Database


class Attempts(Protocol):
    """What the bus needs to know about a message that failed before."""

    async def count(self, durable: str, key: str, error: str) -> int:
        """Add one fault of the message and return how many there are now."""
        ...

    async def park(self, durable: str, key: str, error: str, payload: bytes) -> None:
        """Keep a message that is given up, visibly."""
        ...


class StoredAttempts:
    """Attempts in Postgres: they outlive the process and the stream."""

    def __init__(self, database: Database, schema: str) -> None:
        """Keep them in `schema`.attempt and `schema`.dead_letter."""
        self._database = database
        self._schema = schema

    async def count(self, durable: str, key: str, error: str) -> int:
        """Add one fault of the message and return how many there are now."""
        async with self._database.transaction() as connection:
            attempts: int = await connection.fetchval(
                f"""
                INSERT INTO {self._schema}.attempt AS a
                    (durable, message_key, attempts, last_error)
                VALUES ($1, $2, 1, $3)
                ON CONFLICT (durable, message_key) DO UPDATE
                SET attempts = a.attempts + 1, last_error = excluded.last_error,
                    at = now()
                RETURNING attempts
                """,  # noqa: S608 - the schema is the service's own constant
                durable,
                key,
                error,
            )
            return attempts

    async def park(self, durable: str, key: str, error: str, payload: bytes) -> None:
        """Keep the message with its count; the count itself starts anew."""
        async with self._database.transaction() as connection:
            await connection.execute(
                f"""
                WITH gone AS (
                    DELETE FROM {self._schema}.attempt
                    WHERE durable = $1 AND message_key = $2 RETURNING attempts)
                INSERT INTO {self._schema}.dead_letter
                    (durable, message_key, attempts, error, payload)
                VALUES ($1, $2, coalesce((SELECT attempts FROM gone), 1), $3, $4)
                ON CONFLICT (durable, message_key) DO UPDATE
                SET error = excluded.error, parked_at = now()
                """,  # noqa: S608 - the schema is the service's own constant
                durable,
                key,
                error,
                payload,
            )
