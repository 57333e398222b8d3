"""Copying what a provider reports of its own MRR into the rows of this service."""

from __future__ import annotations

from uuid import UUID

import msgspec

from opseer_common.contracts import MrrComputed, RevenueCollected
from opseer_common.database import Connection, Database
from opseer_common.days import ONE_DAY
from opseer_common.outbox import say
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.domain.given import POLICY, Given, GivenDay, GivenInputs, Metric
from opseer_mrr.domain.policy import VERSION
from opseer_mrr.store.figures import (
    COMPUTED,
    CONNECTION,
    SCHEMA,
    UPSERT_COMPUTED,
    delete_others,
    is_done,
    is_new,
    lock,
)
from opseer_mrr.store.rows import OF, of

_METRICS = f"""
    SELECT day, name, currency, value, reason, timezone
    FROM collector.v1_metric_daily WHERE {OF} ORDER BY day, name
"""  # noqa: S608 - constants
_BEFORE = f"""
    SELECT snapshot_minor FROM mrr.movement
    WHERE {OF} AND day = $4 AND grain = 'subscription' AND currency = $5
"""  # noqa: S608 - constants
_INSERT_SNAPSHOT = """
    INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
        mrr_minor, active_subscriptions, trial_mrr_minor, committed_mrr_minor, policy,
        policy_version, timezone, complete, reason, as_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_INSERT_MOVEMENT = """
    INSERT INTO mrr.movement (account_id, source, connection_id, day, grain, currency,
        new_minor, expansion_minor, contraction_minor, churned_minor, net_minor,
        of_which_reactivation_minor, fx_minor, snapshot_minor, new_subs, churned_subs,
        timezone, complete, reason, as_of)
    VALUES ($1, $2, $3, $4, 'subscription', $5, $6, $7, $8, $9, $10, $11, $12, $13,
        $14, $15, $16, $17, $18, $19)
"""


class GivenStore:
    """The port of actions.py for sources that report their own MRR."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def read(self, key: ConnectionKey) -> GivenInputs | None:
        """Return what was published, from one repeatable read; None where all is done.

        Also where nothing of its own was published.
        """
        own = of(key)
        async with self._database.snapshot(key.account_id) as connection:
            row = await connection.fetchrow(CONNECTION, *own)
            computed = await connection.fetchrow(COMPUTED, *own)
            if row is None or is_done(
                computed, row["revision"], row["settings_revision"]
            ):
                return None
            metrics = await connection.fetch(_METRICS, *own)
            first = min((one["day"] for one in metrics), default=None)
            currency = next((one["currency"] for one in metrics if one["currency"]), "")
            before = None
            if first is not None:
                before = await connection.fetchval(
                    _BEFORE, *own, first - ONE_DAY, currency
                )
        if first is None:
            return None
        return GivenInputs(
            key=key,
            revision=row["revision"],
            settings_revision=row["settings_revision"],
            as_of=row["last_collected_at"],
            currency=currency,
            timezone=metrics[0]["timezone"],
            metrics=[Metric(*tuple(one)[:5]) for one in metrics],
            before=before,
        )

    async def write(
        self, inputs: GivenInputs, given: Given, message_id: UUID | None
    ) -> bool:
        """Replace the rows and say mrr.computed, unless a newer state is there."""
        key = inputs.key
        async with self._database.transaction(key.account_id) as connection:
            if not await is_new(connection, RevenueCollected, message_id):
                return False
            await lock(connection, key)
            row = await connection.fetchrow(CONNECTION, *of(key))
            computed = await connection.fetchrow(COMPUTED, *of(key))
            if row is None or is_done(
                computed, inputs.revision, inputs.settings_revision
            ):
                return False
            await delete_others(connection, key)
            await _replace(connection, inputs, given)
            days = given.days
            await connection.execute(
                UPSERT_COMPUTED,
                *(*of(key), inputs.revision, inputs.settings_revision),
                *(days.first, days.last, inputs.as_of),
            )
            said = MrrComputed.of(
                account_id=key.account_id,
                source=key.source,
                connection_id=key.connection_id,
                first_day=days.first,
                last_day=days.last,
                revision=inputs.revision,
            )
            await say(connection, SCHEMA, said)
        return True


async def _replace(connection: Connection, inputs: GivenInputs, given: Given) -> None:
    """Write the days; older ones stay while the currency is the same."""
    own = of(inputs.key)
    for table, first in (
        ("movement", given.days.first),
        ("snapshot", given.days.last),
    ):
        await connection.execute(
            f"""
            DELETE FROM mrr.{table} WHERE {OF} AND (day >= $4 OR currency <> $5)
            """,  # noqa: S608 - a constant
            *(*own, first, inputs.currency),
        )
    now = given.snapshot
    await connection.execute(
        _INSERT_SNAPSHOT,
        *(*own, now.day, inputs.currency, now.mrr, now.active_subscriptions),
        *(now.trial_mrr, now.committed_mrr, msgspec.json.encode(POLICY).decode()),
        *(VERSION, inputs.timezone, now.reason is None, now.reason, inputs.as_of),
    )
    await connection.executemany(
        _INSERT_MOVEMENT, [_values(inputs, row) for row in given.movements]
    )


def _values(inputs: GivenInputs, row: GivenDay) -> tuple[object, ...]:
    """Return the values of one day's movements."""
    return (
        *(*of(inputs.key), row.day, inputs.currency),
        *(row.new, row.expansion, row.contraction, row.churned, row.net),
        *(row.of_which_reactivation, row.fx, row.snapshot),
        *(row.new_subs, row.churned_subs, inputs.timezone),
        *(row.reason is None, row.reason, inputs.as_of),
    )
