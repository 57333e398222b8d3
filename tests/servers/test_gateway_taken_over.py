"""What somebody gets who has taken over the gateway: everything it is handed, no key.

The attempts run with the gateway's own logins and files, against a key that a real
gateway has just sealed and stored. Which files each container gets, test_compose says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from opseer_common import sealing
from opseer_common.database import Connection, Database
from opseer_common.sealing import KeyRing, SealedFor, SealError
from opseer_common.testing.gateway import Owner, RunningGateway
from opseer_common.testing.servers import FreshDatabase

KEY = "rk_" + "test_" + "A" * 24
TABLE = "gateway.opseer_user_integration"
_IMPOSSIBLE = (
    # Inside a transaction, or on a server without logical replication.
    asyncpg.ActiveSQLTransactionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
REFUSED = (
    # the two doors, and the role behind them
    "SELECT gateway.read_sealed_key(account_id, source, connection_id) FROM KEYS",
    "SELECT gateway.replace_sealed_key(gen_random_uuid(), 'stripe', 1, 1, '')",
    "SET ROLE opseer_service_role",
    "SET ROLE opseer_collector",
    "SET SESSION AUTHORIZATION opseer_collector",
    # the column itself, and ways around it
    "SELECT config FROM KEYS",
    "SELECT * FROM KEYS",
    "SELECT count(*) FROM KEYS WHERE config > '\\x00'",
    "SELECT 1 FROM KEYS ORDER BY config",
    "UPDATE KEYS SET key_hint = left(encode(config, 'hex'), 20)",
    "UPDATE KEYS SET livemode = false RETURNING config",
    "DELETE FROM KEYS RETURNING *",
    "COPY KEYS TO STDOUT",
    "CREATE TEMP TABLE mine AS SELECT * FROM KEYS",
    "CREATE TEMP VIEW mine AS SELECT config FROM KEYS; SELECT * FROM mine",
    "ALTER TABLE KEYS ALTER COLUMN config TYPE text",
    "ALTER TABLE KEYS DISABLE ROW LEVEL SECURITY",
    "CREATE TRIGGER mine AFTER UPDATE ON KEYS EXECUTE FUNCTION opseer.wake_relay()",
    "CREATE RULE mine AS ON UPDATE TO KEYS DO ALSO NOTHING",
    "GRANT SELECT ON KEYS TO opseer_gateway; SELECT config FROM KEYS",
    # code, files and other servers
    "CREATE FUNCTION gateway.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION dblink",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_create_logical_replication_slot('mine', 'test_decoding')",
    "SELECT pg_switch_wal()",
    "ALTER SYSTEM SET log_statement = 'all'",
    "ALTER ROLE opseer_gateway SUPERUSER",
)


@dataclass(frozen=True)
class Taken:
    """The gateway's database login, the sealed record, and who can open it."""

    database: Database
    owner: Owner
    record: bytes
    ring: KeyRing
    folder: Path


@pytest.fixture
async def taken(
    gateway: RunningGateway, database: FreshDatabase, tmp_path: Path
) -> AsyncIterator[Taken]:
    """Return a gateway's belongings after somebody has connected `KEY`."""
    ring = sealing.generate()
    public = tmp_path / "sealing-public.json"
    public.write_bytes(sealing.public_document(ring.public()))
    owner = await gateway.sign_up("owner@example.com")
    answer = await gateway.call(
        "PUT", "/api/v1/integrations/stripe", owner=owner, json={"api_key": KEY}
    )
    assert answer.status == 201, answer.text
    admin = await asyncpg.connect(database.admin_url)
    record = await admin.fetchval(f"SELECT config FROM {TABLE}")  # noqa: S608
    await admin.close()
    login = await Database.connect(database.login_url("gateway"))
    yield Taken(login, owner, record, ring, tmp_path)
    await login.close()


async def test_no_statement_of_its_login_gives_the_record(taken: Taken) -> None:
    """Rule: every way that Postgres knows is refused, and no error tells the record."""
    hexadecimal = taken.record.hex()
    allowed = []
    for statement in REFUSED:
        try:
            async with taken.database.transaction(taken.owner.account_id) as connection:
                await connection.execute(statement.replace("KEYS", TABLE))
            allowed.append(statement)
        except (asyncpg.InsufficientPrivilegeError, *_IMPOSSIBLE) as refused:
            words = f"{refused} {refused.detail} {refused.hint}"
            assert hexadecimal[:40] not in words, statement
    assert allowed == []


async def test_a_failing_row_does_not_show_the_record(taken: Taken) -> None:
    """Rule: what Postgres says of a row that breaks a CHECK leaves `config` out."""
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        async with taken.database.transaction(taken.owner.account_id) as connection:
            await connection.execute(f"UPDATE {TABLE} SET environment = 'mine'")  # noqa: S608
    assert taken.record.hex()[:40] not in f"{refused.value} {refused.value.detail}"


async def test_nothing_that_its_login_can_read_holds_key_or_record(
    taken: Taken,
) -> None:
    """Rule: column by column through the catalogue, no row shows either."""
    needles = (KEY, taken.record.hex()[:60], KEY.encode().hex())
    looked = 0
    async with taken.database.transaction(taken.owner.account_id) as connection:
        for relation, columns in await _readable(connection):
            rows = await connection.fetch(
                f"SELECT ROW({columns})::text AS shown FROM {relation} LIMIT 5000"  # noqa: S608
            )
            looked += len(rows)
            shown = "\n".join(str(row["shown"]) for row in rows)
            assert not any(needle in shown for needle in needles), relation
    assert looked > 1000


async def _readable(connection: Connection) -> list[tuple[str, str]]:
    """Return each table and view with the columns that the login may select."""
    rows = await connection.fetch(
        """
        SELECT c.oid::regclass::text AS name,
               string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind IN ('r', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
          AND has_schema_privilege(c.relnamespace, 'USAGE')
          AND has_column_privilege(c.oid, a.attnum, 'SELECT')
          AND c.relname NOT IN ('pg_hba_file_rules', 'pg_ident_file_mappings',
              'pg_file_settings', 'pg_config', 'pg_shmem_allocations',
              'pg_shmem_allocations_numa', 'pg_backend_memory_contexts', 'pg_aios',
              'pg_dsm_registry_allocations')
        GROUP BY c.oid
        """
    )
    return [(row["name"], row["columns"]) for row in rows]


async def test_none_of_its_files_opens_the_record(taken: Taken) -> None:
    """Rule: the public half, taken for a private one, opens nothing."""
    place = SealedFor(taken.owner.account_id, "stripe", 1)
    public = sealing.read_public_key(taken.folder / "sealing-public.json")
    forged = sealing.key_ring(
        b'{"primary": 1, "keys": {"1": "%s"}}'
        % sealing.public_document(public).split(b'"')[-2]
    )
    with pytest.raises(SealError):
        forged.open(taken.record, place)
    for file in taken.folder.iterdir():
        assert KEY.encode() not in file.read_bytes()
