"""Reading what the figures follow from, replacing them, finding what is behind."""

from __future__ import annotations

from uuid import UUID

import msgspec

from opseer_common import inbox
from opseer_common.contracts import (
    IntegrationDisconnected,
    Message,
    MrrComputed,
    RevenueCollected,
)
from opseer_common.database import Connection, Database, Row
from opseer_common.days import zone
from opseer_common.outbox import say
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    ObservedRate,
    Settings,
    Stored,
    window,
)
from opseer_mrr.store.rows import OF, OWN, Standing, of, replace

SCHEMA = "mrr"

CONNECTION = f"""
    SELECT c.revision, c.last_collected_at, c.permissions, c.subscriptions_unread,
           i.policy, i.timezone, i.settings_revision,
           coalesce(i.settlement_currency, c.settlement_currency) AS settlement
    FROM collector.v1_connection c
    JOIN gateway.v1_integration i USING (account_id, source, connection_id)
    WHERE {OF} AND c.revision > 0 AND c.last_collected_at IS NOT NULL
"""  # noqa: S608 - constants
COMPUTED = f"""
    SELECT revision, settings_revision FROM mrr.computed WHERE {OF}
"""  # noqa: S608 - constants
_SUBSCRIPTIONS = f"""
    SELECT body FROM collector.v1_subscription WHERE {OF} ORDER BY id
"""  # noqa: S608 - constants
_ENDED = f"""
    SELECT body FROM collector.v1_ended_subscription
    WHERE {OF} AND customer IN (
        SELECT body #>> '{{after,customer}}' FROM collector.v1_subscription_change
        WHERE {OF})
    ORDER BY id
"""  # noqa: S608 - constants
_CHANGES = f"""
    SELECT body FROM collector.v1_subscription_change WHERE {OF}
    ORDER BY at, position, event_id
"""  # noqa: S608 - constants
RATES = f"""
    SELECT origin, target, at, rate FROM collector.v1_fx_rate WHERE {OF} ORDER BY at
"""  # noqa: S608 - constants
_SEAM = f"""
    SELECT snapshot_minor, currency FROM mrr.movement
    WHERE {OF} AND day = $4 AND grain = 'subscription'
"""  # noqa: S608 - constants
_CLOSED = f"""
    SELECT day, snapshot_minor, currency FROM mrr.movement
    WHERE {OF} AND grain = 'subscription'
      AND day < (SELECT last_day FROM mrr.computed WHERE {OF})
    ORDER BY day DESC LIMIT 1
"""  # noqa: S608 - constants
_STANDING = f"""
    SELECT day, subscriptions FROM mrr.standing WHERE {OF}
"""  # noqa: S608 - constants
_PAST_CUSTOMERS = f"""
    SELECT DISTINCT customer_id FROM mrr.movement_change
    WHERE {OF} AND day < $4 AND (before_minor > 0 OR after_minor > 0)
"""  # noqa: S608 - constants
UPSERT_COMPUTED = """
    INSERT INTO mrr.computed (account_id, source, connection_id, revision,
        settings_revision, first_day, last_day, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (account_id, source) DO UPDATE
    SET connection_id = excluded.connection_id, revision = excluded.revision,
        settings_revision = excluded.settings_revision,
        first_day = excluded.first_day, last_day = excluded.last_day, at = excluded.at
"""
_BEHIND = """
    SELECT r.account_id, r.source, r.connection_id
    FROM collector.v1_sweep_revision r
    JOIN gateway.v1_sweep_integration i USING (account_id, source, connection_id)
    LEFT JOIN mrr.sweep_computed c USING (account_id, source, connection_id)
    WHERE r.source = ANY($1::text[]) AND r.revision > coalesce(c.revision, 0)
"""
_GONE = """
    SELECT c.account_id, c.source, c.connection_id FROM mrr.sweep_computed c
    LEFT JOIN gateway.v1_sweep_integration i USING (account_id, source, connection_id)
    WHERE i.account_id IS NULL
"""

_CONNECTED = f"""
    SELECT true FROM gateway.v1_integration WHERE {OF}
"""  # noqa: S608 - constants

_KEPT = msgspec.json.Decoder(Standing)


class PostgresStore:
    """The port of actions.py and schedule.py on Postgres."""

    def __init__(self, database: Database, sources: frozenset[str]) -> None:
        """Use `database` with this service's own login; `sources` are computed."""
        self._database = database
        self._sources = sources

    async def read(self, key: ConnectionKey) -> Inputs | None:
        """Return the inputs, from one repeatable read; None where all is done."""
        own = of(key)
        async with self._database.snapshot(key.account_id) as connection:
            row = await connection.fetchrow(CONNECTION, *own)
            computed = await connection.fetchrow(COMPUTED, *own)
            if row is None or is_done(
                computed, row["revision"], row["settings_revision"]
            ):
                return None
            first = window(row["last_collected_at"], zone(row["timezone"])).first
            seam = await connection.fetchrow(_SEAM, *own, first)
            closed = await connection.fetchrow(_CLOSED, *own)
            row_kept = await connection.fetchrow(_STANDING, *own)
            kept = _KEPT.decode(row_kept["subscriptions"]) if row_kept else Standing()
            is_closed = closed and row_kept and row_kept["day"] == closed["day"]
            past = await connection.fetch(_PAST_CUSTOMERS, *own, first)
            return Inputs(
                key=key,
                revision=row["revision"],
                as_of=row["last_collected_at"],
                settings=Settings(
                    revision=row["settings_revision"],
                    policy=msgspec.json.decode(row["policy"], type=dict[str, object]),
                    timezone=row["timezone"],
                ),
                settlement=row["settlement"],
                permissions=msgspec.json.decode(
                    row["permissions"], type=dict[str, str]
                ),
                subscriptions=_bodies(await connection.fetch(_SUBSCRIPTIONS, *own)),
                changes=_bodies(await connection.fetch(_CHANGES, *own)),
                rates=[
                    ObservedRate(*one) for one in await connection.fetch(RATES, *own)
                ],
                ended=_bodies(await connection.fetch(_ENDED, *own)),
                unread=row["subscriptions_unread"],
                stored=Stored(
                    settings_revision=None
                    if computed is None
                    else computed["settings_revision"],
                    seam=None if seam is None else tuple(seam),
                    closed=None if closed is None else tuple(closed),
                    holdings=kept.held if is_closed else None,
                    endings=kept.ending,
                    past_customers=frozenset(one["customer_id"] for one in past),
                ),
            )

    async def write(
        self, inputs: Inputs, figures: Figures | None, message_id: UUID | None
    ) -> bool:
        """Replace the figures and say mrr.computed, unless a newer state is there."""
        key = inputs.key
        async with self._database.transaction(key.account_id) as connection:
            if not await is_new(connection, RevenueCollected, message_id):
                return False
            await lock(connection, key)
            row = await connection.fetchrow(CONNECTION, *of(key))
            computed = await connection.fetchrow(COMPUTED, *of(key))
            if row is None or is_done(
                computed, inputs.revision, inputs.settings.revision
            ):
                return False
            await delete_others(connection, key)
            days = window(inputs.as_of, zone(inputs.settings.timezone))
            if figures is not None:
                await replace(connection, inputs, figures)
            await connection.execute(
                UPSERT_COMPUTED,
                *of(key),
                inputs.revision,
                inputs.settings.revision,
                days.first,
                days.last,
                inputs.as_of,
            )
            await say(
                connection,
                SCHEMA,
                MrrComputed.of(
                    account_id=key.account_id,
                    source=key.source,
                    connection_id=key.connection_id,
                    first_day=days.first,
                    last_day=days.last,
                    revision=inputs.revision,
                ),
            )
        return True

    async def forget(self, key: ConnectionKey, message_id: UUID | None) -> None:
        """Delete the rows of this connection, if it is gone: news alone is no proof."""
        async with self._database.transaction(key.account_id) as connection:
            if await is_new(connection, IntegrationDisconnected, message_id):
                await lock(connection, key)
                if await connection.fetchval(_CONNECTED, *of(key)):
                    return
                for table in OWN:
                    await connection.execute(
                        f"DELETE FROM mrr.{table} WHERE {OF}",  # noqa: S608
                        *of(key),
                    )

    async def behind(self) -> list[ConnectionKey]:
        """Return connections whose newest revision was not computed."""
        async with self._database.transaction() as connection:
            return _keys(await connection.fetch(_BEHIND, list(self._sources)))

    async def gone(self) -> list[ConnectionKey]:
        """Return connections that have figures and exist no more."""
        async with self._database.transaction() as connection:
            return _keys(await connection.fetch(_GONE))

    async def forget_handled(self) -> None:
        """Drop the ids of messages too old to come again."""
        async with self._database.transaction() as connection:
            await inbox.forget_old(connection, SCHEMA)


def _keys(rows: list[Row]) -> list[ConnectionKey]:
    return [ConnectionKey(*row) for row in rows]


def _bodies(rows: list[Row]) -> list[str]:
    return [row["body"] for row in rows]


def is_done(computed: Row | None, revision: int, settings_revision: int) -> bool:
    """Tell whether what is stored is at least as new."""
    if computed is None:
        return False
    stored: tuple[int, int] = (computed["revision"], computed["settings_revision"])
    return stored[0] >= revision and stored[1] >= settings_revision


async def is_new(
    connection: Connection, contract: type[Message], message_id: UUID | None
) -> bool:
    """Remember the message, where there is one; False when it was handled."""
    return message_id is None or await inbox.is_new(
        connection, SCHEMA, contract.durable(SCHEMA), message_id
    )


async def lock(connection: Connection, key: ConnectionKey) -> None:
    """Wait for whoever else writes figures of this account and source."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext($1))",
        f"opseer mrr {key.account_id} {key.source}",
    )


async def delete_others(connection: Connection, key: ConnectionKey) -> None:
    """Delete what earlier connections of this source left: their end went unheard."""
    for table in OWN:
        await connection.execute(
            f"""
            DELETE FROM mrr.{table}
            WHERE account_id = $1 AND source = $2 AND connection_id <> $3
            """,  # noqa: S608 - a constant
            *of(key),
        )
