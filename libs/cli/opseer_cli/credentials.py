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

from opseer_cli.layout import layout_of
from opseer_cli.settings import Settings
from opseer_common import sealing
from opseer_common.bootstrap import LOGIN_ROLES
from opseer_common.errors import ConfigError
from opseer_common.rights import ADMIN, USERS

_READ_ONLY = 0o400
_PRIVATE = 0o600
# Without letters and digits that are read as one another.
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files in the folder `secrets` of a data directory."""

    folder: Path
    mode: int = _READ_ONLY
    """Of files that are made."""

    @property
    def sealing_key(self) -> Path:
        """The private sealing keys: the collector's."""
        return self.folder / "sealing-key.json"

    @property
    def sealing_public(self) -> Path:
        """The public sealing key: the gateway's."""
        return self.folder / "sealing-public.json"

    @property
    def delivery_key(self) -> Path:
        """The private key of destinations: the notifier's."""
        return self.folder / "delivery-key.json"

    @property
    def delivery_public(self) -> Path:
        """The public key of destinations: the gateway's."""
        return self.folder / "delivery-public.json"

    def seed_file(self, user: str) -> Path:
        """Return the file of a NATS user's nkey seed."""
        return self.folder / f"nats-{user}.seed"

    def passwords(self) -> dict[str, str]:
        """Return the password of each database role."""
        return {
            role: _read(self._password_file(role)).decode("ascii")
            for role in LOGIN_ROLES
        }

    def public_keys(self) -> dict[str, str]:
        """Return the public nkey of each NATS user."""
        return {
            user: nkeys.from_seed(_read(self.seed_file(user))).public_key.decode()
            for user in USERS
        }

    def _password_file(self, role: str) -> Path:
        return self.folder / f"database-{role}.password"

    def ensure(self) -> None:
        """Make whatever does not exist yet."""
        for role in LOGIN_ROLES:
            password = secrets.token_urlsafe(24)
            create(self._password_file(role), password.encode(), self.mode)
        for user in USERS:
            create(self.seed_file(user), _new_seed(), self.mode)
        self._ensure_pair(self.sealing_key, self.sealing_public)
        self._ensure_pair(self.delivery_key, self.delivery_public)

    def _ensure_pair(self, private: Path, public: Path) -> None:
        """Make the two files of a sealing key."""
        create(private, sealing.private_document(sealing.generate()), self.mode)
        key = sealing.read_key_ring(private).public()
        create(public, sealing.public_document(key), self.mode)


def credentials_for(chosen: Settings) -> Credentials:
    """Return the credentials that the settings name.

    Those in OPSEER_SECRETS_DIR are there already; in a data directory what is missing
    is made.
    """
    if chosen.secrets_dir is not None:
        return Credentials(chosen.secrets_dir)
    layout = layout_of(chosen.data_dir)
    layout.make()
    credentials = Credentials(layout.secrets)
    credentials.ensure()
    return credentials


def role_of(service: str) -> str:
    """Return the database role of a service."""
    return f"opseer_{service}"


def admin_seed_file(nats_url: str, credentials: Credentials) -> Path | None:
    """Return the seed that prepares streams; None where the URL holds a login."""
    return None if "@" in nats_url else credentials.seed_file(ADMIN)


def ensure_setup_code(path: Path, given: str | None, mode: int = _PRIVATE) -> str:
    """Return the setup code: the given one, or one that is made once."""
    if given is not None:
        path.unlink(missing_ok=True)
        create(path, given.encode(), _PRIVATE)
        return given
    letters = [secrets.choice(_CODE_LETTERS) for _ in range(8)]
    code = "".join(letters[:4]) + "-" + "".join(letters[4:])
    create(path, code.encode(), mode)
    return path.read_text(encoding="utf-8").strip()


def _new_seed() -> bytes:
    """Return a fresh nkey seed of the kind "user"."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed


def _read(path: Path) -> bytes:
    """Return a file's content. ConfigError where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def create(path: Path, content: bytes, mode: int) -> None:
    """Write a file that does not exist yet: whole and on disk, or not at all."""
    if path.exists():
        return
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
