"""The one step that owns roles, migrations, streams and durables: `opseer migrate`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from opseer_common import migrate as migrations
from opseer_common import topology
from opseer_common.database import Connection
from opseer_common.errors import ConfigError
from opseer_common.rights import ADMIN, inbox_prefix

LOGIN_ROLES = (
    "opseer_gateway",
    "opseer_collector",
    "opseer_mrr",
    "opseer_notifier",
)
SERVICE_ROLE = "opseer_service_role"
_ITERATIONS = 4096
_LIMITS = {
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


async def migrate_database(url: str, passwords: Mapping[str, str]) -> int:
    """Make the roles and run the migrations as the administrator of `url`.

    `passwords` has one per login role. Returns how many migrations ran. ConfigError
    where the database cannot be reached or is not as it must be.
    """
    try:
        connection = await asyncpg.connect(url, timeout=30)
    except (OSError, asyncpg.PostgresError) as error:
        raise ConfigError(f"Postgres: {type(error).__name__}: {error}") from None
    try:
        await _make_roles(connection, passwords)
        done = await migrations.run(connection)
        await check_roles(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigError(
            f"DATABASE_URL must be an administrator's login: {error}"
        ) from None
    finally:
        await connection.close()
    return done


async def migrate_bus(url: str, seed_file: Path | None, *, replicas: int = 1) -> None:
    """Lay down streams and durables. ConfigError where the bus cannot be reached."""
    client = await bus_administrator(url, seed_file)
    try:
        await topology.apply(client.jetstream(), replicas)
    finally:
        await client.close()


async def bus_administrator(url: str, seed_file: Path | None) -> Client:
    """Return a client with the administrator's rights.

    ConfigError where no server is reached within seconds.
    """
    try:
        return await nats.connect(
            url,
            nkeys_seed=str(seed_file) if seed_file else None,
            inbox_prefix=inbox_prefix(ADMIN).encode(),
            allow_reconnect=False,
            max_reconnect_attempts=1,
            connect_timeout=10,
            error_cb=_say_nothing,
        )
    except (OSError, NatsError) as error:
        raise ConfigError(f"NATS: {type(error).__name__}: {error}") from None


async def _say_nothing(_: Exception) -> None:
    """Keep the client from logging what is raised anyway."""


async def _make_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Make the roles where they are missing, and set the logins' passwords."""
    async with connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext('opseer roles'))"
        )
        for role in (*LOGIN_ROLES, SERVICE_ROLE):
            exists = await connection.fetchval(
                "SELECT true FROM pg_roles WHERE rolname = $1", role
            )
            if not exists:
                await connection.execute(f"CREATE ROLE {role} NOLOGIN NOINHERIT")
        await check_roles(connection)
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        for role in LOGIN_ROLES:
            verifier = scram_verifier(passwords[role])
            await connection.execute(
                f"ALTER ROLE {role} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE "
                f"CONNECTION LIMIT 40 PASSWORD '{verifier}'"
            )
            await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")
            for name, value in _LIMITS.items():
                await connection.execute(f"ALTER ROLE {role} SET {name} = '{value}'")
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


async def check_roles(connection: Connection) -> None:
    """Refuse roles of these names that open more than they are for."""
    rows = await connection.fetch(
        """
        SELECT r.rolname, r.rolcanlogin AND r.rolname = $1 AS logs_in, r.rolbypassrls,
               r.rolsuper,
               EXISTS (SELECT FROM pg_auth_members m
                       JOIN pg_roles member ON member.oid = m.member
                       WHERE m.roleid = r.oid AND NOT member.rolsuper) AS has_members
        FROM pg_roles r WHERE r.rolname = $1 OR r.rolname = ANY($2::text[])
        """,
        *(SERVICE_ROLE, list(LOGIN_ROLES)),
    )
    found = {row["rolname"]: row for row in rows}
    for role in (*LOGIN_ROLES, SERVICE_ROLE):
        if role not in found:
            raise ConfigError(f"the role {role} is missing")
        for name, words in (
            ("logs_in", "may log in"),
            ("rolbypassrls", "bypasses row-level security"),
            ("rolsuper", "is a superuser"),
            ("has_members", "has members"),
        ):
            if found[role][name]:
                raise ConfigError(f"the role {role} {words}: it must not")


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return what Postgres stores for `password` (RFC 5803).

    Sent instead of the password, which so reaches no statement and no log.
    """
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{text[0]}${text[1]}:{text[2]}"


async def has_account(url: str) -> bool:
    """Return whether somebody made the first account; the demo's does not count."""
    connection = await asyncpg.connect(url, timeout=30)
    try:
        count: int = await connection.fetchval(
            "SELECT accounts FROM gateway.door_account"
        )
    finally:
        await connection.close()
    return count > 0
