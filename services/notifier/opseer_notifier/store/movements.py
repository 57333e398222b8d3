"""Movements that are worth an alert: found once, in the transaction of the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import msgspec

from opseer_common.contracts.message import Source
from opseer_common.database import Connection, Row
from opseer_notifier.domain.building import Connected
from opseer_notifier.domain.movement import Change, Movement, movement_of
from opseer_notifier.domain.planning import FREE

_WINDOW: Final = timedelta(days=7)
_MODES: Final = {"test": "TEST MODE", "demo": "DEMO", "live": ""}
_WATCHERS = """
    SELECT s.user_id, s.sources, s.movement_threshold_minor AS threshold
    FROM notifier.alert_setting s JOIN gateway.v1_account a USING (account_id)
    WHERE s.account_id = $1 AND s.movement_threshold_minor IS NOT NULL AND a.plan <> $2
"""
_NEW = """
    WITH found AS (
        INSERT INTO notifier.seen_change
            (account_id, source, connection_id, day, subscription_id, position)
        SELECT account_id, source, connection_id, day, subscription_id, position
        FROM mrr.v1_movement_change
        WHERE account_id = $1 AND source = $2 AND connection_id = $3 AND day >= $4
        ON CONFLICT DO NOTHING RETURNING day, subscription_id, position)
    SELECT c.day, c.subscription_id, c.category, c.settlement_minor AS amount,
           coalesce(c.plans -> 0 ->> 'nickname', c.plans -> 0 ->> 'price_id', '')
               AS plan,
           coalesce(nullif(n.name, ''), nullif(n.email, ''), c.customer_id, '')
               AS customer
    FROM found JOIN mrr.v1_movement_change c USING (day, subscription_id, position)
    LEFT JOIN collector.v1_name n
        ON (n.account_id, n.source, n.connection_id, n.kind, n.id)
         = (c.account_id, c.source, c.connection_id, 'customer', c.customer_id)
    WHERE c.account_id = $1 AND c.source = $2 AND c.connection_id = $3
      AND c.settlement_minor IS NOT NULL
"""
_TELL = """
    INSERT INTO notifier.delivery (delivery_id, account_id, user_id, destination_id,
        channel, hint, kind, day, fact, source, connection_id, body, due_at, not_before,
        created_at)
    SELECT gen_random_uuid(), d.account_id, d.user_id, d.destination_id, d.kind, d.hint,
           'movement', $3, $4, $5, $6, $7, now(), '-infinity', now()
    FROM notifier.destination d
    WHERE d.account_id = $1 AND d.user_id = $2 AND d.state = 'active'
    ON CONFLICT DO NOTHING
"""


async def alert(
    connection: Connection,
    account_id: UUID,
    connected: Sequence[Connected],
    last_day: date,
) -> None:
    """Tell who asked of the changes that were not there before.

    Where nobody asked, or a connection was not watched until now, what is there
    counts as known. `last_day` is the newest closed day.
    """
    watchers = await connection.fetch(_WATCHERS, account_id, FREE)
    if not watchers:
        await connection.execute(
            "DELETE FROM notifier.movement_watch WHERE account_id = $1", account_id
        )
        return
    for one in connected:
        await _of_connection(connection, account_id, one, last_day, watchers)


async def _of_connection(
    connection: Connection,
    account_id: UUID,
    one: Connected,
    last_day: date,
    watchers: Sequence[Row],
) -> None:
    """Look at one connection."""
    if one.mrr_revision == 0:
        return
    place = (account_id, one.channel.source, one.connection_id)
    first = last_day - _WINDOW
    is_first = await connection.fetchval(
        """
        INSERT INTO notifier.movement_watch VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        *place,
    )
    rows = await connection.fetch(_NEW, *place, first)
    await connection.execute(
        """
        DELETE FROM notifier.seen_change
        WHERE account_id = $1 AND source = $2 AND connection_id = $3 AND day < $4
        """,
        *place,
        first,
    )
    if is_first or not rows or one.channel.currency is None:
        return
    changes = [Change(**dict(row)) for row in rows]
    for watcher in watchers:
        if one.channel.source not in watcher["sources"]:
            continue
        movement = movement_of(
            one.channel.source,
            one.channel.currency,
            _MODES[one.channel.environment],
            changes,
            watcher["threshold"],
        )
        if movement is not None:
            fact = f"{one.connection_id}:{one.mrr_revision}"
            await _tell(connection, place, watcher["user_id"], movement, fact)


async def _tell(
    connection: Connection,
    place: tuple[UUID, Source, UUID],
    user_id: UUID,
    movement: Movement,
    fact: str,
) -> None:
    """Add a delivery to each of a user's destinations."""
    account_id, source, connection_id = place
    newest = max(one.day for one in movement.changes)
    body = msgspec.json.encode(movement).decode()
    await connection.execute(
        _TELL, account_id, user_id, newest, fact, source, connection_id, body
    )


async def forget(
    connection: Connection, account_id: UUID, current: Sequence[UUID]
) -> None:
    """Take what is known of connections other than the `current` ones out."""
    of = (account_id, list(current))
    for table in ("told", "movement_watch", "seen_change"):
        await connection.execute(
            f"""
            DELETE FROM notifier.{table}
            WHERE account_id = $1 AND NOT connection_id = ANY ($2::uuid[])
            """,  # noqa: S608 - constants
            *of,
        )
    await connection.execute(
        """
        DELETE FROM notifier.delivery
        WHERE account_id = $1 AND NOT connection_id = ANY ($2::uuid[])
          AND state IN ('pending', 'retrying')
        """,
        *of,
    )
    await connection.execute(
        """
        UPDATE notifier.delivery SET body = NULL, connection_id = NULL
        WHERE account_id = $1 AND NOT connection_id = ANY ($2::uuid[])
        """,
        *of,
    )
