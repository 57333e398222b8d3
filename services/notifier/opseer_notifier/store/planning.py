"""Users whose report is due, and the deliveries that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from opseer_common.database import (
    Connection,
    Database,
    Row,
    work_for,
)
from opseer_common.firing import Timetable
from opseer_notifier.domain.planning import WAITS, Due, Firing, Setting

KEPT: Final = timedelta(days=90)
"""How far the delivery log goes back."""
_DUE = """
    SELECT account_id, user_id FROM notifier.sweep_alert_setting
    WHERE next_fire_at IS NULL OR next_fire_at <= $1
    ORDER BY next_fire_at NULLS FIRST LIMIT $2
"""
_LOCK = """
    SELECT s.sources, s.send_at, s.timezone, s.weekdays, s.weekly_digest, s.updated_at,
           s.next_fire_at, a.plan,
           ARRAY(SELECT i.source || ' ' || i.timezone FROM gateway.v1_integration i
                 WHERE i.account_id = $1) AS zones
    FROM notifier.alert_setting s JOIN gateway.v1_account a USING (account_id)
    WHERE s.account_id = $1 AND s.user_id = $2
      AND (s.next_fire_at IS NULL OR s.next_fire_at <= $3)
    FOR UPDATE OF s SKIP LOCKED
"""
_FORGET = """
    DELETE FROM notifier.delivery WHERE account_id = $1 AND created_at < $2
"""
_ADD = """
    INSERT INTO notifier.delivery (delivery_id, account_id, user_id, destination_id,
        channel, hint, kind, day, due_at, not_before, wait_until, created_at)
    SELECT gen_random_uuid(), d.account_id, d.user_id, d.destination_id, d.kind, d.hint,
           $3, $4, $5, $7, $6, $7
    FROM notifier.destination d
    WHERE d.account_id = $1 AND d.user_id = $2 AND d.state = 'active'
    ON CONFLICT DO NOTHING
"""


class PlanningStore:
    """The rows behind the timetable."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """Return accounts and users for whom something is due or not worked out."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_DUE, now, limit)
        return [(row["account_id"], row["user_id"]) for row in rows]

    async def plan(
        self,
        wanted: Sequence[tuple[UUID, UUID]],
        now: datetime,
        fire: Callable[[Setting, datetime], Firing],
    ) -> int:
        """Add the deliveries that `fire` finds due, each once, and note what is next.

        All in one transaction. Returns for how many users; the others another process
        plans for just now, or has.
        """
        planned = 0
        async with self._database.transaction() as connection:
            for account_id, user_id in wanted:
                await work_for(connection, account_id, lazily=True)
                row = await connection.fetchrow(_LOCK, account_id, user_id, now)
                if row is None:
                    continue
                firing = fire(_setting(account_id, user_id, row), now)
                if firing.due:
                    await connection.execute(_FORGET, account_id, now - KEPT)
                for due in firing.due:
                    await _add(connection, account_id, user_id, due, now)
                await connection.execute(
                    """
                    UPDATE notifier.alert_setting SET next_fire_at = $3
                    WHERE account_id = $1 AND user_id = $2
                    """,
                    *(account_id, user_id, firing.next_fire_at),
                )
                planned += 1
        return planned


def _setting(account_id: UUID, user_id: UUID, row: Row) -> Setting:
    return Setting(
        account_id=account_id,
        user_id=user_id,
        sources=frozenset(row["sources"]),
        timetable=Timetable(
            row["send_at"], row["timezone"], frozenset(row["weekdays"])
        ),
        weekly_digest=row["weekly_digest"],
        updated_at=row["updated_at"],
        next_fire_at=row["next_fire_at"],
        plan=row["plan"],
        zones=dict(one.split(" ", 1) for one in row["zones"]),
    )


async def _add(
    connection: Connection, account_id: UUID, user_id: UUID, due: Due, now: datetime
) -> None:
    """Add a delivery per destination; one that is there already stays as it is."""
    await connection.execute(
        _ADD,
        *(account_id, user_id, due.kind, due.day, due.at, due.at + WAITS, now),
    )
