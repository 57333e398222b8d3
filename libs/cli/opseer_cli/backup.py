"""A backup: one ZIP file with a manifest and the COPY text of each table.

`manifest.json` comes last, so that a backup can be written to a pipe: format, release,
migrations with their checksums, and per table its columns, rows and SHA-256. A backup
is read from one unmoving state of the database and put back in one transaction, into
the same migrations, and what then stands in the tables is compared with the hashes.

Sessions, API tokens and sign-in links are never in it. Sealed provider keys are only
on demand; without them each source keeps its figures and waits for a new key.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import BinaryIO, Final

import msgspec

from opseer_cli import backup_store as store
from opseer_common import migrate
from opseer_common.database import Connection
from opseer_common.errors import ConfigError, OpseerError

FORMAT: Final = 1
_MANIFEST = "manifest.json"
_CHUNK = 1 << 18


class _Head(msgspec.Struct, frozen=True):
    """What every format of a manifest has."""

    format: int
    release: str


class TableEntry(msgspec.Struct, frozen=True):
    """One table; `sha256` of its COPY text in hex."""

    name: str
    columns: list[str]
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself. `keys`: check values of the sealing keys by id."""

    format: int
    release: str
    made_at: datetime
    migrations: dict[str, str]
    keys: dict[str, str] | None
    tables: list[TableEntry]


class _Meter:
    """Counts and hashes COPY text on its way; a line is a row."""

    def __init__(self, target: BinaryIO | None = None) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self._rows = 0

    async def take(self, data: bytes) -> None:
        """Take a piece."""
        self.add(data)

    def add(self, data: bytes) -> None:
        """Take a piece."""
        self._hash.update(data)
        self._rows += data.count(b"\n")
        if self._target is not None:
            self._target.write(data)

    def entry(self, table: store.Table) -> TableEntry:
        """Return what was seen of `table`."""
        return TableEntry(
            table.name, list(table.columns), self._rows, self._hash.hexdigest()
        )

    def agrees(self, entry: TableEntry) -> bool:
        """Return whether what was seen is what `entry` says."""
        return (self._rows, self._hash.hexdigest()) == (entry.rows, entry.sha256)


async def write(
    connection: Connection,
    target: BinaryIO,
    *,
    release: str,
    now: datetime,
    keys: Mapping[int, str] | None,
) -> Manifest:
    """Write a backup; `keys` are check values of our sealing keys, None leaves out.

    ConfigError where a stored key is sealed to another key than those.
    """
    entries = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        migrations = await store.applied_migrations(connection)
        if keys is not None:
            _refuse_unknown_keys(await store.sealing_key_ids(connection), keys)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in await store.tables(connection):
                if table.name in store.LEFT_OUT:
                    continue
                with archive.open(f"{table.name}.copy", "w", force_zip64=True) as file:
                    meter = _Meter(file)  # type: ignore[arg-type]
                    await store.copy_out(
                        connection, table, meter.take, with_keys=keys is not None
                    )
                entries.append(meter.entry(table))
            manifest = Manifest(
                format=FORMAT,
                release=release,
                made_at=now,
                migrations=migrations,
                keys=None if keys is None else {str(i): v for i, v in keys.items()},
                tables=entries,
            )
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
            archive.writestr(_MANIFEST, text)
    return manifest


def _refuse_unknown_keys(needed: list[int], keys: Mapping[int, str]) -> None:
    """Refuse to save what could not be opened afterwards."""
    missing = [str(key_id) for key_id in needed if key_id not in keys]
    if missing:
        raise ConfigError(
            f"keys are sealed to sealing key {', '.join(missing)}, which is not here"
        )


class Backup:
    """A backup that is open for reading."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the manifest and check every hash.

        ConfigError for what is no backup, of another format, of a newer or older
        release, or damaged.
        """
        try:
            self._archive = zipfile.ZipFile(file)
            text = self._archive.read(_MANIFEST)
            _check_format(msgspec.json.decode(text, type=_Head))
            self.manifest = msgspec.json.decode(text, type=Manifest)
        except (zipfile.BadZipFile, zlib.error, KeyError, msgspec.MsgspecError):
            raise ConfigError("that is no backup of Opseer") from None
        _check_migrations(self.manifest)
        self._check_hashes()

    def _check_hashes(self) -> None:
        for entry in self.manifest.tables:
            meter = _Meter()
            try:
                with self._archive.open(f"{entry.name}.copy") as file:
                    while data := file.read(_CHUNK):
                        meter.add(data)
                whole = meter.agrees(entry)
            except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError):
                whole = False
            if not whole:
                raise ConfigError(f"the backup is damaged: {entry.name} is not whole")

    def check_keys(self, keys: Mapping[int, str]) -> None:
        """Refuse sealed keys that our sealing keys, given by check value, don't open.

        Raises ConfigError.
        """
        ours = {str(key_id): check for key_id, check in keys.items()}
        wanted = self.manifest.keys or {}
        if any(ours.get(key_id) != check for key_id, check in wanted.items()):
            raise ConfigError(
                "the keys in this backup are sealed to another sealing key: put "
                "sealing-key.json and sealing-public.json of the machine that made it "
                "in the place of this one's first"
            )

    async def restore(self, connection: Connection, *, replace: bool) -> None:
        """Put every row back, all or nothing; `replace` deletes what is there.

        Raises ConfigError where the database is of other migrations or holds rows,
        OpseerError where what arrived is not what the backup says.
        """
        async with connection.transaction():
            if await store.applied_migrations(connection) != self.manifest.migrations:
                raise ConfigError(
                    "the database is not at this release: run `opseer migrate` first"
                )
            found = await store.tables(connection)
            await store.seize(connection, found)
            entries = self._entries(found)
            if not replace:
                await _refuse_rows(connection, entries)
            await store.empty(connection, found)
            for table, entry in entries.items():
                await store.copy_in(connection, table, self._chunks(entry))
            await self._compare(connection, entries)

    def _entries(self, found: tuple[store.Table, ...]) -> dict[store.Table, TableEntry]:
        """Return each table of the database beside what the backup holds of it."""
        held = {entry.name: entry for entry in self.manifest.tables}
        ours = [table for table in found if table.name not in store.LEFT_OUT]
        if [t.name for t in ours if list(t.columns) == held[t.name].columns] != [*held]:
            raise ConfigError("the backup has other tables than the database")
        return {table: held[table.name] for table in ours}

    async def _chunks(self, entry: TableEntry) -> AsyncIterator[bytes]:
        with self._archive.open(f"{entry.name}.copy") as file:
            while data := file.read(_CHUNK):
                yield data

    async def _compare(
        self, connection: Connection, entries: Mapping[store.Table, TableEntry]
    ) -> None:
        """Read everything back. OpseerError, which undoes it all, for a difference."""
        for table, entry in entries.items():
            meter = _Meter()
            await store.copy_out(
                connection,
                table,
                meter.take,
                with_keys=self.manifest.keys is not None,
            )
            if not meter.agrees(entry):
                raise OpseerError(
                    f"{table.name} did not arrive as it was: not restored"
                )


def _check_format(head: _Head) -> None:
    """Refuse a format that this release can't read."""
    if head.format != FORMAT:
        raise ConfigError(
            f"the backup has format {head.format} of release {head.release}, and this "
            f"release reads format {FORMAT}: restore it with that release"
        )


def _check_migrations(manifest: Manifest) -> None:
    """Refuse tables that are not as this release has them."""
    ours = {f"{m.package}/{m.name}": m.checksum for m in migrate.migrations()}
    if manifest.migrations == ours:
        return
    if manifest.migrations.keys() - ours.keys():
        raise ConfigError(
            f"the backup is of the newer release {manifest.release}: install that one"
        )
    raise ConfigError(
        f"the backup is of the older release {manifest.release}: restore it with that "
        "one, then upgrade"
    )


async def _refuse_rows(
    connection: Connection, entries: Mapping[store.Table, TableEntry]
) -> None:
    """Refuse a database that is in use."""
    for table in entries:
        if await store.holds_rows(connection, table):
            raise ConfigError(
                f"the database is not empty ({table.name} holds rows): restore into "
                "an empty one, or give --replace to delete what is there"
            )
