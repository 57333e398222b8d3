"""Runs: claimed under a lease, ended once. The database's own clock judges leases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from opseer_collector.domain.fetching import Overtaken, Wanted
from opseer_collector.domain.records import Window
from opseer_collector.domain.work import Candidate, Claim, Integration
from opseer_common import outbox
from opseer_common.contracts import CollectionFailed
from opseer_common.database import Connection, Database

SCHEMA: Final = "collector"
LEASE: Final = timedelta(seconds=30)
"""How long a holder that is silent is believed to live."""


class Runs:
    """The runs that one collector process drives."""

    def __init__(
        self, database: Database, holder: str, lease: timedelta = LEASE
    ) -> None:
        """Claim as `holder`, a name for the operator."""
        self._database = database
        self._holder = holder
        self._lease = lease

    async def waiting(self, now: datetime) -> list[Candidate]:
        """Return the runs that are due at `now` or were left by their holder."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                """
                SELECT run_id, account_id FROM collector.sweep_run
                WHERE (state = 'queued' AND not_before <= $1)
                   OR (state = 'running' AND leased_until < now())
                ORDER BY created_at LIMIT 64
                """,
                now,
            )
        return [Candidate(row["run_id"], row["account_id"]) for row in rows]

    async def claim(self, candidate: Candidate, now: datetime) -> Claim | None:
        """Take a run; None where somebody else has it or another one of its
        connection is under way.
        """
        async with self._database.transaction(candidate.account_id) as connection:
            row = await connection.fetchrow(
                """
                SELECT r.run_id, r.account_id, r.source, r.connection_id, r.kind,
                       r.tries
                FROM collector.run r
                JOIN collector.connection c USING (account_id, source, connection_id)
                WHERE r.run_id = $1
                  AND ((r.state = 'queued' AND r.not_before <= $2)
                       OR (r.state = 'running' AND r.leased_until < now()))
                FOR UPDATE SKIP LOCKED
                """,
                candidate.run_id,
                now,
            )
            if row is None or await self._other_holder(connection, candidate):
                return None
            fence = await connection.fetchval(
                """
                UPDATE collector.run r SET state = 'running', leased_by = $2,
                    leased_until = now() + $3, stage = 'connecting', done = 0,
                    total = 0, started_at = coalesce(started_at, $4),
                    fence = 1 + (SELECT max(o.fence) FROM collector.run o
                                 WHERE (o.account_id, o.source)
                                     = (r.account_id, r.source))
                WHERE run_id = $1 RETURNING fence
                """,
                candidate.run_id,
                self._holder,
                self._lease,
                now,
            )
        return Claim(**dict(row), fence=fence)

    async def _other_holder(self, connection: Connection, candidate: Candidate) -> bool:
        """Tell whether another run of the connection is being driven.

        The connection's row is locked already, so that two claims cannot pass.
        """
        found: bool = await connection.fetchval(
            """
            SELECT EXISTS (
                SELECT FROM collector.run mine JOIN collector.run other
                    USING (account_id, source, connection_id)
                WHERE mine.run_id = $1 AND other.run_id <> $1
                  AND other.state = 'running')
            """,
            candidate.run_id,
        )
        return found

    async def integration(self, claim: Claim) -> Integration | None:
        """Return the connection of a claim; None where it has ended."""
        async with self._database.transaction(claim.account_id) as connection:
            row = await connection.fetchrow(
                """
                SELECT i.environment, i.timezone, c.last_collected_at, c.pace,
                       cardinality(c.flags) > 0 AS flagged,
                       c.settings_revision < i.settings_revision AS unsettled,
                       c.state = 'auth_failed' AS refused,
                       i.settlement_currency, i.channel
                FROM gateway.v1_integration i
                JOIN collector.connection c USING (account_id, source, connection_id)
                WHERE (account_id, source, connection_id) = ($1, $2, $3)
                """,
                claim.account_id,
                claim.source,
                claim.connection_id,
            )
        return None if row is None else _integration(dict(row))

    async def windows_read(self, claim: Claim, until: datetime) -> list[Window]:
        """Return the windows that the run stored before it broke off.

        Rows become visible late, so that those created after `until` are read again.
        """
        async with self._database.transaction(claim.account_id) as connection:
            rows = await connection.fetch(
                """
                SELECT endpoint, since, least(until, $2) AS until
                FROM collector.read_window WHERE run_id = $1 AND since < $2
                """,
                claim.run_id,
                int(until.timestamp()),
            )
        return [Window(**dict(row)) for row in rows]

    async def sealed_key(self, claim: Claim) -> tuple[int, bytes] | None:
        """Return key version and record; the opening is logged. None: disconnected."""
        async with self._database.transaction(claim.account_id) as connection:
            row = await connection.fetchrow(
                "SELECT key_version, config FROM gateway.read_sealed_key($1, $2, $3)",
                claim.account_id,
                claim.source,
                claim.connection_id,
            )
        return None if row is None else (row["key_version"], row["config"])

    async def renew(self, claim: Claim) -> None:
        """Keep the lease. Overtaken where it was lost."""
        async with self._database.transaction(claim.account_id) as connection:
            renewed = await connection.fetchval(
                """
                UPDATE collector.run SET leased_until = now() + $3
                WHERE run_id = $1 AND fence = $2 AND state = 'running'
                  AND leased_until > now()
                RETURNING true
                """,
                claim.run_id,
                claim.fence,
                self._lease,
            )
        if renewed is None:
            raise Overtaken("the lease was lost")

    async def release(self, claim: Claim) -> None:
        """End the lease: whoever comes next goes on. Overtaken where it was lost."""
        async with fenced(self._database, claim) as connection:
            await connection.execute(
                "UPDATE collector.run SET leased_until = now() WHERE run_id = $1",
                claim.run_id,
            )

    async def progress(self, claim: Claim, stage: str, done: int, total: int) -> None:
        """Show how far the run is. Overtaken where the lease was lost."""
        async with fenced(self._database, claim) as connection:
            await connection.execute(
                """
                UPDATE collector.run SET stage = $2, done = $3, total = $4
                WHERE run_id = $1
                """,
                claim.run_id,
                stage,
                done,
                total,
            )

    async def put_back(
        self, claim: Claim, not_before: datetime, code: str, detail: str
    ) -> None:
        """Try the run again from `not_before` on, and show why."""
        async with fenced(self._database, claim) as connection:
            await connection.execute(
                """
                UPDATE collector.run SET state = 'queued', stage = 'queued', done = 0,
                    total = 0, tries = tries + 1, not_before = $2, leased_by = NULL,
                    leased_until = NULL
                WHERE run_id = $1
                """,
                claim.run_id,
                not_before,
            )
            await _show_error(connection, claim, code, detail)

    async def fail(self, claim: Claim, now: datetime, code: str, detail: str) -> None:
        """End the run and the collecting of its connection, until a new connect."""
        async with fenced(self._database, claim) as connection:
            await connection.execute(
                """
                UPDATE collector.run SET state = 'failed', finished_at = $4,
                    error_code = $5, leased_by = NULL, leased_until = NULL
                WHERE (account_id, source, connection_id) = ($1, $2, $3)
                  AND state IN ('queued', 'running')
                """,
                claim.account_id,
                claim.source,
                claim.connection_id,
                now,
                code,
            )
            await connection.execute(
                """
                UPDATE collector.connection
                SET state = 'auth_failed', next_run_at = NULL
                WHERE (account_id, source, connection_id) = ($1, $2, $3)
                """,
                claim.account_id,
                claim.source,
                claim.connection_id,
            )
            await _show_error(connection, claim, code, detail)
            said = CollectionFailed.of(
                claim.account_id, claim.source, claim.connection_id, claim.run_id, code
            )
            await outbox.say(connection, SCHEMA, said)


@asynccontextmanager
async def fenced(
    database: Database, claim: Claim, *, alone: bool = True
) -> AsyncIterator[Connection]:
    """Write for a claim while it is ours. Raises Overtaken when it is not.

    The run's row stays locked until the commit, so that neither another claim nor a
    disconnect can come in between. Pages of one run share the lock (`alone` False).
    """
    lock = "FOR UPDATE" if alone else "FOR SHARE"
    async with database.transaction(claim.account_id) as connection:
        ours = await connection.fetchval(
            f"""
            SELECT true FROM collector.run
            WHERE run_id = $1 AND fence = $2 AND state = 'running'
              AND leased_until > now()
            {lock}
            """,  # noqa: S608 - one of two constants
            claim.run_id,
            claim.fence,
        )
        if ours is None:
            raise Overtaken("the lease was lost")
        yield connection


class _Project(msgspec.Struct):
    id: str


class _Channel(msgspec.Struct):
    """What the gateway keeps of a channel: see its migration 0004."""

    projects: list[_Project] = []
    chosen: list[str] | None = None
    excluded_stores: list[str] = []


def _integration(row: dict[str, Any]) -> Integration:
    """Return a row as a value."""
    channel = msgspec.json.decode(row.pop("channel"), type=_Channel)
    known = [project.id for project in channel.projects]
    wanted = Wanted(
        timezone=row["timezone"],
        currency=row.pop("settlement_currency"),
        projects=tuple(known if channel.chosen is None else channel.chosen),
        excluded_stores=tuple(channel.excluded_stores),
    )
    pace = msgspec.json.decode(row.pop("pace"), type=dict[str, int])
    return Integration(**row, pace=pace, wanted=wanted)


async def _show_error(
    connection: Connection, claim: Claim, code: str, detail: str
) -> None:
    await connection.execute(
        """
        UPDATE collector.connection SET last_error_code = $4, last_error_detail = $5
        WHERE (account_id, source, connection_id) = ($1, $2, $3)
        """,
        claim.account_id,
        claim.source,
        claim.connection_id,
        code,
        detail,
    )
