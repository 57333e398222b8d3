"""Backup and restore on real Postgres: everything comes back, or nothing happens."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from opseer_cli import backup_store as store
from opseer_cli.backup import Backup, Manifest, write
from opseer_common.errors import ConfigError, OpseerError
from opseer_common.testing.every_table import fill
from opseer_common.testing.servers import FreshDatabase

NOW = datetime(2026, 11, 25, tzinfo=UTC)
KEYS = {1: "f" * 64}
SEALED = "ab" * 305


async def saved(
    of: FreshDatabase, keys: Mapping[int, str] | None = None
) -> tuple[bytes, Manifest]:
    """Return a backup and its manifest."""
    target = io.BytesIO()
    async with store.connected(of.admin_url) as connection:
        made = await write(connection, target, release="0.1.0", now=NOW, keys=keys)
    return target.getvalue(), made


async def restored(data: bytes, to: FreshDatabase, *, replace: bool = False) -> None:
    """Put a backup back."""
    async with store.connected(to.admin_url) as connection:
        await Backup(io.BytesIO(data)).restore(connection, replace=replace)


def texts(data: bytes) -> dict[str, bytes]:
    """Return each member but the manifest."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name != "manifest.json"]
        return {name: archive.read(name) for name in names}


def changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a backup with another manifest."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
            new.writestr(name, content)
    return target.getvalue()


async def fetch(of: FreshDatabase, query: str) -> Any:
    """Return one value, as the administrator."""
    connection = await asyncpg.connect(of.admin_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.fixture
async def filled(database: FreshDatabase) -> FreshDatabase:
    """Return a database with rows in every table."""
    await fill(database.admin_url)
    return database


async def test_every_table_is_saved_or_left_out_by_name(
    filled: FreshDatabase,
) -> None:
    """Rule: no table is forgotten: each has rows in the backup or is listed."""
    _, made = await saved(filled, KEYS)
    rows = {entry.name: entry.rows for entry in made.tables}
    empty = [name for name, count in rows.items() if count == 0]
    assert empty == [], "add rows to opseer_common.testing.every_table"
    async with store.connected(filled.admin_url) as connection:
        found = {table.name for table in await store.tables(connection)}
    assert found - rows.keys() == store.LEFT_OUT


@pytest.mark.parametrize("keys", [None, KEYS])
async def test_what_was_restored_is_what_was_saved(
    keys: dict[int, str] | None, filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: a backup of a restored backup has the same bytes, table by table."""
    data, made = await saved(filled, keys)
    await restored(data, other_database)
    again, made_again = await saved(other_database, keys)
    assert texts(again) == texts(data)
    assert made_again == made


async def test_sealed_keys_are_left_out_unless_asked(filled: FreshDatabase) -> None:
    """Rule: without --with-keys no byte of a sealed key is in the file."""
    without, with_keys = await saved(filled), await saved(filled, KEYS)
    holds = [SEALED in str(texts(data)) for data, _ in (without, with_keys)]
    assert holds == [False, True]
    assert (without[1].keys, with_keys[1].keys) == (None, {"1": "f" * 64})


async def test_without_keys_figures_stay_and_a_key_is_asked_for(
    filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: the source shows its last figures, says why, and collects nothing."""
    data, _ = await saved(filled)
    await restored(data, other_database)
    assert await fetch(
        other_database,
        """
        SELECT array_agg(DISTINCT (state, next_run_at IS NULL, last_error_detail)::text)
        FROM collector.connection
        """,
    ) == [
        '(auth_failed,t,"This was restored from a backup without keys. Connect again.")'
    ]
    states = "SELECT array_agg(state ORDER BY fence) FROM collector.run"
    assert await fetch(other_database, states) == ["failed", "failed", "done", "failed"]
    assert await fetch(other_database, "SELECT count(*) FROM mrr.snapshot") == 12


async def test_nobody_stays_signed_in(
    filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: sessions, API tokens and sign-in links are in no backup."""
    data, _ = await saved(filled, KEYS)
    await restored(data, other_database)
    for table in ("session", "api_token", "sign_in_link"):
        assert f"gateway.{table}.copy" not in texts(data)
        count = f"SELECT count(*) FROM gateway.{table}"  # noqa: S608 - constants
        assert await fetch(filled, count) == 1
        assert await fetch(other_database, count) == 0


async def test_a_database_in_use_is_not_touched(
    filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: restoring over rows needs --replace, which leaves none of the old ones."""
    data, _ = await saved(filled, KEYS)
    account = """
        INSERT INTO gateway.account (account_id, plan)
        VALUES ('99999999-0000-4000-8000-000000000000', 'free') RETURNING 1
        """
    assert await fetch(other_database, account) == 1
    with pytest.raises(ConfigError, match=r"not empty \(gateway.account holds rows\)"):
        await restored(data, other_database)
    assert await fetch(other_database, "SELECT count(*) FROM gateway.account") == 1
    await restored(data, other_database, replace=True)
    again, _ = await saved(other_database, KEYS)
    assert texts(again) == texts(data)


async def test_numbering_goes_on(
    filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: a row that is added after a restore gets a number of its own."""
    data, _ = await saved(filled)
    await restored(data, other_database)
    added = await fetch(
        other_database,
        """
        INSERT INTO gateway.audit (account_id, what)
        VALUES ('00000000-0000-4000-8000-000000000001', 'new') RETURNING id
        """,
    )
    assert added == 13


async def test_half_a_restore_is_none(
    filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: a row that is refused undoes all that went before it."""
    data, _ = await saved(filled)
    await fetch(
        other_database, "ALTER TABLE notifier.report ADD CHECK (timezone <> 'plain')"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await restored(data, other_database)
    assert await fetch(other_database, "SELECT count(*) FROM gateway.account") == 0


async def test_what_arrives_is_compared(
    filled: FreshDatabase, other_database: FreshDatabase
) -> None:
    """Rule: rows that something changed on the way in undo the restore."""
    data, _ = await saved(filled)
    connection = await asyncpg.connect(other_database.admin_url)
    await connection.execute(
        """
        CREATE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.plan = ''free''; RETURN NEW; END';
        CREATE TRIGGER spoil BEFORE INSERT ON gateway.account
            FOR EACH ROW EXECUTE FUNCTION public.spoil();
        """
    )
    await connection.close()
    with pytest.raises(OpseerError, match=r"gateway.account did not arrive as it was"):
        await restored(data, other_database)
    assert await fetch(other_database, "SELECT count(*) FROM gateway.account") == 0


async def test_damage_is_found_before_anything_happens(
    filled: FreshDatabase,
) -> None:
    """Rule: a flipped byte in the rows of any table is refused in words."""
    data, made = await saved(filled)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [archive.getinfo(f"{entry.name}.copy") for entry in made.tables]
    for member in members:
        start = member.header_offset
        lengths = struct.unpack("<HH", data[start + 26 : start + 30])
        spoilt = bytearray(data)
        spoilt[start + 30 + sum(lengths) + member.compress_size // 2] ^= 0xFF
        with pytest.raises(ConfigError, match="damaged"):
            Backup(io.BytesIO(bytes(spoilt)))


async def test_missing_rows_are_damage(filled: FreshDatabase) -> None:
    """Rule: a well-formed file whose rows are not those of its manifest is refused."""
    data, _ = await saved(filled)

    def one_less(manifest: dict[str, Any]) -> None:
        manifest["tables"][0]["rows"] -= 1

    with pytest.raises(ConfigError, match="damaged"):
        Backup(io.BytesIO(changed(data, one_less)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(format=2, release="9.0.0"), "format 2 of release 9.0.0"),
        (lambda m: m["migrations"].update({"x/9.sql": "0"}), "newer release 0.1.0"),
        (lambda m: m["migrations"].popitem(), "older release 0.1.0"),
    ],
)
async def test_other_releases_are_refused_in_words(
    change: Callable[[dict[str, Any]], None], words: str, filled: FreshDatabase
) -> None:
    """Rule: another format, newer or older tables: said, with what to do."""
    data, _ = await saved(filled)
    with pytest.raises(ConfigError, match=words):
        Backup(io.BytesIO(changed(data, change)))


@pytest.mark.parametrize("data", [b"", b"text", b"PK\x05\x06" + bytes(18)])
def test_other_files_are_refused(data: bytes) -> None:
    """Rule: a file that is no backup is called that."""
    with pytest.raises(ConfigError, match="no backup of Opseer"):
        Backup(io.BytesIO(data))


async def test_keys_that_would_not_open_are_refused(filled: FreshDatabase) -> None:
    """Rule: sealed keys are saved and restored only beside the key that opens them."""
    with pytest.raises(ConfigError, match="sealed to sealing key 1, which is not here"):
        await saved(filled, {2: "f" * 64})
    data, _ = await saved(filled, KEYS)
    backup = Backup(io.BytesIO(data))
    backup.check_keys({1: "f" * 64, 2: "0" * 64})
    for others in ({}, {1: "0" * 64}, {2: "f" * 64}):
        with pytest.raises(ConfigError, match="another sealing key"):
            backup.check_keys(others)


async def test_a_database_that_is_not_migrated_is_refused(
    filled: FreshDatabase, bare_database: FreshDatabase
) -> None:
    """Rule: an empty database without our tables says what to run first."""
    data, _ = await saved(filled)
    with pytest.raises(ConfigError, match="run `opseer migrate` first"):
        await restored(data, bare_database)
