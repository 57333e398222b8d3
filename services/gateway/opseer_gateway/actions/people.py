"""An account's users, the invitations to become one, and its projects."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from opseer_common import tokens
from opseer_common.clock import Clock
from opseer_gateway.domain.credentials import check_email, check_name, check_password
from opseer_gateway.domain.people import (
    AppUser,
    Invitation,
    NewInvitation,
    Project,
)
from opseer_gateway.domain.refusals import not_found
from opseer_gateway.domain.visitors import Role, User, Visitor, owner_only


class Store(Protocol):
    """Where they are kept."""

    async def users(self, account_id: UUID) -> list[AppUser]: ...  # noqa: D102
    async def remove_user(  # noqa: D102
        self, account_id: UUID, user_id: UUID, now: datetime
    ) -> bool: ...
    async def invitations(  # noqa: D102
        self, account_id: UUID, now: datetime
    ) -> list[Invitation]: ...
    async def add_invitation(  # noqa: D102
        self, account_id: UUID, new: NewInvitation, now: datetime
    ) -> Invitation: ...
    async def delete_invitation(  # noqa: D102
        self, account_id: UUID, invitation_id: UUID, now: datetime
    ) -> bool: ...
    async def invited(self, token_hash: bytes, now: datetime) -> str | None: ...  # noqa: D102
    async def accept(  # noqa: D102
        self, token_hash: bytes, password_hash: str, now: datetime
    ) -> User | None: ...
    async def projects(self, account_id: UUID) -> list[Project]: ...  # noqa: D102
    async def add_project(  # noqa: D102
        self, account_id: UUID, name: str, now: datetime
    ) -> Project: ...
    async def rename_project(  # noqa: D102
        self, account_id: UUID, project_id: UUID, name: str
    ) -> Project | None: ...
    async def chosen_project(  # noqa: D102
        self, account_id: UUID, session_hash: bytes
    ) -> UUID | None: ...
    async def choose_project(  # noqa: D102
        self, account_id: UUID, session_hash: bytes, project_id: UUID
    ) -> bool: ...


class Hasher(Protocol):
    """Hashes passwords slowly, few at a time. RefusedError(BUSY) beyond that."""

    async def hash(self, password: str) -> str:
        """Return what is stored for a password."""
        ...


class Enter(Protocol):
    """Signs a user in."""

    async def __call__(self, user: User) -> str:
        """Return a fresh session's token."""
        ...


class People:
    """Who belongs to an account, and which projects it has."""

    def __init__(
        self, store: Store, hasher: Hasher, enter: Enter, clock: Clock
    ) -> None:
        """Take the ports."""
        self._store = store
        self._hasher = hasher
        self._enter = enter
        self._clock = clock

    async def users(self, visitor: Visitor) -> list[AppUser]:
        """Return the account's users."""
        return await self._store.users(visitor.account_id)

    async def remove_user(self, visitor: Visitor, user_id: UUID) -> None:
        """Remove a user with all sessions.

        RefusedError: OWNER_REQUIRED, LAST_OWNER, NOT_FOUND.
        """
        owner_only(visitor)
        now = self._clock()
        if not await self._store.remove_user(visitor.account_id, user_id, now):
            raise not_found()

    async def invitations(self, visitor: Visitor) -> list[Invitation]:
        """Return the invitations that wait."""
        return await self._store.invitations(visitor.account_id, self._clock())

    async def invite(
        self, visitor: Visitor, email: str, role: Role
    ) -> tuple[Invitation, str]:
        """Invite somebody; return the invitation and its token, which is shown once.

        RefusedError: OWNER_REQUIRED, INVALID_EMAIL, EMAIL_TAKEN.
        """
        owner_only(visitor)
        token = tokens.new_opaque()
        new = NewInvitation(tokens.hash_of(token), check_email(email), role)
        made = await self._store.add_invitation(visitor.account_id, new, self._clock())
        return made, token

    async def withdraw(self, visitor: Visitor, invitation_id: UUID) -> None:
        """Make an invitation's link worthless.

        RefusedError: OWNER_REQUIRED, NOT_FOUND.
        """
        owner_only(visitor)
        if not await self._store.delete_invitation(
            visitor.account_id, invitation_id, self._clock()
        ):
            raise not_found()

    async def invited(self, token: str) -> str:
        """Return the address that a link invites. NOT_FOUND for a link that is none."""
        email = None
        if tokens.is_opaque(token):
            email = await self._store.invited(tokens.hash_of(token), self._clock())
        if email is None:
            raise not_found()
        return email

    async def accept(self, token: str, password: str) -> tuple[UUID, str]:
        """Become a user by a link; return the account and a session's token.

        RefusedError: NOT_FOUND, INVALID_PASSWORD, EMAIL_TAKEN, BUSY.
        """
        await self.invited(token)
        check_password(password)
        user = await self._store.accept(
            tokens.hash_of(token), await self._hasher.hash(password), self._clock()
        )
        if user is None:
            raise not_found()
        return user.account_id, await self._enter(user)

    async def projects(self, visitor: Visitor) -> list[Project]:
        """Return the account's projects, oldest first; there is one at least."""
        return await self._store.projects(visitor.account_id)

    async def add_project(self, visitor: Visitor, name: str) -> Project:
        """Make a project. RefusedError: OWNER_REQUIRED, INVALID_NAME, NAME_TAKEN."""
        owner_only(visitor)
        return await self._store.add_project(
            visitor.account_id, check_name(name), self._clock()
        )

    async def rename_project(
        self, visitor: Visitor, project_id: UUID, name: str
    ) -> Project:
        """Rename a project.

        RefusedError: OWNER_REQUIRED, INVALID_NAME, NAME_TAKEN, NOT_FOUND.
        """
        owner_only(visitor)
        renamed = await self._store.rename_project(
            visitor.account_id, project_id, check_name(name)
        )
        if renamed is None:
            raise not_found()
        return renamed

    async def chosen(self, visitor: Visitor) -> tuple[Project, list[Project]]:
        """Return the project that the visitor looks at, and all of them."""
        projects = await self.projects(visitor)
        chosen = None
        if visitor.session_hash is not None:
            chosen = await self._store.chosen_project(
                visitor.account_id, visitor.session_hash
            )
        by_id = {project.project_id: project for project in projects}
        return by_id.get(chosen or projects[0].project_id, projects[0]), projects

    async def choose(self, visitor: Visitor, project_id: UUID) -> None:
        """Look at another project from now on. RefusedError(NOT_FOUND)."""
        if visitor.session_hash is None or not await self._store.choose_project(
            visitor.account_id, visitor.session_hash, project_id
        ):
            raise not_found()
