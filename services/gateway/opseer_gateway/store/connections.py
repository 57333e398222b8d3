"""Connections to providers in Postgres: the sealed key goes in and never comes out.

Each change and the message about it are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from opseer_common import outbox
from opseer_common.channels import CHANNELS
from opseer_common.contracts import (
    CollectionRequested,
    IntegrationConnected,
    IntegrationDisconnected,
    Source,
)
from opseer_common.database import Connection as Transaction
from opseer_common.database import Database
from opseer_common.errors import RefusedError
from opseer_gateway.domain.changes import SettingsChange
from opseer_gateway.domain.channel import Accepted, ChannelSettings
from opseer_gateway.domain.integrations import Connection, Environment, Policy
from opseer_gateway.domain.keys import FittingKey
from opseer_gateway.store.accounts import note

_SCHEMA = "gateway"
_COLUMNS = """source, connection_id, run_id, run_kind, key_hint, environment, livemode,
    timezone, policy, settlement_currency, connected_at, channel"""
_REUSED_RUN = frozenset({"first", "refresh"})


async def read_connection(
    transaction: Transaction, account_id: UUID, source: Source, *, lock: bool = False
) -> Connection | None:
    """Return the account's connection of a source; `lock` keeps it until the end."""
    row = await transaction.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM gateway.opseer_user_integration
        WHERE account_id = $1 AND source = $2 {"FOR UPDATE" if lock else ""}
        """,  # noqa: S608 - constants of this module
        account_id,
        source,
    )
    if row is None:
        return None
    values = dict(row)
    policy = msgspec.json.decode(values.pop("policy"), type=Policy)
    channel = msgspec.json.decode(values.pop("channel"), type=ChannelSettings)
    return Connection(policy=policy, channel=channel, **values)


class ConnectionStore:
    """Changes of connections."""

    def __init__(self, database: Database) -> None:
        """Write through `database`."""
        self._database = database

    async def replace(
        self,
        account_id: UUID,
        key: FittingKey,
        *,
        accepted: Accepted,
        seal: Callable[[int], bytes],
        check: Callable[[Connection | None], None],
        now: datetime,
    ) -> bool:
        """Connect with a new key; return whether nothing was connected before.

        `seal` is called with the new key version. `check` may refuse, given the
        connection that would be replaced. Settings of that one are kept.
        """
        source = key.source
        connection_id, run_id = uuid4(), uuid4()
        async with self._database.transaction(account_id) as transaction:
            # The counter's row is also the lock: two connects come one by one.
            version = await transaction.fetchval(
                """
                INSERT INTO gateway.key_counter AS c (account_id, source, last_version)
                VALUES ($1, $2, 1)
                ON CONFLICT (account_id, source)
                DO UPDATE SET last_version = c.last_version + 1
                RETURNING last_version
                """,
                account_id,
                source,
            )
            before = await read_connection(transaction, account_id, source, lock=True)
            check(before)
            channel = before.channel if before else ChannelSettings()
            await _put(
                transaction,
                account_id=account_id,
                key=key,
                place=(accepted.environment, channel.of_key(accepted)),
                ids=(connection_id, run_id),
                sealed=(version, seal(version)),
                now=now,
            )
            await note(transaction, account_id, source, "connected", now)
            if before is not None:
                gone = IntegrationDisconnected.of(
                    account_id, source, before.connection_id
                )
                await outbox.say(transaction, _SCHEMA, gone)
            await outbox.say(
                transaction,
                _SCHEMA,
                IntegrationConnected.of(
                    account_id, source, connection_id, version, run_id
                ),
            )
        return before is None

    async def delete(self, account_id: UUID, source: Source, now: datetime) -> None:
        """Disconnect: the sealed key is gone, and everyone hears of it."""
        async with self._database.transaction(account_id) as transaction:
            connection_id = await transaction.fetchval(
                """
                DELETE FROM gateway.opseer_user_integration
                WHERE account_id = $1 AND source = $2 RETURNING connection_id
                """,
                account_id,
                source,
            )
            if connection_id is None:
                return
            await note(transaction, account_id, source, "disconnected", now)
            gone = IntegrationDisconnected.of(account_id, source, connection_id)
            await outbox.say(transaction, _SCHEMA, gone)

    async def measured(self) -> dict[str, int]:
        """Return what is measured over all accounts, by the names of web/metrics.py."""
        async with self._database.transaction() as transaction:
            [row] = await transaction.fetch(
                """
                SELECT (SELECT count(*) FROM gateway.outbox) AS outbox_messages,
                       connections, openings AS key_openings, alarms AS key_alarms
                FROM gateway.door_key_opening
                """
            )
            return dict(row)

    async def refresh(self, account_id: UUID, source: Source, now: datetime) -> UUID:
        """Ask for a full re-fetch; return its run, or the one that is under way.

        Raises RefusedError(NOT_CONNECTED).
        """
        async with self._database.transaction(account_id) as transaction:
            connection = await _connected(transaction, account_id, source)
            if await _is_open(transaction, connection, _REUSED_RUN):
                return connection.run_id
            run_id = uuid4()
            await transaction.execute(
                """
                UPDATE gateway.opseer_user_integration
                SET run_id = $3, run_kind = 'refresh'
                WHERE account_id = $1 AND source = $2
                """,
                account_id,
                source,
                run_id,
            )
            await note(transaction, account_id, source, "refresh requested", now)
            asked = CollectionRequested.of(
                account_id, source, connection.connection_id, run_id, "refresh"
            )
            await outbox.say(transaction, _SCHEMA, asked)
            return run_id

    async def change(
        self, account_id: UUID, source: Source, change: SettingsChange, now: datetime
    ) -> UUID:
        """Change settings and ask for figures anew; return that run.

        The row goes on to speak of a first run or refresh that is under way.
        Raises RefusedError(NOT_CONNECTED).
        """
        async with self._database.transaction(account_id) as transaction:
            connection = await _connected(transaction, account_id, source)
            changed = change.apply_to(connection)
            busy = await _is_open(transaction, connection, _REUSED_RUN)
            run_id = uuid4()
            await transaction.execute(
                """
                UPDATE gateway.opseer_user_integration
                SET timezone = $3, settlement_currency = $4, policy = $5,
                    settings_revision = settings_revision + 1,
                    run_id = $6, run_kind = $7, channel = $8
                WHERE account_id = $1 AND source = $2
                """,
                account_id,
                source,
                changed.timezone,
                changed.settlement_currency,
                msgspec.json.encode(changed.policy).decode(),
                connection.run_id if busy else run_id,
                connection.run_kind if busy else "recompute",
                msgspec.json.encode(changed.channel).decode(),
            )
            await note(transaction, account_id, source, "settings changed", now)
            asked = CollectionRequested.of(
                account_id, source, connection.connection_id, run_id, "recompute"
            )
            await outbox.say(transaction, _SCHEMA, asked)
            return run_id


async def _put(
    transaction: Transaction,
    *,
    account_id: UUID,
    key: FittingKey,
    place: tuple[Environment, ChannelSettings],
    ids: tuple[UUID, UUID],
    sealed: tuple[int, bytes],
    now: datetime,
) -> None:
    """Insert or replace the row. `config` is written as a parameter, never read.

    A new channel has the days of Stripe, unless its provider decides which it has.
    """
    await transaction.execute(
        """
        INSERT INTO gateway.opseer_user_integration
            (account_id, source, connection_id, run_id, run_kind, key_version,
             key_hint, environment, livemode, policy, config, connected_at, channel,
             timezone)
        SELECT $1, $2, $3, $4, 'first', $5, $6, $7, $8, $9, $10, $11, $12,
               coalesce($13::text, (SELECT timezone FROM gateway.opseer_user_integration
                            WHERE account_id = $1 AND source = 'stripe'), 'UTC')
        ON CONFLICT (account_id, source) DO UPDATE
        SET connection_id = $3, run_id = $4, run_kind = 'first', key_version = $5,
            key_hint = $6, environment = $7, livemode = $8, config = $10,
            connected_at = $11, channel = $12
        """,
        account_id,
        key.source,
        *ids,
        sealed[0],
        key.hint,
        place[0],
        place[0] == "live",
        msgspec.json.encode(Policy()).decode(),
        sealed[1],
        now,
        msgspec.json.encode(place[1]).decode(),
        CHANNELS[key.source].fixed_zone,
    )


async def _connected(
    transaction: Transaction, account_id: UUID, source: Source
) -> Connection:
    """Return the locked connection or refuse."""
    connection = await read_connection(transaction, account_id, source, lock=True)
    if connection is None:
        raise RefusedError("NOT_CONNECTED", "Nothing is connected there.")
    return connection


async def _is_open(
    transaction: Transaction, connection: Connection, kinds: frozenset[str]
) -> bool:
    """Return whether the run asked for last is of `kinds` and not over.

    A run that the collector has not heard of yet is open.
    """
    if connection.run_kind not in kinds:
        return False
    state = await transaction.fetchval(
        "SELECT state FROM collector.v1_run WHERE run_id = $1", connection.run_id
    )
    return state in (None, "queued", "running")
