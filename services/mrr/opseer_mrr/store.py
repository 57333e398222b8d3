"""The mrr service's SQL: what it reads of the others, and its own four tables."""

from __future__ import annotations

from collections.abc import Iterator
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
    EVENTS_PERMISSION,
    ConnectionKey,
    Figures,
    Inputs,
    ObservedRate,
    Settings,
    Stored,
    window,
)
from opseer_mrr.domain.policy import VERSION
from opseer_mrr.domain.rows import MovementChange

SCHEMA = "mrr"
_OF = "account_id = $1 AND source = $2 AND connection_id = $3"

_CONNECTION = f"""
    SELECT c.revision, c.last_collected_at, c.permissions, i.policy, i.timezone,
           i.settings_revision,
           coalesce(i.settlement_currency, c.settlement_currency) AS settlement
    FROM collector.v1_connection c
    JOIN gateway.v1_integration i USING (account_id, source, connection_id)
    WHERE {_OF} AND c.revision > 0 AND c.last_collected_at IS NOT NULL
"""  # noqa: S608 - constants
_COMPUTED = f"""
    SELECT revision, settings_revision FROM mrr.computed WHERE {_OF}
"""  # noqa: S608 - constants
_SUBSCRIPTIONS = f"""
    SELECT body FROM collector.v1_subscription WHERE {_OF} ORDER BY id
"""  # noqa: S608 - constants
_CHANGES = f"""
    SELECT body FROM collector.v1_subscription_change WHERE {_OF}
    ORDER BY at, position, event_id
"""  # noqa: S608 - constants
_RATES = f"""
    SELECT origin, target, at, rate FROM collector.v1_fx_rate WHERE {_OF} ORDER BY at
"""  # noqa: S608 - constants
_SEAM = f"""
    SELECT snapshot_minor, currency FROM mrr.movement
    WHERE {_OF} AND day = $4 AND grain = 'subscription'
"""  # noqa: S608 - constants
_PAST_CUSTOMERS = f"""
    SELECT DISTINCT customer_id FROM mrr.movement_change
    WHERE {_OF} AND day < $4 AND (before_minor > 0 OR after_minor > 0)
"""  # noqa: S608 - constants
_INSERT_SNAPSHOT = """
    INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
        mrr_minor, active_subscriptions, usage_mrr_minor, at_risk_mrr_minor,
        trial_mrr_minor, committed_mrr_minor, mrr_stripe_comparable_minor, unconverted,
        policy, policy_version, timezone, complete, reason, as_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19)
"""
_INSERT_MOVEMENT = """
    INSERT INTO mrr.movement (account_id, source, connection_id, day, grain, currency,
        new_minor, expansion_minor, contraction_minor, churned_minor, net_minor,
        of_which_reactivation_minor, fx_minor, snapshot_minor, new_subs, churned_subs,
        timezone, complete, reason, as_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19, $20)
"""
_INSERT_CHANGE = """
    INSERT INTO mrr.movement_change (account_id, source, connection_id, day,
        subscription_id, position, customer_id, category, reason, currency,
        before_minor, after_minor, settlement_minor, event_ids, arithmetic)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_UPSERT_COMPUTED = """
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
_OWN = ("snapshot", "movement", "movement_change", "computed")


class PostgresStore:
    """The port of actions.py and schedule.py on Postgres."""

    def __init__(self, database: Database, sources: frozenset[str]) -> None:
        """Use `database` with this service's own login; `sources` are computed."""
        self._database = database
        self._sources = sources

    async def read(self, key: ConnectionKey) -> Inputs | None:
        """Return the inputs, from one repeatable read; None where all is done."""
        of = _of(key)
        async with self._database.snapshot(key.account_id) as connection:
            row = await connection.fetchrow(_CONNECTION, *of)
            computed = await connection.fetchrow(_COMPUTED, *of)
            if row is None or _is_done(
                computed, row["revision"], row["settings_revision"]
            ):
                return None
            first = window(row["last_collected_at"], zone(row["timezone"])).first
            seam = await connection.fetchrow(_SEAM, *of, first)
            past = await connection.fetch(_PAST_CUSTOMERS, *of, first)
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
                subscriptions=_bodies(await connection.fetch(_SUBSCRIPTIONS, *of)),
                changes=_bodies(await connection.fetch(_CHANGES, *of)),
                rates=[
                    ObservedRate(*one) for one in await connection.fetch(_RATES, *of)
                ],
                stored=Stored(
                    settings_revision=None
                    if computed is None
                    else computed["settings_revision"],
                    seam=None if seam is None else tuple(seam),
                    past_customers=frozenset(one["customer_id"] for one in past),
                ),
            )

    async def write(
        self, inputs: Inputs, figures: Figures | None, message_id: UUID | None
    ) -> bool:
        """Replace the figures and say mrr.computed, unless a newer state is there."""
        key = inputs.key
        async with self._database.transaction(key.account_id) as connection:
            if not await _is_new(connection, RevenueCollected, message_id):
                return False
            await _lock(connection, key)
            row = await connection.fetchrow(_CONNECTION, *_of(key))
            computed = await connection.fetchrow(_COMPUTED, *_of(key))
            if row is None or _is_done(
                computed, inputs.revision, inputs.settings.revision
            ):
                return False
            await _delete_others(connection, key)
            days = window(inputs.as_of, zone(inputs.settings.timezone))
            if figures is not None:
                await _replace(connection, inputs, figures)
            await connection.execute(
                _UPSERT_COMPUTED,
                *_of(key),
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
        """Delete the rows of this connection."""
        async with self._database.transaction(key.account_id) as connection:
            if await _is_new(connection, IntegrationDisconnected, message_id):
                await _lock(connection, key)
                for table in _OWN:
                    await connection.execute(
                        f"DELETE FROM mrr.{table} WHERE {_OF}",  # noqa: S608
                        *_of(key),
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


def _of(key: ConnectionKey) -> tuple[UUID, str, UUID]:
    return key.account_id, key.source, key.connection_id


def _keys(rows: list[Row]) -> list[ConnectionKey]:
    return [ConnectionKey(*row) for row in rows]


def _bodies(rows: list[Row]) -> list[str]:
    return [row["body"] for row in rows]


def _is_done(computed: Row | None, revision: int, settings_revision: int) -> bool:
    """Tell whether what is stored is at least as new."""
    if computed is None or computed["revision"] < revision:
        return False
    newer: bool = computed["revision"] > revision
    return newer or bool(computed["settings_revision"] >= settings_revision)


async def _is_new(
    connection: Connection, contract: type[Message], message_id: UUID | None
) -> bool:
    """Remember the message, where there is one; False when it was handled."""
    return message_id is None or await inbox.is_new(
        connection, SCHEMA, contract.durable(SCHEMA), message_id
    )


async def _lock(connection: Connection, key: ConnectionKey) -> None:
    """Wait for whoever else writes figures of this account and source."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext($1))",
        f"opseer mrr {key.account_id} {key.source}",
    )


async def _delete_others(connection: Connection, key: ConnectionKey) -> None:
    """Delete what earlier connections of this source left: their end went unheard."""
    for table in _OWN:
        await connection.execute(
            f"""
            DELETE FROM mrr.{table}
            WHERE account_id = $1 AND source = $2 AND connection_id <> $3
            """,  # noqa: S608 - a constant
            *_of(key),
        )


async def _replace(connection: Connection, inputs: Inputs, figures: Figures) -> None:
    """Write the days of `figures`; older ones stay while the currency is the same."""
    of, first, last = _of(inputs.key), figures.days.first, figures.days.last
    for table in ("movement", "movement_change"):
        await connection.execute(
            f"DELETE FROM mrr.{table} WHERE {_OF} AND day >= $4",  # noqa: S608
            *of,
            first,
        )
    await connection.execute(
        f"DELETE FROM mrr.snapshot WHERE {_OF} AND day >= $4",  # noqa: S608
        *of,
        last,
    )
    for table in ("movement", "snapshot"):
        await connection.execute(
            f"DELETE FROM mrr.{table} WHERE {_OF} AND currency <> $4",  # noqa: S608
            *of,
            figures.settlement,
        )
    await connection.execute(_INSERT_SNAPSHOT, *_snapshot_values(inputs, figures))
    await connection.executemany(_INSERT_MOVEMENT, [*_movement_values(inputs, figures)])
    await connection.executemany(
        _INSERT_CHANGE, [(*of, *_change_values(one)) for one in figures.changes]
    )


def _snapshot_values(inputs: Inputs, figures: Figures) -> tuple[object, ...]:
    """Return the values of today's snapshot, amounts null where they are unknown."""
    found = figures.snapshot
    return (
        *_of(inputs.key),
        figures.days.last,
        figures.settlement,
        found and found.mrr,
        found and found.active_subscriptions,
        found and found.usage_mrr,
        found and found.at_risk_mrr,
        found and found.trial_mrr,
        found and found.committed_mrr,
        found and found.mrr_stripe_comparable,
        _json(found.unconverted if found else {}),
        _json(inputs.settings.policy),
        VERSION,
        inputs.settings.timezone,
        figures.reason is None,
        figures.reason,
        inputs.as_of,
    )


def _movement_values(inputs: Inputs, figures: Figures) -> Iterator[tuple[object, ...]]:
    """Yield the values of each movement row; only today's snapshot without events."""
    of, timezone = _of(inputs.key), inputs.settings.timezone
    for grain, row in figures.movements:
        yield (
            *of,
            row.day,
            grain,
            figures.settlement,
            row.new,
            row.expansion,
            row.contraction,
            row.churned,
            row.net,
            row.of_which_reactivation,
            row.fx,
            row.snapshot,
            row.new_subs,
            row.churned_subs,
            timezone,
            row.complete,
            row.reason,
            inputs.as_of,
        )
    if figures.unmoved is not None:
        unknown = (None,) * 7
        for grain in ("subscription", "customer"):
            yield (
                *of,
                figures.days.last,
                grain,
                figures.settlement,
                *unknown,
                figures.unmoved,
                None,
                None,
                timezone,
                False,
                EVENTS_PERMISSION,
                inputs.as_of,
            )


def _change_values(change: MovementChange) -> tuple[object, ...]:
    """Return the values of one subscription behind a day, after its key."""
    return (
        change.day,
        change.subscription_id,
        change.position,
        change.customer_id,
        change.category,
        change.reason,
        change.currency,
        change.before_minor,
        change.after_minor,
        change.settlement_minor,
        list(change.event_ids),
        _json({"before": change.arithmetic_before, "after": change.arithmetic_after}),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
