"""One of the four services as a process: what it is handed, and when it is ready."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from opseer_cli.credentials import Credentials, role_of
from opseer_cli.layout import Layout
from opseer_cli.processes import OURSELVES, Child, Command, Identity
from opseer_cli.settings import handed_to
from opseer_common.errors import ConfigError, OpseerError
from opseer_common.run import EX_CONFIG

_DEMO_BASE_FOR = frozenset({"gateway", "collector"})


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where everything is, for all services alike."""

    layout: Layout
    credentials: Credentials
    database_url: str
    """The administrator's URL: services get their own role in its place."""
    nats_url: str
    demo_api_base: str | None


class Service:
    """A service that runs with its own settings in an otherwise clean environment."""

    def __init__(self, name: str, wiring: Wiring, identity: Identity) -> None:
        """Prepare `python -m opseer_<name>`."""
        self._home = wiring.layout.run / name
        self._files = _files_of(name, wiring)
        self._ready = self._home / "ready"
        environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "OPSEER_DATABASE_URL": login_url(
                wiring.database_url,
                role_of(name),
                wiring.credentials.passwords()[role_of(name)],
            ),
            "OPSEER_NATS_URL": without_credentials(wiring.nats_url),
            "OPSEER_READY_FILE": str(self._ready),
            **{setting: str(path) for setting, path in self._files.items()},
            **handed_to(name),
        }
        if wiring.demo_api_base is not None and name in _DEMO_BASE_FOR:
            environment["OPSEER_DEMO_API_BASE"] = wiring.demo_api_base
        self.child = Child(
            Command(
                name=name,
                arguments=(sys.executable, "-m", f"opseer_{name}"),
                environment=environment,
                log=wiring.layout.logs / f"{name}.log",
                identity=identity,
            ),
            wiring.layout.run,
        )

    def start(self) -> None:
        """Give it its files and start it."""
        identity = self.child.command.identity
        for path in self._files.values():
            if identity != OURSELVES:
                identity.own(path, stat.S_IMODE(path.stat().st_mode))
        self._home.mkdir(exist_ok=True)
        identity.own(self._home, 0o700)
        self._ready.unlink(missing_ok=True)
        self.child.start()

    def is_ready(self) -> bool:
        """Return whether it said that it is ready.

        Raises ConfigError when it refused its settings, OpseerError when it ended.
        """
        if self.child.alive:
            return self._ready.exists()
        words = f"{self.child.name} ended:\n{self.child.last_lines()}"
        if self.child.returncode == EX_CONFIG:
            raise ConfigError(words)
        raise OpseerError(words)


def _files_of(name: str, wiring: Wiring) -> Mapping[str, Path]:
    """Return the files that a service is handed: setting to path."""
    credentials = wiring.credentials
    files = {"OPSEER_NATS_SEED_FILE": credentials.seed_file(name)}
    if name == "gateway":
        files["OPSEER_SEALING_PUBLIC_FILE"] = credentials.sealing_public
        files["OPSEER_SETUP_CODE_FILE"] = wiring.layout.setup_code
        files["OPSEER_DELIVERY_PUBLIC_FILE"] = credentials.delivery_public
    if name == "notifier":
        files["OPSEER_DELIVERY_KEY_FILE"] = credentials.delivery_key
    if name == "collector":
        files["OPSEER_SEALING_KEY_FILE"] = credentials.sealing_key
    return files


def login_url(admin_url: str, role: str, password: str) -> str:
    """Return the administrator's URL with another login in it."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    login = f"{role}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{host}"))


def without_credentials(urls: str) -> str:
    """Return NATS URLs, one or several with commas, without user and password."""
    return ",".join(_bare(url.strip()) for url in urls.split(","))


def _bare(url: str) -> str:
    """Return one URL without user and password."""
    scheme, _, rest = url.rpartition("://")
    host = rest.rpartition("@")[2]
    return f"{scheme}://{host}" if scheme else host
