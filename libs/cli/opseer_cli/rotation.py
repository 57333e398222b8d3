"""Rotating the sealing keys under a running Opseer.

Three steps, each of which may be broken off and done again: the collector's file gets
a fresh primary key beside the old ones, the gateway's file names it, and every stored
record is sealed anew. An old key is removed later, when no record needs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from opseer_cli.credentials import Credentials
from opseer_common import sealing
from opseer_common.database import Connection
from opseer_common.errors import ConfigError
from opseer_common.key_files import read_ring, ring_document
from opseer_common.key_vault import Wrapper
from opseer_common.sealing import KeyRing, SealedFor, SealError


@dataclass(frozen=True, slots=True)
class Sealed:
    """How a round of sealing anew ended: numbers of records."""

    anew: int
    already: int
    unreadable: tuple[str, ...]
    """Account and source of those that no key here opens."""


@dataclass(frozen=True, slots=True)
class _Record:
    """A stored key and where it stands."""

    account_id: UUID
    source: str
    connection_id: UUID
    sealing_key: int


def add_key(credentials: Credentials, vault: Wrapper | None) -> KeyRing:
    """Put a fresh primary key into both files, the collector's first."""
    ring = read_ring(credentials.sealing_key, vault).rotated()
    _replace(credentials.sealing_key, ring_document(ring, vault))
    publish(credentials, ring)
    return ring


def publish(credentials: Credentials, ring: KeyRing) -> None:
    """Let the gateway seal to the primary key of `ring`."""
    document = sealing.public_document(ring.public())
    if credentials.sealing_public.read_bytes() != document:
        _replace(credentials.sealing_public, document)


async def seal_anew(connection: Connection, ring: KeyRing) -> Sealed:
    """Seal every record to the primary key, as the administrator of the database.

    A key that somebody connects meanwhile is left as it is: it is newer.
    """
    await note_key(connection, ring)
    anew, already, unreadable = 0, 0, []
    for record in await _records(connection):
        if record.sealing_key in (0, ring.primary):
            already += 1
        elif await _seal_one(connection, ring, record):
            anew += 1
        else:
            unreadable.append(f"{record.account_id} {record.source}")
    return Sealed(anew, already, tuple(unreadable))


async def note_key(connection: Connection, ring: KeyRing) -> None:
    """Tell the database of the primary key of `ring`."""
    key = ring.public()
    await connection.execute(
        """
        INSERT INTO gateway.sealing_key (key_id, check_value) VALUES ($1, $2)
        ON CONFLICT DO NOTHING
        """,
        key.key_id,
        key.check_value,
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


def wrap(credentials: Credentials, vault: Wrapper) -> None:
    """Have the vault wrap the file of the private keys."""
    ring = read_ring(credentials.sealing_key, vault)
    _replace(credentials.sealing_key, ring_document(ring, vault))


async def remove_key(
    connection: Connection,
    credentials: Credentials,
    vault: Wrapper | None,
    key_id: int,
) -> None:
    """Delete a sealing key for good. ConfigError while a record needs it."""
    ring = read_ring(credentials.sealing_key, vault)
    if key_id not in ring.keys:
        raise ConfigError(f"there is no sealing key {key_id} here")
    if key_id == ring.primary:
        raise ConfigError(f"sealing key {key_id} is the one in use: rotate first")
    needed = sum(r.sealing_key == key_id for r in await _records(connection))
    if needed:
        raise ConfigError(
            f"{needed} provider keys are sealed to sealing key {key_id}: "
            "opseer keys rotate --resume seals them anew"
        )
    await connection.execute(
        "DELETE FROM gateway.sealing_key WHERE key_id = $1", key_id
    )
    _replace(credentials.sealing_key, ring_document(ring.without(key_id), vault))


async def _records(connection: Connection) -> list[_Record]:
    rows = await connection.fetch(
        """
        SELECT account_id, source, connection_id,
            ('x' || encode(substr(config, 2, 4), 'hex'))::bit(32)::bigint
                AS sealing_key
        FROM gateway.opseer_user_integration ORDER BY account_id, source
        """
    )
    return [_Record(**dict(row)) for row in rows]


async def _seal_one(connection: Connection, ring: KeyRing, record: _Record) -> bool:
    """Seal one record anew through the two doors; False where it does not open."""
    async with connection.transaction():
        row = await connection.fetchrow(
            "SELECT key_version, config FROM gateway.read_sealed_key($1, $2, $3)",
            record.account_id,
            record.source,
            record.connection_id,
        )
        if row is None:
            return True  # disconnected meanwhile
        version = row["key_version"]
        place = SealedFor(record.account_id, record.source, version)
        try:
            secret = ring.open(row["config"], place)
        except SealError:
            return False
        await connection.fetchval(
            "SELECT gateway.replace_sealed_key($1, $2, $3, $3, $4)",
            record.account_id,
            record.source,
            version,
            ring.public().seal(secret, place),
        )
    return True


def _replace(path: Path, content: bytes) -> None:
    """Replace a file as a whole; owner and mode stay."""
    before = path.stat()
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if os.geteuid() == 0:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, before.st_mode & 0o777)
        os.fsync(file.fileno())
    new.rename(path)
