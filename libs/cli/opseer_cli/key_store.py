"""The stored keys as the administrator sees them, and the two doors to a record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from opseer_common.database import Connection
from opseer_common.sealing import PublicKey


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One sealed key; `opened_at`: when the collector opened it last, in UTC."""

    account_id: UUID
    source: str
    environment: str
    key_hint: str
    key_version: int
    sealing_key: int
    """Its id; 0 where a backup without keys was restored."""
    connected_at: datetime
    opened_at: datetime | None

    def words(self, known: Collection[int]) -> str:
        """Return a line about it; `known` are the ids of the sealing keys here."""
        if self.sealing_key == 0:
            sealed = "not restored: connect again"
        elif self.sealing_key in known:
            sealed = f"sealed to key {self.sealing_key}"
        else:
            sealed = f"sealed to key {self.sealing_key}, which is not here"
        opened = (
            f"opened {self.opened_at:%Y-%m-%d %H:%M} UTC"
            if self.opened_at
            else "never opened"
        )
        return (
            f"{self.account_id}  {self.source:<10}  {self.environment}  "
            f"{self.key_hint}  version {self.key_version}  {sealed}  "
            f"connected {self.connected_at:%Y-%m-%d}  {opened}"
        )


async def stored_keys(connection: Connection) -> list[StoredKey]:
    """Return every stored key as the administrator of the database."""
    rows = await connection.fetch(
        """
        SELECT i.account_id, i.source, i.environment, i.key_hint, i.key_version,
            ('x' || encode(substr(i.config, 2, 4), 'hex'))::bit(32)::bigint
                AS sealing_key,
            i.connected_at,
            (SELECT max(l.at) FROM gateway.key_access_log l
             WHERE (l.account_id, l.source, l.key_version)
                   = (i.account_id, i.source, i.key_version)) AS opened_at
        FROM gateway.opseer_user_integration i
        ORDER BY i.account_id, i.source
        """
    )
    return [StoredKey(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a sealed key stands, and the id of the sealing key it is sealed to."""

    account_id: UUID
    source: str
    connection_id: UUID
    sealing_key: int


async def places(connection: Connection) -> list[KeyPlace]:
    """Return where each stored key stands."""
    rows = await connection.fetch(
        """
        SELECT account_id, source, connection_id,
            ('x' || encode(substr(config, 2, 4), 'hex'))::bit(32)::bigint
                AS sealing_key
        FROM gateway.opseer_user_integration ORDER BY account_id, source
        """
    )
    return [KeyPlace(**dict(row)) for row in rows]


async def read(connection: Connection, key: KeyPlace) -> tuple[int, bytes] | None:
    """Return key version and record, which is logged; None where it is gone."""
    row = await connection.fetchrow(
        "SELECT key_version, config FROM gateway.read_sealed_key($1, $2, $3)",
        key.account_id,
        key.source,
        key.connection_id,
    )
    return None if row is None else (row["key_version"], row["config"])


async def replace(
    connection: Connection, key: KeyPlace, version: int, record: bytes
) -> None:
    """Put a record in place of one of `version`; a newer key stays."""
    await connection.fetchval(
        "SELECT gateway.replace_sealed_key($1, $2, $3, $3, $4)",
        key.account_id,
        key.source,
        version,
        record,
    )


@dataclass(frozen=True, slots=True)
class SealedDestination:
    """Where a report goes, sealed to the notifier."""

    account_id: UUID
    destination_id: UUID
    sealed: bytes


async def destinations(connection: Connection) -> list[SealedDestination]:
    """Return every destination."""
    rows = await connection.fetch(
        """
        SELECT account_id, destination_id, sealed FROM notifier.destination
        ORDER BY account_id, destination_id
        """
    )
    return [SealedDestination(**dict(row)) for row in rows]


async def replace_destination(
    connection: Connection, one: SealedDestination, record: bytes
) -> None:
    """Put a record in place of the one that was read; another one stays."""
    await connection.execute(
        """
        UPDATE notifier.destination SET sealed = $4
        WHERE (account_id, destination_id, sealed) = ($1, $2, $3)
        """,
        *(one.account_id, one.destination_id, one.sealed, record),
    )


async def note(connection: Connection, key: PublicKey) -> None:
    """Tell the database of a sealing key."""
    await connection.execute(
        """
        INSERT INTO gateway.sealing_key (key_id, check_value) VALUES ($1, $2)
        ON CONFLICT DO NOTHING
        """,
        key.key_id,
        key.check_value,
    )


async def forget(connection: Connection, key_id: int) -> None:
    """Make the database forget a sealing key."""
    await connection.execute(
        "DELETE FROM gateway.sealing_key WHERE key_id = $1", key_id
    )


async def forget_lost(connection: Connection, known: Mapping[int, str]) -> list[int]:
    """Make the database forget the sealing keys that are not here; return their ids.

    `known` are the check values of those that are. What was sealed to the others opens
    never again: each of these sources is to be connected anew.
    """
    rows = await connection.fetch(
        """
        DELETE FROM gateway.sealing_key
        WHERE NOT EXISTS (
            SELECT FROM unnest($1::bigint[], $2::text[]) AS here(id, check_value)
            WHERE here.id = key_id AND here.check_value = sealing_key.check_value)
        RETURNING key_id
        """,
        list(known),
        list(known.values()),
    )
    return sorted(row["key_id"] for row in rows)
