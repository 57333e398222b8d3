"""Rotating the sealing keys under a running Opseer.

Three steps, each of which may be broken off and done again: the file of the private
keys gets a fresh primary key beside the old ones, the gateway's file names it, and
every stored record is sealed anew. An old key is removed later, when no record needs
it. So for both pairs: the collector's opens provider keys, the notifier's destinations.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opseer_cli import key_store
from opseer_cli.credentials import Credentials
from opseer_cli.key_store import KeyPlace
from opseer_common import sealing
from opseer_common.database import Connection
from opseer_common.errors import ConfigError
from opseer_common.key_files import read_ring, ring_document
from opseer_common.key_vault import Wrapper
from opseer_common.sealing import DESTINATION, KeyRing, SealedFor, SealError


@dataclass(frozen=True, slots=True)
class Sealed:
    """How a round of sealing anew ended: numbers of records."""

    anew: int
    already: int
    unreadable: tuple[str, ...]
    """Account and source of those that no key here opens."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The file of private keys, as `vault` wraps it, and the gateway's."""

    private: Path
    public: Path
    vault: Wrapper | None = None


def add_key(pair: Pair) -> KeyRing:
    """Put a fresh primary key into both files, the private ones' first."""
    ring = read_ring(pair.private, pair.vault).rotated()
    _replace(pair.private, ring_document(ring, pair.vault))
    return publish(pair)


def publish(pair: Pair) -> KeyRing:
    """Let the gateway seal to the primary key; return the private ones."""
    ring = read_ring(pair.private, pair.vault)
    document = sealing.public_document(ring.public())
    if pair.public.read_bytes() != document:
        _replace(pair.public, document)
    return ring


async def seal_anew(connection: Connection, ring: KeyRing) -> Sealed:
    """Seal every record to the primary key, as the administrator of the database.

    A key that somebody connects meanwhile is left as it is: it is newer.
    """
    await key_store.note(connection, ring.public())
    anew, already, unreadable = 0, 0, []
    for key in await key_store.places(connection):
        if key.sealing_key in (0, ring.primary):
            already += 1
        elif await _seal_one(connection, ring, key):
            anew += 1
        else:
            unreadable.append(f"{key.account_id} {key.source}")
    return Sealed(anew, already, tuple(unreadable))


async def seal_destinations_anew(connection: Connection, ring: KeyRing) -> Sealed:
    """Do the same with the addresses of destinations, for the notifier's ring."""
    anew, already, unreadable = 0, 0, []
    for one in await key_store.destinations(connection):
        place = SealedFor(one.account_id, str(one.destination_id), 1, DESTINATION)
        if sealing.key_id_of(one.sealed) == ring.primary:
            already += 1
            continue
        try:
            secret = ring.open(one.sealed, place)
        except SealError:
            unreadable.append(f"{one.account_id} {one.destination_id}")
            continue
        record = ring.public().seal(secret, place)
        await key_store.replace_destination(connection, one, record)
        anew += 1
    return Sealed(anew, already, tuple(unreadable))


def wrap(credentials: Credentials, vault: Wrapper) -> None:
    """Have the vault wrap the file of the private keys."""
    ring = read_ring(credentials.sealing_key, vault)
    _replace(credentials.sealing_key, ring_document(ring, vault))


async def remove_key(connection: Connection, pair: Pair, key_id: int) -> None:
    """Delete a sealing key for good. ConfigError while a provider key needs it."""
    ring = _without(pair, key_id)
    stored = await key_store.places(connection)
    _check_unneeded("provider keys", [key.sealing_key for key in stored], key_id)
    await key_store.forget(connection, key_id)
    _replace(pair.private, ring_document(ring, pair.vault))


async def remove_delivery_key(connection: Connection, pair: Pair, key_id: int) -> None:
    """Delete a key of the notifier for good. ConfigError while it is needed."""
    ring = _without(pair, key_id)
    stored = await key_store.destinations(connection)
    used = [sealing.key_id_of(one.sealed) for one in stored]
    _check_unneeded("destinations", used, key_id)
    _replace(pair.private, ring_document(ring, pair.vault))


def _without(pair: Pair, key_id: int) -> KeyRing:
    """Return the ring without a key, which must not be the one in use. ConfigError."""
    ring = read_ring(pair.private, pair.vault)
    if key_id not in ring.keys:
        raise ConfigError(f"there is no sealing key {key_id} here")
    if key_id == ring.primary:
        raise ConfigError(f"sealing key {key_id} is the one in use: rotate first")
    return ring.without(key_id)


def _check_unneeded(what: str, used: Sequence[int], key_id: int) -> None:
    """Refuse to remove a key that records are sealed to. ConfigError."""
    needed = used.count(key_id)
    if needed:
        raise ConfigError(
            f"{needed} {what} are sealed to sealing key {key_id}: "
            "opseer keys rotate --resume seals them anew"
        )


async def _seal_one(connection: Connection, ring: KeyRing, key: KeyPlace) -> bool:
    """Seal one record anew through the two doors; False where it does not open."""
    async with connection.transaction():
        found = await key_store.read(connection, key)
        if found is None:
            return True  # disconnected meanwhile
        version, record = found
        place = SealedFor(key.account_id, key.source, version)
        try:
            secret = ring.open(record, place)
        except SealError:
            return False
        anew = ring.public().seal(secret, place)
        await key_store.replace(connection, key, version, anew)
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
