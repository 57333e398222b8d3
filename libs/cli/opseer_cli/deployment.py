"""What deploy/compose.yaml mounts, made once by `make up`: `python -m` with a folder.

The folder is closed to everyone else (0700); the files in it are readable (0444), for a
container mounts the file itself and reads it as a user that this machine doesn't know.
Nothing that is secret is made twice. nats.conf is none and follows the release.
"""

from __future__ import annotations

import re
import secrets
import sys
from pathlib import Path
from urllib.parse import quote

from opseer_cli.credentials import Credentials, create, ensure_setup_code, role_of
from opseer_cli.embedded_nats import server_document
from opseer_cli.embedded_postgres import ADMIN, DATABASE
from opseer_cli.identities import SERVICES
from opseer_common import rights
from opseer_common.errors import ConfigError
from opseer_common.run import stop_with

_MODE = 0o444
_FOLDER_MODE = 0o700
_DATABASE_HOST = "postgres:5432"
_STORE = "/data/jetstream"
_PLACEHOLDER = re.compile(
    r"change.?me|placeholder|your.?(password|secret)|<\w|^$", re.IGNORECASE
)


def prepare(folder: Path) -> Path:
    """Make what is missing of `folder`/.secrets; return its path.

    Raises ConfigError for a secret, or a line of `folder`/.env, that somebody meant to
    fill in and did not.
    """
    _refuse_placeholders_in_settings(folder / ".env")
    home = folder / ".secrets"
    home.mkdir(exist_ok=True)
    home.chmod(_FOLDER_MODE)
    for file in home.iterdir():
        if _PLACEHOLDER.search(file.read_text(encoding="utf-8")):
            raise ConfigError(
                f"{file} holds a placeholder: delete it, a new one is made"
            )
    credentials = Credentials(home, _MODE)
    credentials.ensure()
    admin = home / "postgres-admin-password"
    create(admin, secrets.token_urlsafe(24).encode(), _MODE)
    create(home / "admin-database-url", _url(ADMIN, admin.read_text("ascii")), _MODE)
    passwords = credentials.passwords()
    for service in SERVICES:
        url = _url(role_of(service), passwords[role_of(service)])
        create(home / f"{service}-database-url", url, _MODE)
    ensure_setup_code(home / "setup-code", None, _MODE)
    _write_bus(home / "nats.conf", credentials)
    return home


def _refuse_placeholders_in_settings(file: Path) -> None:
    """Look at the values of compose's .env. ConfigError for one to be filled in."""
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        name, assigned, value = line.partition("=")
        if assigned and not name.startswith("#") and _PLACEHOLDER.search(value.strip()):
            raise ConfigError(f"{file}: {name.strip()} is not filled in")


def _url(role: str, password: str) -> bytes:
    """Return a database URL as the containers see it."""
    secret = quote(password, safe="")
    return f"postgresql://{role}:{secret}@{_DATABASE_HOST}/{DATABASE}".encode()


def _write_bus(file: Path, credentials: Credentials) -> None:
    """Write the bus's configuration as this release has it: public keys and rights."""
    accounts = rights.accounts_block(credentials.public_keys())
    text = server_document("0.0.0.0:4222", "127.0.0.1:8222", _STORE, accounts)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.unlink(missing_ok=True)
        create(file, text.encode(), _MODE)


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]))
    except ConfigError as error:
        stop_with("up", error)
