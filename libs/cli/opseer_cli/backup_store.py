"""The tables of a backup: found in the catalogue, read and written as COPY text.

A table that a later migration adds is part of a backup without a word here. All SQL
runs as the administrator; rows go in through INSERT, for COPY into a table with
row-level security is refused to whoever is no superuser.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any

import asyncpg

from opseer_common.database import Connection
from opseer_common.errors import ConfigError

_SCHEMAS = ("gateway", "collector", "mrr", "notifier")
_BUS_TABLES = ("outbox", "inbox", "attempt", "dead_letter")
LEFT_OUT = frozenset(
    {
        # News about rows: what is missing of it is found by the sweeps.
        *(f"{schema}.{table}" for schema in _SCHEMAS for table in _BUS_TABLES),
        # What lets somebody in.
        "gateway.session",
        "gateway.api_token",
        "gateway.sign_in_link",
        "gateway.invitation",
        # What a day's writes were answered with; no session or token is left to ask it.
        "gateway.idempotency_key",
        # Of the machine; the gateway notes its own again.
        "gateway.sealing_key",
    }
)
_OPEN_RUN = "state IN ('queued', 'running')"
WITHOUT_KEYS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        # A record of the right form that no key opens; key id 0 is nobody's.
        ("gateway.opseer_user_integration", "config"): (
            "decode('01' || repeat('00', 309), 'hex')"
        ),
        ("collector.connection", "state"): "'auth_failed'",
        ("collector.connection", "next_run_at"): "NULL::timestamptz",
        ("collector.connection", "last_error_code"): "'AUTH_FAILED'",
        ("collector.connection", "last_error_detail"): (
            "'This was restored from a backup without keys. Connect again.'"
        ),
        ("collector.run", "state"): (
            f"CASE WHEN {_OPEN_RUN} THEN 'failed' ELSE state END"
        ),
        ("collector.run", "error_code"): (
            f"CASE WHEN {_OPEN_RUN} THEN 'AUTH_FAILED' ELSE error_code END"
        ),
        ("collector.run", "finished_at"): (
            f"CASE WHEN {_OPEN_RUN} THEN created_at ELSE finished_at END"
        ),
        ("notifier.destination", "sealed"): (
            "decode('02' || repeat('00', 1079), 'hex')"
        ),
        ("notifier.destination", "state"): "'disabled'",
        ("notifier.destination", "error_code"): "'NO_KEY'",
        ("notifier.destination", "error_detail"): (
            "'This was restored from a backup without keys. Set it up again.'"
        ),
    }
)
"""What stands in a backup without keys in the place of a column."""
_SESSION = {
    "search_path": "pg_catalog",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
Sink = Callable[[bytes], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `name` with its schema, `columns` in the table's order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    identity: str | None
    parents: tuple[str, ...]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """Yield a connection that writes values in one form everywhere.

    ConfigError where the database can't be reached or is not migrated.
    """
    try:
        connection = await asyncpg.connect(url, timeout=30, server_settings=_SESSION)
    except (OSError, asyncpg.PostgresError) as error:
        raise ConfigError(f"Postgres: {type(error).__name__}: {error}") from None
    try:
        yield connection
    except asyncpg.LockNotAvailableError:
        raise ConfigError("the tables are in use: stop Opseer first") from None
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise ConfigError(
            "the database is not migrated: run `opseer migrate` first"
        ) from None
    finally:
        await connection.close()


async def applied_migrations(connection: Connection) -> dict[str, str]:
    """Return the checksum of each applied migration by its package and name."""
    rows = await connection.fetch(
        """
        SELECT package || '/' || name AS file, checksum FROM opseer_meta.migration
        ORDER BY package, name
        """
    )
    return {row["file"]: row["checksum"] for row in rows}


async def tables(connection: Connection) -> tuple[Table, ...]:
    """Return every table of the four services, referenced ones first."""
    rows = await connection.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS name,
            ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attgenerated = '' ORDER BY a.attnum) AS columns,
            ARRAY(SELECT a.attname::text FROM pg_index i
                  CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
                  JOIN pg_attribute a
                    ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                  WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key,
            (SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attidentity <> '') AS identity,
            ARRAY(SELECT DISTINCT f.confrelid::regclass::text FROM pg_constraint f
                  WHERE f.conrelid = c.oid AND f.contype = 'f') AS parents
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY($1::text[]) AND c.relkind = 'r'
        ORDER BY name
        """,
        list(_SCHEMAS),
    )
    found = {
        row["name"]: Table(
            name=row["name"],
            columns=tuple(row["columns"]),
            key=tuple(row["key"]),
            identity=row["identity"],
            parents=tuple(row["parents"]),
        )
        for row in rows
    }
    order = TopologicalSorter({name: table.parents for name, table in found.items()})
    return tuple(found[name] for name in order.static_order())


async def sealing_key_ids(connection: Connection) -> list[int]:
    """Return the ids of the sealing keys that stored records need."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ('x' || encode(substr(config, 2, 4), 'hex'))::bit(32)::bigint
            AS key_id
        FROM gateway.opseer_user_integration ORDER BY 1
        """
    )
    return [row["key_id"] for row in rows if row["key_id"] != 0]


async def copy_out(
    connection: Connection, table: Table, sink: Sink, *, with_keys: bool
) -> None:
    """Give every row of a table to `sink` as COPY text, ordered by primary key.

    The order is that of the keys' text, byte by byte, the same on every server.
    """
    stand_ins = {} if with_keys else WITHOUT_KEYS
    columns = ", ".join(
        stand_ins.get((table.name, column), f'"{column}"') for column in table.columns
    )
    order = ", ".join(f'"{column}"::text COLLATE "C"' for column in table.key)
    await connection.copy_from_query(
        f"SELECT {columns} FROM {table.name} ORDER BY {order}",  # noqa: S608 - catalogue
        output=sink,
    )


async def seize(connection: Connection, found: Sequence[Table]) -> None:
    """Keep everyone else out of the tables until the transaction's end."""
    names = ", ".join(table.name for table in found)
    await connection.execute("SET LOCAL lock_timeout = '15s'")
    await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")


async def holds_rows(connection: Connection, table: Table) -> bool:
    """Return whether a table has any row."""
    return bool(
        await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {table.name})"  # noqa: S608 - catalogue
        )
    )


async def empty(connection: Connection, found: Sequence[Table]) -> None:
    """Delete every row of the tables."""
    names = ", ".join(table.name for table in found)
    await connection.execute(f"TRUNCATE {names}")


async def copy_in(
    connection: Connection, table: Table, source: AsyncIterator[bytes]
) -> None:
    """Insert rows from COPY text; identities go on after the highest one."""
    columns = ", ".join(f'"{column}"' for column in table.columns)
    await connection.execute(f"CREATE TEMP TABLE incoming (LIKE {table.name})")
    await connection.copy_to_table(
        "incoming", source=source, columns=list(table.columns)
    )
    await connection.execute(
        f"""
        INSERT INTO {table.name} ({columns}) OVERRIDING SYSTEM VALUE
        SELECT {columns} FROM incoming
        """  # noqa: S608 - catalogue
    )
    await connection.execute("DROP TABLE incoming")
    if table.identity is not None:
        await connection.execute(
            f"""
            SELECT setval(pg_get_serial_sequence('{table.name}', '{table.identity}'),
                          coalesce(max("{table.identity}"), 0) + 1, false)
            FROM {table.name}
            """  # noqa: S608 - catalogue
        )
