"""Writes with an Idempotency-Key in Postgres."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from opseer_common.database import Database
from opseer_gateway.domain.idempotency import ABANDONED, KEPT, Earlier


class IdempotencyStore:
    """One row per account and key."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def begin(
        self, account_id: UUID, key_hash: bytes, request_hash: bytes, now: datetime
    ) -> Earlier | None:
        """Note that a write begins; return the one that came before, if any."""
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                """
                DELETE FROM gateway.idempotency_key
                WHERE account_id = $1 AND begun_at < $2
                """,
                *(account_id, now - KEPT),
            )
            begun = await connection.fetchval(
                """
                INSERT INTO gateway.idempotency_key AS known
                    (account_id, key_hash, request_hash, begun_at)
                VALUES ($1, $2, $3, $4)
                ON CONFLICT (account_id, key_hash) DO UPDATE
                    SET begun_at = excluded.begun_at
                    WHERE known.answer IS NULL AND known.begun_at < $5
                      AND known.request_hash = excluded.request_hash
                RETURNING true
                """,
                *(account_id, key_hash, request_hash, now, now - ABANDONED),
            )
            if begun:
                return None
            row = await connection.fetchrow(
                """
                SELECT request_hash, answer FROM gateway.idempotency_key
                WHERE account_id = $1 AND key_hash = $2
                """,
                *(account_id, key_hash),
            )
        return Earlier(**dict(row)) if row else Earlier(request_hash, None)

    async def finish(self, account_id: UUID, key_hash: bytes, answer: bytes) -> None:
        """Keep the sealed answer."""
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                """
                UPDATE gateway.idempotency_key SET answer = $3
                WHERE account_id = $1 AND key_hash = $2
                """,
                *(account_id, key_hash, answer),
            )

    async def forget(self, account_id: UUID, key_hash: bytes) -> None:
        """Forget a write that was refused: nothing was done."""
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                """
                DELETE FROM gateway.idempotency_key
                WHERE account_id = $1 AND key_hash = $2
                """,
                *(account_id, key_hash),
            )
