"""Our own processes: started, noted, ended, and found again after a kill -9.

Each one gets a session of its own, so a Ctrl-C in the terminal reaches only the
supervisor, which then ends the others in order. A note in `run/<name>.json` holds
process id and start time: the next supervisor ends whatever an earlier one left.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

from opseer_common.errors import ConfigError

_POLL = 0.1
_LOG_LIMIT = 10_000_000
# Start times are derived from the wall clock, which may be stepped a little.
_START_TOLERANCE = 5.0
_ORPHAN_GRACE = 5.0
_TAIL_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process runs as: by default whoever we are."""

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()
    """A command that takes on another identity and then runs the rest."""

    def own(self, path: Path, mode: int) -> None:
        """Give `path` to this identity, with `mode`."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


OURSELVES = Identity()


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: a name for notes and words, arguments, a clean environment."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    identity: Identity = OURSELVES
    stop_signal: signal.Signals = signal.SIGTERM
    inherited: tuple[int, ...] = ()
    """File descriptors that stay open in it, under the same numbers."""


class Child:
    """One process of ours, which may be started again after it ended."""

    def __init__(self, command: Command, notes: Path) -> None:
        """Prepare `command`; `notes` is the folder of the notes."""
        self.command = command
        self._note = notes / f"{command.name}.json"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """The name in notes and words."""
        return self.command.name

    @property
    def pid(self) -> int:
        """The process id of the latest start; 0 before the first."""
        return self._process.pid if self._process else 0

    @property
    def returncode(self) -> int | None:
        """How the latest start ended; None while it runs or before the first."""
        return self._process.poll() if self._process else None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it. ConfigError when the program can't be executed."""
        command = self.command
        identity = command.identity
        with _open_log(command.log) as log:
            try:
                self._process = subprocess.Popen(
                    [*identity.prefix, *command.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env=dict(command.environment),
                    start_new_session=True,
                    user=identity.uid,
                    group=identity.gid,
                    extra_groups=None if identity.uid is None else [],
                    pass_fds=command.inherited,
                )
            except OSError as error:
                raise ConfigError(
                    f"{command.name}: {command.arguments[0]} does not start "
                    f"({error.strerror})"
                ) from error
        self._write_note(self._process.pid)

    def _write_note(self, pid: int) -> None:
        """Note the process; it may have ended already."""
        try:
            started = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        note = {
            "pid": pid,
            "started": started,
            "stop_signal": int(self.command.stop_signal),
        }
        self._note.write_text(json.dumps(note), encoding="ascii")

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, with whatever it started."""
        if self._process is not None and self._process.poll() is None:
            _kill_session(self._process.pid)
            self._process.wait()
        self._note.unlink(missing_ok=True)

    async def ended(self) -> int:
        """Wait until it ends; return its status (negative: the signal)."""
        while (status := self.returncode) is None:  # noqa: ASYNC110 - no loop owns it
            await asyncio.sleep(_POLL)
        return status

    async def stop(self, grace: float) -> None:
        """Ask it to end, and kill it when `grace` seconds were not enough."""
        self.send(self.command.stop_signal)
        deadline = time.monotonic() + grace
        while self.alive and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_POLL)
        self.kill()

    def last_lines(self, count: int = 5) -> str:
        """Return the end of its log."""
        return tail(self.command.log, count)


def tail(log: Path, count: int) -> str:
    """Return the last `count` lines of a log file, none if there is no file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-count:])


def _open_log(path: Path) -> BinaryIO:
    """Open a log for appending; one that grew too long is set aside first."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT:
        path.replace(path.with_suffix(".old.log"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return os.fdopen(descriptor, "ab")


def _kill_session(pid: int) -> None:
    """Kill the session that `pid` leads."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_orphans(
    notes: Path, say: Callable[[str], None], *, postmaster: psutil.Process | None = None
) -> list[int]:
    """End what an earlier supervisor of this data directory left running.

    `postmaster` is a Postgres that runs on our cluster, noted or not. Returns the
    process ids. Raises ConfigError for one that isn't ours to end.
    """
    found: list[psutil.Process] = []
    for note in sorted(notes.glob("*.json")):
        process = _noted(note)
        if process is not None:
            found.append(process)
            _ask_to_end(process, json.loads(note.read_bytes())["stop_signal"])
        note.unlink(missing_ok=True)
    if postmaster is not None and postmaster not in found:
        found.append(postmaster)
        _ask_to_end(postmaster, signal.SIGINT)
    if not found:
        return []
    say(f"ending {len(found)} processes that an earlier run left")
    _, stubborn = psutil.wait_procs(found, timeout=_ORPHAN_GRACE)
    for process in stubborn:
        _kill_session(process.pid)
    psutil.wait_procs(stubborn, timeout=_ORPHAN_GRACE)
    return [process.pid for process in found]


def noted(notes: Path) -> dict[str, int]:
    """Return the running processes that are noted: name to process id."""
    return {
        note.stem: process.pid
        for note in sorted(notes.glob("*.json"))
        if (process := _noted(note)) is not None
    }


def _noted(note: Path) -> psutil.Process | None:
    """Return the process of a note if it still is the same one."""
    try:
        content = json.loads(note.read_bytes())
        process = psutil.Process(int(content["pid"]))
        same = abs(process.create_time() - content["started"]) < _START_TOLERANCE
        gone = process.status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError, KeyError, TypeError):
        return None
    return process if same and not gone else None


def _ask_to_end(process: psutil.Process, number: int) -> None:
    """Send a stop signal."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise ConfigError(
            f"process {process.pid} of this data directory belongs to another user: "
            "stop it first"
        ) from None
