"""What each service's login may do in Postgres, tried out and read from the catalog."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest

from opseer_common.bootstrap import (
    LOGIN_ROLES,
    SERVICE_ROLE,
    check_roles,
    scram_verifier,
)
from opseer_common.database import Connection, Database
from opseer_common.errors import ConfigError
from opseer_common.sealing import RECORD_SIZE
from opseer_common.testing.servers import FreshDatabase

SERVICES = ("gateway", "collector", "mrr", "notifier")
RECORD = b"\1" + os.urandom(RECORD_SIZE - 1)
INSERT = """
    INSERT INTO gateway.opseer_user_integration
        (account_id, source, connection_id, run_id, key_version, key_hint, environment,
         livemode, policy, config)
    VALUES ($1, 'stripe', $2, $3, 1, 'rk_test_…abcd', 'test', false, '{}', $4)
"""
READS = (
    "SELECT config FROM gateway.opseer_user_integration",
    "SELECT * FROM gateway.opseer_user_integration",
    "SELECT i::text FROM gateway.opseer_user_integration i",
    "SELECT to_jsonb(i) FROM gateway.opseer_user_integration i",
    "SELECT 1 FROM gateway.opseer_user_integration WHERE config > '\\x00'",
    "UPDATE gateway.opseer_user_integration SET livemode = false RETURNING config",
    "DELETE FROM gateway.opseer_user_integration WHERE config > '\\x00'",
    "COPY gateway.opseer_user_integration TO STDOUT",
)


@dataclass(frozen=True)
class Tenants:
    """Two accounts with a sealed key each, and every service's database."""

    first: UUID
    second: UUID
    connections: dict[UUID, UUID]
    of: dict[str, Database]


@pytest.fixture
async def tenants(database: FreshDatabase) -> AsyncIterator[Tenants]:
    """Return two accounts, made by the gateway's own login."""
    of = {name: await Database.connect(database.login_url(name)) for name in SERVICES}
    first, second = uuid4(), uuid4()
    connections = {first: uuid4(), second: uuid4()}
    for account in (first, second):
        async with of["gateway"].transaction(account) as connection:
            await connection.execute(
                "INSERT INTO gateway.account (account_id, plan) VALUES ($1, 'max')",
                account,
            )
            await connection.execute(
                INSERT, account, connections[account], uuid4(), RECORD
            )
    yield Tenants(first, second, connections, of)
    for opened in of.values():
        await opened.close()


async def open_record(connection: Connection, t: Tenants) -> list[asyncpg.Record]:
    """Ask for the first account's sealed key."""
    return await connection.fetch(
        "SELECT * FROM gateway.read_sealed_key($1, 'stripe', $2)",
        t.first,
        t.connections[t.first],
    )


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("read", READS)
async def test_no_login_reads_a_sealed_key(
    tenants: Tenants, service: str, read: str
) -> None:
    """Rule: the column `config` is closed to every service, in every way of asking."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenants.of[service].transaction(tenants.first) as connection:
            await connection.fetch(read)


async def test_the_collector_opens_through_the_function_and_is_logged(
    tenants: Tenants, database: FreshDatabase
) -> None:
    """Rule: one door, and each opening is written down under the caller's login."""
    async with tenants.of["collector"].transaction() as connection:
        rows = await open_record(connection, tenants)
    assert [(row["key_version"], row["config"]) for row in rows] == [(1, RECORD)]
    admin = await asyncpg.connect(database.admin_url)
    log = await admin.fetch("SELECT who, account_id FROM gateway.key_access_log")
    await admin.close()
    assert [tuple(row) for row in log] == [("opseer_collector", tenants.first)]


@pytest.mark.parametrize("service", ["gateway", "mrr", "notifier"])
async def test_nobody_else_may_call_the_function(
    tenants: Tenants, service: str
) -> None:
    """Rule: only the collector may ask for a sealed key."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenants.of[service].transaction() as connection:
            await open_record(connection, tenants)


@pytest.mark.parametrize(
    "forgery",
    [
        "INSERT INTO gateway.key_access_log (who) VALUES ('x')",
        "DELETE FROM gateway.key_access_log",
        f"SET ROLE {SERVICE_ROLE}",
        "SET LOCAL row_security = off; SELECT source FROM gateway.v1_integration",
        "ALTER TABLE gateway.opseer_user_integration DISABLE ROW LEVEL SECURITY",
        "CREATE FUNCTION gateway.me() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "CREATE TABLE opseer.mine (id int)",
        "CREATE TABLE public.mine (id int)",
    ],
)
@pytest.mark.parametrize("service", SERVICES)
async def test_a_login_can_not_widen_its_rights(
    tenants: Tenants, service: str, forgery: str
) -> None:
    """Rule: no service forges the log, changes role, or makes objects of its own."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenants.of[service].transaction(tenants.first) as connection:
            await connection.execute(forgery)


@pytest.mark.parametrize("service", ["gateway", "collector", "mrr", "notifier"])
async def test_a_transaction_sees_its_account_alone(
    tenants: Tenants, service: str
) -> None:
    """Rule: without an account no rows, with one its own, asked for or not."""
    everything = "SELECT account_id FROM gateway.v1_integration"
    if service == "gateway":
        everything = "SELECT account_id FROM gateway.opseer_user_integration"
    database = tenants.of[service]
    async with database.transaction() as connection:
        assert await connection.fetch(everything) == []
    async with database.transaction(tenants.first) as connection:
        rows = await connection.fetch(everything)
    assert [row["account_id"] for row in rows] == [tenants.first]


async def test_a_row_of_another_account_is_refused(tenants: Tenants) -> None:
    """Rule: nothing is written for an account that the transaction isn't bound to."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenants.of["gateway"].transaction(tenants.first) as connection:
            await connection.execute(
                "INSERT INTO gateway.account (account_id, plan) VALUES ($1, 'max')",
                uuid4(),
            )


async def test_the_account_does_not_outlive_its_transaction(tenants: Tenants) -> None:
    """Rule: the next user of a pooled connection starts without an account."""
    gateway = tenants.of["gateway"]
    for _ in range(20):
        async with gateway.transaction(tenants.first) as connection:
            await connection.execute("SELECT 1")
        async with gateway.transaction() as connection:
            setting = await connection.fetchval(
                "SELECT current_setting('app.account_id', true)"
            )
        assert not setting


@pytest.mark.parametrize(
    "config", [b"", b"rk_" + b"live_plain", b"\2" + RECORD[1:], RECORD + b"\0"]
)
async def test_the_table_takes_sealed_records_only(
    tenants: Tenants, config: bytes
) -> None:
    """Rule: a CHECK refuses whatever is not a record of version 1."""
    with pytest.raises(asyncpg.CheckViolationError):
        async with tenants.of["gateway"].transaction(tenants.first) as connection:
            await connection.execute(
                "UPDATE gateway.opseer_user_integration SET config = $1", config
            )


@pytest.fixture
async def admin(database: FreshDatabase) -> AsyncIterator[Connection]:
    """Return the administrator's connection, to read the catalog."""
    connection = await asyncpg.connect(database.admin_url)
    yield connection
    await connection.close()


async def test_every_table_of_an_account_forces_row_security(admin: Connection) -> None:
    """Rule: no table with an account_id is without a forced policy by opseer.me()."""
    rows = await admin.fetch(
        """
        SELECT c.oid::regclass::text AS name, c.relrowsecurity AND c.relforcerowsecurity
               AS forced,
               (SELECT bool_and(p.polname = 'owner' OR
                    pg_get_expr(p.polqual, p.polrelid) = '(account_id = opseer.me())')
                FROM pg_policy p WHERE p.polrelid = c.oid) AS fits
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
        WHERE c.relkind = 'r' AND n.nspname = ANY($1)
        """,
        list(SERVICES),
    )
    assert len(rows) > 15
    assert [r["name"] for r in rows if not (r["forced"] and r["fits"])] == []


async def test_a_service_writes_its_own_schema_alone(admin: Connection) -> None:
    """Rule: INSERT, UPDATE and DELETE end at the border of the schema."""
    rows = await admin.fetch(
        """
        SELECT r.rolname, c.oid::regclass::text AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r
        WHERE c.relkind IN ('r', 'v') AND r.rolname = ANY($1)
          AND n.nspname = ANY($2) AND r.rolname <> 'opseer_' || n.nspname
          AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        """,
        list(LOGIN_ROLES),
        list(SERVICES),
    )
    assert rows == []


async def test_a_view_that_others_read_uses_the_readers_rights(
    admin: Connection,
) -> None:
    """Rule: v1 views run as the reader; only sweeps and doors run as the owner."""
    rows = await admin.fetch(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'v' AND n.nspname = ANY($1)
          AND NOT coalesce('security_invoker=true' = ANY(c.reloptions), false)
        """,
        list(SERVICES),
    )
    names = {row["relname"] for row in rows}
    assert {n for n in names if not n.startswith(("sweep_", "v1_sweep_", "door_"))} == (
        set()
    )


async def test_the_roles_are_what_they_must_be(admin: Connection) -> None:
    """Rule: four plain logins; the service role can't log in and has no members."""
    rows = await admin.fetch(
        """
        SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole,
               rolinherit, EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid
                                   OR m.member = r.oid) AS tied
        FROM pg_roles r WHERE rolname LIKE 'opseer\\_%' AND rolname <> 'opseer_admin'
        """
    )
    found = {row["rolname"]: tuple(row)[1:] for row in rows}
    nothing = (False,) * 6
    assert found == {
        **dict.fromkeys(LOGIN_ROLES, (True, *nothing)),
        SERVICE_ROLE: (False, *nothing),
    }


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ALTER ROLE opseer_service_role LOGIN", "opseer_service_role may log in"),
        ("ALTER ROLE opseer_service_role BYPASSRLS", "opseer_service_role bypasses"),
        ("ALTER ROLE opseer_mrr BYPASSRLS", "opseer_mrr bypasses row-level security"),
        ("ALTER ROLE opseer_mrr SUPERUSER", "opseer_mrr is a superuser"),
        ("GRANT opseer_service_role TO opseer_mrr", "opseer_service_role has members"),
        ("GRANT opseer_gateway TO opseer_mrr", "opseer_gateway has members"),
    ],
)
async def test_a_role_with_too_many_rights_is_refused(
    admin: Connection, statement: str, words: str
) -> None:
    """Rule: roles of our names that open more than they are for stop a migration."""
    transaction = admin.transaction()
    await transaction.start()
    try:
        await admin.execute(statement)
        with pytest.raises(ConfigError, match=words):
            await check_roles(admin)
    finally:
        await transaction.rollback()


def test_a_verifier_is_what_postgres_computes() -> None:
    """Rule: RFC 7677's example: user, pencil, its salt and its server key."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    assert scram_verifier("pencil", salt).startswith(
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
        "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
