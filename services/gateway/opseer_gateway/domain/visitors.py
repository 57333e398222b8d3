"""Who is asking, as the gateway knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from opseer_common.errors import RefusedError

Role = Literal["owner", "member"]
Scope = Literal["read", "write"]

IDLE: Final = timedelta(days=14)
ABSOLUTE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone who is signed in: by a session (then with a user) or by an API token."""

    account_id: UUID
    plan: str
    user_id: UUID | None = None
    session_hash: bytes | None = field(default=None, repr=False)
    role: Role = "owner"
    scope: Scope = "write"
    """What an API token may do; a session may write."""
    project: str | None = None
    """The project that a session looks at, where the account has several."""


@dataclass(frozen=True, slots=True)
class User:
    """A user with what a password is checked against."""

    user_id: UUID
    account_id: UUID
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewToken:
    """An API token as it is stored: its hash."""

    name: str
    token_hash: bytes = field(repr=False)
    hint: str
    scope: Scope


class ApiToken(msgspec.Struct, frozen=True):
    """An API token without the token itself, which is shown once."""

    token_id: UUID
    name: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    scope: Scope


def owner_only(visitor: Visitor) -> None:
    """Refuse what a member may not do. RefusedError(OWNER_REQUIRED)."""
    if visitor.role != "owner":
        raise RefusedError("OWNER_REQUIRED", "Only an owner of the account may do it.")


def session_is_alive(created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Return whether a session may still be used: 14 days idle, 30 days in all."""
    return now - seen_at < IDLE and now - created_at < ABSOLUTE
