"""The demo: its made-up company's key, and the account of `opseer demo`.

The account is made or found through the administrator's connection.

Its user cannot sign in with a password: the command line prints a one-time link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from opseer_common import tokens
from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.database import Connection

DEMO_KEY: Final = "rk_" + "test_" + "demo" * 6
"""Opens the bundled simulator's made-up company, which has no secrets to keep."""
DEMO_KEYS: Final[Mapping[Source, str]] = MappingProxyType(
    {
        "stripe": DEMO_KEY,
        "revenuecat": "sk_" + "demo" * 6,
        "polar": "polar_" + "oat_" + "demo" * 6,
    }
)
"""The same for each of its channels."""
_EMAIL: Final = "demo@opseer.local"
_NO_PASSWORD: Final = "!"  # noqa: S105 - no hash looks like this, so nothing fits it
_TOKEN_NAME: Final = "demo"  # noqa: S105 - a name, not a token
_LINK_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """The demo's account with a fresh token and a fresh link, both shown once."""

    account_id: UUID
    token: str = field(repr=False)
    sign_in_path: str = field(repr=False)
    """Path of the one-time sign-in page, from `/` on."""


async def ensure_demo_account(admin_database_url: str, *, clock: Clock) -> DemoAccount:
    """Return the demo's account, made where it is missing.

    Each call replaces the demo's API token and its sign-in link. The database must be
    migrated. Raises what asyncpg raises where it is away.
    """
    token, link = tokens.new_api_token(), tokens.new_opaque()
    connection = await asyncpg.connect(admin_database_url, timeout=30)
    try:
        async with connection.transaction():
            account_id, user_id = await _account(connection)
            await connection.execute(
                "DELETE FROM gateway.api_token WHERE account_id = $1 AND name = $2",
                account_id,
                _TOKEN_NAME,
            )
            await connection.execute(
                """
                INSERT INTO gateway.api_token
                    (token_id, account_id, token_hash, name, hint, created_at)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                uuid4(),
                account_id,
                tokens.hash_of(token),
                _TOKEN_NAME,
                tokens.hint_of(token),
                clock(),
            )
            await connection.execute(
                "DELETE FROM gateway.sign_in_link WHERE user_id = $1", user_id
            )
            await connection.execute(
                """
                INSERT INTO gateway.sign_in_link
                    (token_hash, account_id, user_id, expires_at)
                VALUES ($1, $2, $3, $4)
                """,
                tokens.hash_of(link),
                account_id,
                user_id,
                clock() + _LINK_FOR,
            )
    finally:
        await connection.close()
    return DemoAccount(account_id, token, f"/sign-in/{link}")


async def _account(connection: Connection) -> tuple[UUID, UUID]:
    """Return the account and its user, made where they are missing."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('opseer setup'))")
    row = await connection.fetchrow(
        """
        SELECT u.account_id, u.user_id FROM gateway.app_user u
        JOIN gateway.account a USING (account_id) WHERE a.demo AND u.email = $1
        """,
        _EMAIL,
    )
    if row is not None:
        return row["account_id"], row["user_id"]
    account_id, user_id = uuid4(), uuid4()
    await connection.execute(
        "INSERT INTO gateway.account (account_id, plan, demo) VALUES ($1, 'max', true)",
        account_id,
    )
    await connection.execute(
        """
        INSERT INTO gateway.app_user (user_id, account_id, email, password_hash)
        VALUES ($1, $2, $3, $4)
        """,
        user_id,
        account_id,
        _EMAIL,
        _NO_PASSWORD,
    )
    return account_id, user_id
