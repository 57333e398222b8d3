"""Users, invitations and projects of an account, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from opseer_gateway.domain.visitors import Role

INVITED_FOR: Final = timedelta(days=7)


class AppUser(msgspec.Struct, frozen=True):
    """Somebody who signs in to the account."""

    user_id: UUID
    email: str
    role: Role
    created_at: datetime


class Invitation(msgspec.Struct, frozen=True):
    """An invitation that waits; its link was shown once."""

    invitation_id: UUID
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


class Project(msgspec.Struct, frozen=True):
    """A project. All of an account's projects see the account's connections."""

    project_id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation as it is stored: the hash of its link's token."""

    token_hash: bytes = field(repr=False)
    email: str
    role: Role
