"""What went wrong and is told at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from opseer_common.contracts.message import Source
from opseer_common.database import Connection, Database
from opseer_notifier.domain.notices import Notice, Problem
from opseer_notifier.domain.planning import FREE, WAITS

SILENT: Final = timedelta(hours=24)
"""For how long nothing was collected when a source counts as fallen silent, unless its
next round is not due by then (a day with a change of the clocks has 25 hours) or was
due less than WAITS ago: a round takes its time, and a report waits as long for it."""

_TROUBLES = """
    SELECT account_id, source, connection_id, problem, fact
    FROM notifier.sweep_trouble WHERE since <= $1 AND due_at <= $2
    UNION ALL
    SELECT account_id, source, connection_id, 'KEY_OPENINGS', fact
    FROM notifier.sweep_key_alarm
    LIMIT 1000
"""
_TELL = """
    INSERT INTO notifier.delivery (delivery_id, account_id, user_id, destination_id,
        channel, hint, kind, day, fact, source, body, due_at, not_before, created_at)
    SELECT gen_random_uuid(), d.account_id, d.user_id, d.destination_id, d.kind, d.hint,
           'notice', ($6 AT TIME ZONE 'UTC')::date, $3, $4, $5, $6, $6, $6
    FROM notifier.destination d
    WHERE d.account_id = $1 AND d.state = 'active' AND d.user_id = $2
      AND d.destination_id IS DISTINCT FROM $7
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A connection that needs somebody; `fact` tells this trouble from the next."""

    account_id: UUID
    source: Source
    connection_id: UUID
    problem: Problem
    fact: str


class NoticeStore:
    """Troubles, and whether they were told."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def troubles(self, now: datetime) -> list[Trouble]:
        """Return what has not been told yet, of accounts that set up alerts."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_TROUBLES, now - SILENT, now - WAITS)
        return [Trouble(**dict(row)) for row in rows]

    async def tell(self, trouble: Trouble, now: datetime) -> None:
        """Tell everyone who follows the source, by every destination, once."""
        async with self._database.transaction(trouble.account_id) as connection:
            is_new = await connection.fetchval(
                """
                INSERT INTO notifier.told (account_id, connection_id, fact, at)
                VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true
                """,
                *(trouble.account_id, trouble.connection_id, trouble.fact, now),
            )
            plan = await connection.fetchval(
                "SELECT plan FROM gateway.v1_account WHERE account_id = $1",
                trouble.account_id,
            )
            if not is_new or plan == FREE:
                return
            users = await connection.fetch(
                """
                SELECT user_id FROM notifier.alert_setting
                WHERE account_id = $1 AND $2 = ANY (sources)
                """,
                *(trouble.account_id, trouble.source),
            )
            notice = Notice(problem=trouble.problem, source=trouble.source)
            for user in users:
                of = (trouble.account_id, user["user_id"])
                await tell_user(connection, of, trouble.fact, notice, now)


async def tell_user(
    connection: Connection,
    of: tuple[UUID, UUID],
    fact: str,
    notice: Notice,
    now: datetime,
    *,
    but: UUID | None = None,
) -> None:
    """Add a delivery of `notice` to every destination of (account, user) `but` one."""
    body = msgspec.json.encode(notice).decode()
    await connection.execute(_TELL, *of, fact, notice.source, body, now, but)
