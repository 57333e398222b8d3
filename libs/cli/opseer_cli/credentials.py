"""Passwords, NATS seeds and the sealing key: made once, never made again.

A file that exists is kept as it is; to change one, stop Opseer and delete it (the
sealing key excepted: without it no stored provider key opens any more).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import nkeys  # type: ignore[import-untyped]

from opseer_common import sealing
from opseer_common.bootstrap import LOGIN_ROLES
from opseer_common.rights import ADMIN, USERS

_READ_ONLY = 0o400
# Without letters and digits that are read as one another.
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files in the folder `secrets` of a data directory."""

    folder: Path

    @property
    def sealing_key(self) -> Path:
        """The private sealing keys: the collector's."""
        return self.folder / "sealing-key.json"

    @property
    def sealing_public(self) -> Path:
        """The public sealing key: the gateway's."""
        return self.folder / "sealing-public.json"

    def seed_file(self, user: str) -> Path:
        """Return the file of a NATS user's nkey seed."""
        return self.folder / f"nats-{user}.seed"

    def passwords(self) -> dict[str, str]:
        """Return the password of each database role."""
        return {
            role: self._password_file(role).read_text(encoding="ascii")
            for role in LOGIN_ROLES
        }

    def public_keys(self) -> dict[str, str]:
        """Return the public nkey of each NATS user."""
        return {
            user: nkeys.from_seed(self.seed_file(user).read_bytes()).public_key.decode()
            for user in USERS
        }

    def _password_file(self, role: str) -> Path:
        return self.folder / f"database-{role}.password"

    def ensure(self) -> None:
        """Make whatever does not exist yet."""
        for role in LOGIN_ROLES:
            _create(self._password_file(role), secrets.token_urlsafe(24).encode())
        for user in USERS:
            _create(self.seed_file(user), _new_seed())
        _create(self.sealing_key, sealing.private_document(sealing.generate()))
        ring = sealing.read_key_ring(self.sealing_key)
        _create(self.sealing_public, sealing.public_document(ring.public()))


def role_of(service: str) -> str:
    """Return the database role of a service."""
    return f"opseer_{service}"


def admin_seed_file(nats_url: str, credentials: Credentials) -> Path | None:
    """Return the seed that prepares streams; None where the URL holds a login."""
    return None if "@" in nats_url else credentials.seed_file(ADMIN)


def ensure_setup_code(path: Path, given: str | None) -> str:
    """Return the setup code: the given one, or one that is made once."""
    if given is not None:
        path.unlink(missing_ok=True)
        _create(path, given.encode(), mode=0o600)
        return given
    letters = [secrets.choice(_CODE_LETTERS) for _ in range(8)]
    code = "".join(letters[:4]) + "-" + "".join(letters[4:])
    _create(path, code.encode(), mode=0o600)
    return path.read_text(encoding="utf-8").strip()


def _new_seed() -> bytes:
    """Return a fresh nkey seed of the kind "user"."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed


def _create(path: Path, content: bytes, *, mode: int = _READ_ONLY) -> None:
    """Write a file that does not exist yet: whole and on disk, or not at all."""
    if path.exists():
        return
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
