"""Where things lie in the data directory, and who may hold it.

secrets/    passwords, NATS seeds, sealing key (see credentials.py)
run/        lock, notes of running processes, one folder of readiness per service
logs/       one file per process
nats/       configuration and JetStream store
postgres/   the cluster
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from opseer_common.errors import ConfigError

# Others may pass through on the way to a file that is theirs, and list nothing.
_PASS_THROUGH = 0o711
_PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders below one data directory; `root` is absolute."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Credentials."""
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """The lock and the notes of running processes."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def nats(self) -> Path:
        """The embedded NATS server's folder."""
        return self.root / "nats"

    @property
    def postgres(self) -> Path:
        """The embedded Postgres server's folder."""
        return self.root / "postgres"

    @property
    def setup_code(self) -> Path:
        """The file of the code that makes the first account."""
        return self.root / "setup-code"

    def make(self) -> None:
        """Create the folders; a data directory that exists keeps its own mode.

        Raises ConfigError where it can't be made.
        """
        shared = _PASS_THROUGH if os.geteuid() == 0 else _PRIVATE
        try:
            if not self.root.exists():
                self.root.mkdir(parents=True)
                self.root.chmod(shared)
            for folder, mode in (
                (self.secrets, shared),
                (self.run, shared),
                (self.logs, _PRIVATE),
                (self.nats, _PRIVATE),
                (self.postgres, _PRIVATE),
            ):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise ConfigError(
                f"{self.root}: no data directory can be made there "
                f"({error.strerror}); set OPSEER_DATA_DIR to a folder of your own"
            ) from error


def layout_of(data_dir: Path) -> Layout:
    """Return the layout below `data_dir`, made absolute."""
    return Layout(data_dir.expanduser().resolve())


@contextmanager
def held(layout: Layout) -> Iterator[None]:
    """Hold the data directory: one supervisor at a time.

    The kernel drops the lock with the process, so a kill -9 leaves none behind.
    Raises ConfigError that names the process that holds it.
    """
    path = layout.run / "lock"
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ConfigError(
                f"Opseer already runs on {layout.root} (process {holder}): "
                "stop it first, or set OPSEER_DATA_DIR to another folder"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def holder_of(layout: Layout) -> int | None:
    """Return the process id of the supervisor that runs on `layout`, if one does."""
    path = layout.run / "lock"
    if not path.is_file():
        return None
    with path.open("r", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = file.read().strip()
            return int(text) if text.isdigit() else 0
    return None
