"""Who is asking, as the gateway knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

IDLE: Final = timedelta(days=14)
ABSOLUTE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone who is signed in: by a session (then with a user) or by an API token."""

    account_id: UUID
    demo: bool
    plan: str
    user_id: UUID | None = None
    session_hash: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user with what a password is checked against."""

    user_id: UUID
    account_id: UUID
    password_hash: str = field(repr=False)


class ApiToken(msgspec.Struct, frozen=True):
    """An API token without the token itself, which is shown once."""

    token_id: UUID
    name: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None


def session_is_alive(created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Return whether a session may still be used: 14 days idle, 30 days in all."""
    return now - seen_at < IDLE and now - created_at < ABSOLUTE
