"""Processes: started clean, noted, stopped, and found again."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from opseer_cli.processes import Child, Command, end_orphans, noted
from opseer_common.errors import ConfigError

_DEAF = (
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('deaf', flush=True)\n"
    "time.sleep(60)\n"
)
_ENVIRONMENT = "import os, json; print(json.dumps(dict(os.environ)))"
Make = Callable[[str], Child]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return what makes a child that runs a Python script; its end is sure."""
    with ExitStack() as stack:

        def make_child(script: str) -> Child:
            command = Command(
                name="child",
                arguments=(sys.executable, "-c", script),
                environment={"LANG": "C.UTF-8", "ONLY": "this"},
                log=tmp_path / "child.log",
            )
            child = Child(command, tmp_path)
            stack.callback(child.kill)
            return child

        yield make_child


async def _said(child: Child, word: str) -> None:
    """Wait until the child's log holds `word`."""
    while word not in child.last_lines():
        assert child.alive


async def test_environment_is_clean(make: Make) -> None:
    """A child sees what it was handed and nothing of ours."""
    child = make(_ENVIRONMENT)
    child.start()
    assert await child.ended() == 0
    seen = json.loads(child.last_lines())
    seen.pop("LC_CTYPE", None)  # Python's own doing
    assert seen == {"LANG": "C.UTF-8", "ONLY": "this"}


async def test_stop_asks_first(make: Make) -> None:
    """A child that listens to its stop signal ends by it, not by a kill."""
    child = make("import time; time.sleep(60)")
    child.start()
    await child.stop(5)
    assert child.returncode == -signal.SIGTERM


async def test_stop_kills_the_deaf(make: Make) -> None:
    """A child that ignores its stop signal is killed after the grace."""
    child = make(_DEAF)
    child.start()
    await _said(child, "deaf")
    await child.stop(0.2)
    assert child.returncode == -signal.SIGKILL


def test_stopped_child_leaves_no_note(make: Make, tmp_path: Path) -> None:
    """A note tells of a process that may still run, never of one that was stopped."""
    child = make("import time; time.sleep(60)")
    child.start()
    assert noted(tmp_path) == {"child": child.pid}
    asyncio.run(child.stop(5))
    assert not list(tmp_path.glob("*.json"))


async def test_deaf_orphan_is_killed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orphan that ignores the stop signal is ended all the same."""
    monkeypatch.setattr("opseer_cli.processes._ORPHAN_GRACE", 0.2)
    child = make(_DEAF)
    child.start()
    await _said(child, "deaf")
    assert end_orphans(tmp_path, print) == [child.pid]
    assert not psutil.pid_exists(child.pid)


def test_reused_process_id_is_spared(make: Make, tmp_path: Path) -> None:
    """A note whose process id belongs to another process by now ends nothing."""
    child = make("import time; time.sleep(60)")
    child.start()
    note = {
        "pid": child.pid,
        "started": psutil.Process(child.pid).create_time() - 3600,
        "stop_signal": int(signal.SIGTERM),
    }
    (tmp_path / "child.json").write_text(json.dumps(note))
    assert end_orphans(tmp_path, print) == []
    assert child.alive


def test_damaged_note_is_dropped(tmp_path: Path) -> None:
    """A note that a crash left empty stands in nobody's way."""
    note = tmp_path / "child.json"
    note.write_text("")
    assert end_orphans(tmp_path, print) == []
    assert not note.exists()


def test_missing_program_is_said(tmp_path: Path) -> None:
    """A program that isn't there is a ConfigError that names it."""
    command = Command("child", ("/nowhere/program",), {}, tmp_path / "child.log")
    with pytest.raises(ConfigError, match="/nowhere/program does not start"):
        Child(command, tmp_path).start()


async def test_long_log_is_set_aside(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log over the limit starts anew, with one generation kept."""
    monkeypatch.setattr("opseer_cli.processes._LOG_LIMIT", 3)
    (tmp_path / "child.log").write_text("earlier")
    child = make("print('now')")
    child.start()
    await child.ended()
    assert child.last_lines() == "now"
    assert (tmp_path / "child.old.log").read_text() == "earlier"
