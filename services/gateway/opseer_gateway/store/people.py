"""Users, invitations and projects in Postgres."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from opseer_common.database import Connection, Database, work_for
from opseer_common.errors import RefusedError
from opseer_gateway.domain.people import (
    INVITED_FOR,
    AppUser,
    Invitation,
    NewInvitation,
    Project,
)
from opseer_gateway.domain.visitors import User
from opseer_gateway.store.accounts import note

_FIRST_PROJECT: Final = "My project"


class PeopleStore:
    """The tables behind an account's users, invitations and projects."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        self._database = database

    async def users(self, account_id: UUID) -> list[AppUser]:
        """Return the account's users, oldest first."""
        async with self._database.transaction(account_id) as connection:
            rows = await connection.fetch(
                """
                SELECT user_id, email, role, created_at FROM gateway.app_user
                ORDER BY created_at, user_id
                """
            )
        return [AppUser(**dict(row)) for row in rows]

    async def remove_user(self, account_id: UUID, user_id: UUID, now: datetime) -> bool:
        """Remove a user with all sessions; False where there is none of that id.

        Raises RefusedError(LAST_OWNER).
        """
        async with self._database.transaction(account_id) as connection:
            owners = await _locked_owners(connection, account_id)
            if owners == [user_id]:
                raise RefusedError("LAST_OWNER", "An account keeps one owner.")
            found = await connection.fetchval(
                "DELETE FROM gateway.app_user WHERE user_id = $1 RETURNING true",
                user_id,
            )
            if found:
                await note(connection, account_id, None, "user removed", now)
        return bool(found)

    async def invitations(self, account_id: UUID, now: datetime) -> list[Invitation]:
        """Return the invitations that wait, oldest first."""
        async with self._database.transaction(account_id) as connection:
            rows = await connection.fetch(
                """
                SELECT invitation_id, email, role, created_at, expires_at
                FROM gateway.invitation WHERE expires_at > $1
                ORDER BY created_at, invitation_id
                """,
                now,
            )
        return [Invitation(**dict(row)) for row in rows]

    async def add_invitation(
        self, account_id: UUID, new: NewInvitation, now: datetime
    ) -> Invitation:
        """Store an invitation in the place of earlier ones for the same address.

        Raises RefusedError(EMAIL_TAKEN) where the address has a user.
        """
        invitation = Invitation(uuid4(), new.email, new.role, now, now + INVITED_FOR)
        async with self._database.transaction(account_id) as connection:
            taken = await connection.fetchval(
                "SELECT true FROM gateway.door_user WHERE email = lower($1)", new.email
            )
            if taken:
                raise _email_taken()
            await connection.execute(
                """
                DELETE FROM gateway.invitation
                WHERE lower(email) = lower($1) OR expires_at <= $2
                """,
                new.email,
                now,
            )
            await connection.execute(
                """
                INSERT INTO gateway.invitation (invitation_id, account_id, token_hash,
                    email, role, created_at, expires_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                """,
                invitation.invitation_id,
                account_id,
                new.token_hash,
                new.email,
                new.role,
                now,
                invitation.expires_at,
            )
            await note(connection, account_id, None, "user invited", now)
        return invitation

    async def delete_invitation(
        self, account_id: UUID, invitation_id: UUID, now: datetime
    ) -> bool:
        """Withdraw an invitation; False where there is none of that id."""
        async with self._database.transaction(account_id) as connection:
            found = await connection.fetchval(
                """
                DELETE FROM gateway.invitation WHERE invitation_id = $1 RETURNING true
                """,
                invitation_id,
            )
            if found:
                await note(connection, account_id, None, "invitation withdrawn", now)
        return bool(found)

    async def invited(self, token_hash: bytes, now: datetime) -> str | None:
        """Return whom a link invites: the address; None where it is not good."""
        async with self._database.transaction() as connection:
            if await _enter_by_invitation(connection, token_hash) is None:
                return None
            email: str | None = await connection.fetchval(
                """
                SELECT email FROM gateway.invitation
                WHERE token_hash = $1 AND expires_at > $2
                """,
                token_hash,
                now,
            )
            return email

    async def accept(
        self, token_hash: bytes, password_hash: str, now: datetime
    ) -> User | None:
        """Make the invited user and use the link up; None where it is not good.

        Raises RefusedError(EMAIL_TAKEN), and the link stays.
        """
        async with self._database.transaction() as connection:
            account_id = await _enter_by_invitation(connection, token_hash)
            if account_id is None:
                return None
            row = await connection.fetchrow(
                """
                DELETE FROM gateway.invitation WHERE token_hash = $1 AND expires_at > $2
                RETURNING email, role
                """,
                token_hash,
                now,
            )
            if row is None:
                return None
            user_id = uuid4()
            try:
                await connection.execute(
                    """
                    INSERT INTO gateway.app_user (user_id, account_id, email,
                        password_hash, role, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6)
                    """,
                    user_id,
                    account_id,
                    row["email"],
                    password_hash,
                    row["role"],
                    now,
                )
            except asyncpg.UniqueViolationError:
                raise _email_taken() from None
            await note(connection, account_id, None, "invitation accepted", now)
        return User(user_id, account_id, password_hash)

    async def projects(self, account_id: UUID) -> list[Project]:
        """Return the account's projects, oldest first; the first is made here."""
        async with self._database.transaction(account_id) as connection:
            await _ensure_first_project(connection, account_id)
            rows = await connection.fetch(
                """
                SELECT project_id, name, created_at FROM gateway.project
                ORDER BY created_at, project_id
                """
            )
        return [Project(**dict(row)) for row in rows]

    async def add_project(self, account_id: UUID, name: str, now: datetime) -> Project:
        """Make a project. Raises RefusedError(NAME_TAKEN)."""
        project = Project(uuid4(), name, now)
        async with self._database.transaction(account_id) as connection:
            await _ensure_first_project(connection, account_id)
            try:
                await connection.execute(
                    """
                    INSERT INTO gateway.project
                        (project_id, account_id, name, created_at)
                    VALUES ($1, $2, $3, $4)
                    """,
                    project.project_id,
                    account_id,
                    name,
                    now,
                )
            except asyncpg.UniqueViolationError:
                raise _name_taken() from None
            await note(connection, account_id, None, "project created", now)
        return project

    async def rename_project(
        self, account_id: UUID, project_id: UUID, name: str
    ) -> Project | None:
        """Rename a project; None where the account has none of that id.

        Raises RefusedError(NAME_TAKEN).
        """
        async with self._database.transaction(account_id) as connection:
            try:
                row = await connection.fetchrow(
                    """
                    UPDATE gateway.project SET name = $2 WHERE project_id = $1
                    RETURNING project_id, name, created_at
                    """,
                    project_id,
                    name,
                )
            except asyncpg.UniqueViolationError:
                raise _name_taken() from None
        return Project(**dict(row)) if row else None

    async def chosen_project(
        self, account_id: UUID, session_hash: bytes
    ) -> UUID | None:
        """Return the project that a session looks at; None for the first."""
        async with self._database.transaction(account_id) as connection:
            found: UUID | None = await connection.fetchval(
                "SELECT project_id FROM gateway.session WHERE token_hash = $1",
                session_hash,
            )
            return found

    async def choose_project(
        self, account_id: UUID, session_hash: bytes, project_id: UUID
    ) -> bool:
        """Look at another project; False where the account has none of that id."""
        async with self._database.transaction(account_id) as connection:
            found = await connection.fetchval(
                """
                UPDATE gateway.session s SET project_id = p.project_id
                FROM gateway.project p
                WHERE s.token_hash = $1 AND p.project_id = $2 RETURNING true
                """,
                session_hash,
                project_id,
            )
        return bool(found)


async def _locked_owners(connection: Connection, account_id: UUID) -> list[UUID]:
    """Return the account's owners; nobody else removes one meanwhile."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext($1))", f"owners of {account_id}"
    )
    rows = await connection.fetch(
        "SELECT user_id FROM gateway.app_user WHERE role = 'owner'"
    )
    return [row["user_id"] for row in rows]


async def _ensure_first_project(connection: Connection, account_id: UUID) -> None:
    """Make the first project where there is none yet; it is older than any other."""
    await connection.execute(
        """
        INSERT INTO gateway.project (project_id, account_id, name, created_at)
        SELECT $1, account_id, $3, created_at FROM gateway.account
        WHERE account_id = $2 AND NOT EXISTS (SELECT FROM gateway.project)
        ON CONFLICT DO NOTHING
        """,
        uuid4(),
        account_id,
        _FIRST_PROJECT,
    )


async def _enter_by_invitation(
    connection: Connection, token_hash: bytes
) -> UUID | None:
    """Work for the account that a link invites to; None for an unknown link."""
    account_id: UUID | None = await connection.fetchval(
        "SELECT account_id FROM gateway.door_invitation WHERE token_hash = $1",
        token_hash,
    )
    if account_id is not None:
        await work_for(connection, account_id)
    return account_id


def _email_taken() -> RefusedError:
    return RefusedError("EMAIL_TAKEN", "There is a user with that address already.")


def _name_taken() -> RefusedError:
    return RefusedError("NAME_TAKEN", "There is a project of that name already.")
