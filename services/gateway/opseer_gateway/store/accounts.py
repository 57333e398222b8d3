"""Accounts, users, sessions, API tokens and sign-in links in Postgres.

A visitor is recognised through the narrow `door_*` views, before the account is
known; everything after that is bound to the account.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from opseer_common.database import Connection, Database, work_for
from opseer_common.errors import RefusedError
from opseer_gateway.domain.visitors import (
    ABSOLUTE,
    IDLE,
    ApiToken,
    NewToken,
    User,
    Visitor,
    session_is_alive,
)

_TOUCH_AFTER = timedelta(minutes=1)


class AccountStore:
    """The tables behind signing up and signing in."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        self._database = database

    async def account_count(self) -> int:
        """Return how many accounts there are, the demo's not counted."""
        async with self._database.transaction() as connection:
            count: int = await connection.fetchval(
                "SELECT accounts FROM gateway.door_account"
            )
            return count

    async def add_account(
        self,
        *,
        email: str,
        password_hash: str,
        token_hash: bytes,
        token_hint: str,
        plan: str,
        only_first: bool,
        now: datetime,
    ) -> UUID:
        """Make an account with its user and a first API token; return its id.

        Raises RefusedError: SIGNUP_CLOSED when `only_first` and there is one,
        EMAIL_TAKEN when the address is in use.
        """
        account_id, user_id = uuid4(), uuid4()
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext('opseer setup'))"
            )
            count = await connection.fetchval(
                "SELECT accounts FROM gateway.door_account"
            )
            if only_first and count:
                raise RefusedError(
                    "SIGNUP_CLOSED", "There is an account already. Sign in instead."
                )
            await connection.execute(
                """
                INSERT INTO gateway.account (account_id, plan, created_at)
                VALUES ($1, $2, $3)
                """,
                account_id,
                plan,
                now,
            )
            try:
                await connection.execute(
                    """
                    INSERT INTO gateway.app_user
                        (user_id, account_id, email, password_hash, created_at)
                    VALUES ($1, $2, $3, $4, $5)
                    """,
                    user_id,
                    account_id,
                    email,
                    password_hash,
                    now,
                )
            except asyncpg.UniqueViolationError:
                raise RefusedError(
                    "EMAIL_TAKEN", "There is a user with that address already."
                ) from None
            first = NewToken("first token", token_hash, token_hint, "write")
            await _add_token(connection, account_id, first, now)
            await note(connection, account_id, None, "account created", now)
        return account_id

    async def find_user(self, email: str) -> User | None:
        """Return the user of an e-mail address, whatever its case."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                """
                SELECT user_id, account_id, password_hash FROM gateway.door_user
                WHERE email = lower($1)
                """,
                email,
            )
        return User(**dict(row)) if row else None

    async def password_hash(self, account_id: UUID, user_id: UUID) -> str | None:
        """Return what the user's password is checked against."""
        async with self._database.transaction(account_id) as connection:
            found: str | None = await connection.fetchval(
                "SELECT password_hash FROM gateway.app_user WHERE user_id = $1",
                user_id,
            )
            return found

    async def set_password(
        self,
        account_id: UUID,
        user_id: UUID,
        password_hash: str,
        *,
        end_sessions: bool,
        now: datetime,
    ) -> None:
        """Store a new hash; with `end_sessions` nobody stays signed in."""
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                "UPDATE gateway.app_user SET password_hash = $2 WHERE user_id = $1",
                user_id,
                password_hash,
            )
            if end_sessions:
                await connection.execute(
                    "DELETE FROM gateway.session WHERE user_id = $1", user_id
                )
                await note(connection, account_id, None, "password changed", now)

    async def add_session(
        self, account_id: UUID, user_id: UUID, token_hash: bytes, now: datetime
    ) -> None:
        """Sign a user in, and forget the user's sessions that have ended."""
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                """
                DELETE FROM gateway.session
                WHERE user_id = $1 AND (seen_at < $2 OR created_at < $3)
                """,
                user_id,
                now - IDLE,
                now - ABSOLUTE,
            )
            await connection.execute(
                """
                INSERT INTO gateway.session
                    (token_hash, account_id, user_id, created_at, seen_at)
                VALUES ($1, $2, $3, $4, $4)
                """,
                token_hash,
                account_id,
                user_id,
                now,
            )

    async def end_session(self, account_id: UUID, token_hash: bytes) -> None:
        """Sign a session out."""
        async with self._database.transaction(account_id) as connection:
            await connection.execute(
                "DELETE FROM gateway.session WHERE token_hash = $1", token_hash
            )

    async def by_session(self, token_hash: bytes, now: datetime) -> Visitor | None:
        """Return who holds the session, unless it has ended."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                """
                SELECT account_id, user_id, created_at, seen_at
                FROM gateway.door_session WHERE token_hash = $1
                """,
                token_hash,
            )
            if row is None or not session_is_alive(
                row["created_at"], row["seen_at"], now
            ):
                return None
            await work_for(connection, row["account_id"])
            await connection.execute(
                """
                UPDATE gateway.session SET seen_at = $2
                WHERE token_hash = $1 AND seen_at < $3
                """,
                token_hash,
                now,
                now - _TOUCH_AFTER,
            )
            return await _session_visitor(
                connection, row["account_id"], row["user_id"], token_hash
            )

    async def by_api_token(self, token_hash: bytes, now: datetime) -> Visitor | None:
        """Return whose API token it is."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                """
                SELECT account_id, token_id FROM gateway.door_token
                WHERE token_hash = $1
                """,
                token_hash,
            )
            if row is None:
                return None
            await work_for(connection, row["account_id"])
            await connection.execute(
                """
                UPDATE gateway.api_token SET last_used_at = $2
                WHERE token_id = $1 AND (last_used_at IS NULL OR last_used_at < $3)
                """,
                row["token_id"],
                now,
                now - _TOUCH_AFTER,
            )
            return await _token_visitor(connection, row["account_id"], row["token_id"])

    async def use_sign_in_link(self, token_hash: bytes, now: datetime) -> User | None:
        """Consume a one-time link; None where it is used, too old or unknown."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                """
                SELECT account_id, user_id, expires_at FROM gateway.door_link
                WHERE token_hash = $1
                """,
                token_hash,
            )
            if row is None:
                return None
            await work_for(connection, row["account_id"])
            used = await connection.fetchval(
                """
                DELETE FROM gateway.sign_in_link WHERE token_hash = $1
                RETURNING expires_at > $2
                """,
                token_hash,
                now,
            )
            return User(row["user_id"], row["account_id"], "") if used else None

    async def add_token(
        self, account_id: UUID, new: NewToken, now: datetime
    ) -> ApiToken:
        """Store an API token's hash."""
        async with self._database.transaction(account_id) as connection:
            token_id = await _add_token(connection, account_id, new, now)
            await note(connection, account_id, None, "token created", now)
        return ApiToken(token_id, new.name, new.hint, now, None, new.scope)

    async def tokens(self, account_id: UUID) -> list[ApiToken]:
        """Return the account's API tokens, oldest first."""
        async with self._database.transaction(account_id) as connection:
            rows = await connection.fetch(
                """
                SELECT token_id, name, hint, created_at, last_used_at, scope
                FROM gateway.api_token ORDER BY created_at, token_id
                """
            )
        return [ApiToken(**dict(row)) for row in rows]

    async def delete_token(
        self, account_id: UUID, token_id: UUID, now: datetime
    ) -> bool:
        """Delete an API token; False where the account has none of that id."""
        async with self._database.transaction(account_id) as connection:
            found = await connection.fetchval(
                "DELETE FROM gateway.api_token WHERE token_id = $1 RETURNING true",
                token_id,
            )
            if found:
                await note(connection, account_id, None, "token deleted", now)
        return bool(found)


async def note(
    connection: Connection,
    account_id: UUID,
    source: str | None,
    what: str,
    now: datetime,
) -> None:
    """Write down what was done; stays after the thing itself is deleted."""
    await connection.execute(
        """
        INSERT INTO gateway.audit (account_id, source, what, at)
        VALUES ($1, $2, $3, $4)
        """,
        account_id,
        source,
        what,
        now,
    )


async def _add_token(
    connection: Connection, account_id: UUID, new: NewToken, now: datetime
) -> UUID:
    """Insert an API token and return its id."""
    token_id = uuid4()
    await connection.execute(
        """
        INSERT INTO gateway.api_token
            (token_id, account_id, token_hash, name, hint, scope, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        token_id,
        account_id,
        new.token_hash,
        new.name,
        new.hint,
        new.scope,
        now,
    )
    return token_id


async def _token_visitor(
    connection: Connection, account_id: UUID, token_id: UUID
) -> Visitor:
    """Return the holder of an API token; the transaction works for the account."""
    row = await connection.fetchrow(
        """
        SELECT a.plan, t.scope
        FROM gateway.account a JOIN gateway.api_token t USING (account_id)
        WHERE a.account_id = $1 AND t.token_id = $2
        """,
        account_id,
        token_id,
    )
    assert row is not None  # noqa: S101 - tokens go with their account
    return Visitor(account_id, row["plan"], scope=row["scope"])


async def _session_visitor(
    connection: Connection, account_id: UUID, user_id: UUID, session_hash: bytes
) -> Visitor:
    """Return the user of a session; the transaction works for the account."""
    row = await connection.fetchrow(
        """
        SELECT a.plan, u.role, CASE WHEN p.several THEN coalesce(
            (SELECT name FROM gateway.project WHERE project_id = s.project_id),
            p.first) END AS project
        FROM gateway.account a
        JOIN gateway.app_user u USING (account_id)
        JOIN gateway.session s USING (user_id)
        CROSS JOIN (
            SELECT count(*) > 1 AS several,
                   (array_agg(name ORDER BY created_at, project_id))[1] AS first
            FROM gateway.project) p
        WHERE a.account_id = $1 AND u.user_id = $2 AND s.token_hash = $3
        """,
        account_id,
        user_id,
        session_hash,
    )
    assert row is not None  # noqa: S101 - sessions go with their user
    return Visitor(
        account_id,
        row["plan"],
        user_id,
        session_hash,
        row["role"],
        project=row["project"],
    )
