"""Accounts and users as the administrator of the database changes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from opseer_common.database import Connection
from opseer_common.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user and the account that it belongs to."""

    user_id: UUID
    account_id: UUID


async def find_user(connection: Connection, email: str) -> KnownUser:
    """Return the user of an address, whatever its case. ConfigError without one."""
    row = await connection.fetchrow(
        """
        SELECT user_id, account_id FROM gateway.app_user
        WHERE lower(email) = lower($1)
        """,
        email,
    )
    if row is None:
        raise ConfigError("there is no user with that address")
    return KnownUser(row["user_id"], row["account_id"])


async def choose_account(
    connection: Connection, wanted: UUID | None, plan: str, now: datetime
) -> UUID:
    """Return the account for a new user: the wanted one, the only one, or a first one.

    ConfigError where there are several or none of that id. The demo's never counts
    unless it is asked for.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('opseer setup'))")
    rows = await connection.fetch("SELECT account_id, demo FROM gateway.account")
    if wanted is not None:
        if wanted not in {row["account_id"] for row in rows}:
            raise ConfigError("there is no account with that id")
        return wanted
    found: list[UUID] = [row["account_id"] for row in rows if not row["demo"]]
    if len(found) > 1:
        ids = ", ".join(str(account_id) for account_id in found)
        raise ConfigError(f"there are several accounts, name one by --account: {ids}")
    return found[0] if found else await _add_account(connection, plan, now)


async def _add_account(connection: Connection, plan: str, now: datetime) -> UUID:
    account_id = uuid4()
    await connection.execute(
        """
        INSERT INTO gateway.account (account_id, plan, created_at) VALUES ($1, $2, $3)
        """,
        account_id,
        plan,
        now,
    )
    await _note(connection, account_id, "account created", now)
    return account_id


async def add_user(
    connection: Connection,
    account_id: UUID,
    email: str,
    password_hash: str,
    now: datetime,
) -> None:
    """Add a user to an account. ConfigError where the address is in use."""
    try:
        await connection.execute(
            """
            INSERT INTO gateway.app_user
                (user_id, account_id, email, password_hash, created_at)
            VALUES ($1, $2, $3, $4, $5)
            """,
            uuid4(),
            account_id,
            email,
            password_hash,
            now,
        )
    except asyncpg.UniqueViolationError:
        raise ConfigError("there is a user with that address already") from None
    await _note(connection, account_id, "user added", now)


async def set_password(
    connection: Connection, user: KnownUser, password_hash: str, now: datetime
) -> None:
    """Store a new hash; nobody stays signed in and no link stays good."""
    await connection.execute(
        "UPDATE gateway.app_user SET password_hash = $2 WHERE user_id = $1",
        user.user_id,
        password_hash,
    )
    await connection.execute(
        "DELETE FROM gateway.session WHERE user_id = $1", user.user_id
    )
    await connection.execute(
        "DELETE FROM gateway.sign_in_link WHERE user_id = $1", user.user_id
    )
    await _note(connection, user.account_id, "password changed", now)


async def add_link(
    connection: Connection, user: KnownUser, token_hash: bytes, until: datetime
) -> None:
    """Make a sign-in link in the place of earlier ones."""
    await connection.execute(
        "DELETE FROM gateway.sign_in_link WHERE user_id = $1", user.user_id
    )
    await connection.execute(
        """
        INSERT INTO gateway.sign_in_link (token_hash, account_id, user_id, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        token_hash,
        user.account_id,
        user.user_id,
        until,
    )


async def _note(
    connection: Connection, account_id: UUID, what: str, now: datetime
) -> None:
    """Write down what happened to an account."""
    await connection.execute(
        "INSERT INTO gateway.audit (account_id, what, at) VALUES ($1, $2, $3)",
        account_id,
        f"{what} by the administrator",
        now,
    )
