"""Running the migrations: numbered SQL files, each once, under one lock.

A file that was applied must not change: its checksum is kept. `lock_timeout` keeps a
migration from stopping a running system for long.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from opseer_common.database import Connection
from opseer_common.errors import ConfigError

PACKAGES = (
    "opseer_common",
    "opseer_gateway",
    "opseer_collector",
    "opseer_mrr",
    "opseer_notifier",
)
"""In the order in which they stand on each other."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of a package's migrations."""

    package: str
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return every migration in the order of running."""
    return tuple(
        Migration(package, file.name, file.read_text(encoding="utf-8"))
        for package in PACKAGES
        for file in sorted(
            (files(package) / "migrations").iterdir(), key=lambda entry: entry.name
        )
        if file.name.endswith(".sql")
    )


async def run(connection: Connection) -> int:
    """Apply what is missing as the administrator; return how many were applied.

    Each file is a transaction. ConfigError where an applied file has changed or
    is not known to this release (the database is newer).
    """
    await connection.execute("SELECT pg_advisory_lock(hashtext('opseer migrate'))")
    try:
        await connection.execute("CREATE SCHEMA IF NOT EXISTS opseer_meta")
        await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS opseer_meta.migration (
                package text NOT NULL, name text NOT NULL, checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (package, name))
            """
        )
        return await _apply_missing(connection)
    finally:
        await connection.execute(
            "SELECT pg_advisory_unlock(hashtext('opseer migrate'))"
        )


async def _apply_missing(connection: Connection) -> int:
    """Compare with what was applied and run the rest."""
    rows = await connection.fetch(
        "SELECT package, name, checksum FROM opseer_meta.migration"
    )
    applied = {(row["package"], row["name"]): row["checksum"] for row in rows}
    known = migrations()
    newer = applied.keys() - {(m.package, m.name) for m in known}
    if newer:
        raise ConfigError("the database was migrated by a newer release of Opseer")
    done = 0
    for migration in known:
        before = applied.get((migration.package, migration.name))
        if before is None:
            await _apply(connection, migration)
            done += 1
        elif before != migration.checksum:
            raise ConfigError(
                f"{migration.package}/{migration.name} has changed since it was applied"
            )
    return done


async def _apply(connection: Connection, migration: Migration) -> None:
    """Run one file and remember it, in one transaction."""
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        await connection.execute(migration.sql)
        await connection.execute(
            """
            INSERT INTO opseer_meta.migration (package, name, checksum)
            VALUES ($1, $2, $3)
            """,
            migration.package,
            migration.name,
            migration.checksum,
        )
