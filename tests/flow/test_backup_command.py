"""`opseer backup`, `restore` and `doctor` as an operator uses them on one machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from opseer_cli.layout import Layout
from opseer_common.testing.listening import free_port

_APP = "from opseer_cli.main import app; app()"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Machine:
    """The command on one data directory."""

    layout: Layout
    port: int = 8080

    def environment(self) -> dict[str, str]:
        """Return what the command sees."""
        return {
            "PATH": os.defpath,
            "OPSEER_DATA_DIR": str(self.layout.root),
            "OPSEER_PORT": str(self.port),
        }

    def opseer(self, *arguments: str, given: str = "") -> Done:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-c", _APP, *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            timeout=60,
        )


@pytest.fixture(scope="module")
def machine(module_layout: Layout) -> Machine:
    """Return a machine that nothing runs on yet."""
    return Machine(module_layout, free_port())


@pytest.fixture(scope="module")
def backups(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run Opseer, look at it, and save it: running, stopped, with keys."""
    folder = tmp_path_factory.mktemp("backups")
    with subprocess.Popen(
        [sys.executable, "-c", _APP, "up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=machine.environment(),
    ) as running:
        try:
            assert running.stdout is not None
            assert any("Opseer is ready" in line for line in running.stdout)
            added = machine.opseer("user", "add", "a@example.com", given="long enough")
            assert added.returncode == 0, added.stderr
            found = machine.opseer("doctor")
            (folder / "doctor").write_text(f"{found.returncode}\n{found.stdout}")
            saved = machine.opseer("backup", str(folder / "running"))
            assert saved.returncode == 0, saved.stderr
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(15) == 0
    for name, options in (("stopped", ()), ("keys", ("--with-keys",))):
        saved = machine.opseer("backup", str(folder / name), *options)
        assert saved.returncode == 0, saved.stderr
    return folder


@pytest.fixture
def other(layout: Layout) -> Machine:
    """Return another machine, where Opseer was never started."""
    return Machine(layout)


def tables(file: Path) -> dict[str, bytes]:
    """Return what a backup holds of each table."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name != "manifest.json"]
        return {name: archive.read(name) for name in names}


def test_doctor_finds_a_healthy_machine(backups: Path) -> None:
    """Rule: after `opseer up` every check is ok and the status is 0."""
    status, *lines = (backups / "doctor").read_text().splitlines()
    assert status == "0", lines
    assert len(lines) == 13
    assert [line for line in lines if not line.startswith("ok ")] == []


def test_running_or_stopped_is_the_same(backups: Path) -> None:
    """Rule: a backup holds the same whether Opseer runs; only its owner reads it."""
    running = tables(backups / "running")
    assert running == tables(backups / "stopped")
    assert b"a@example.com" in running["gateway.app_user.copy"]
    assert (backups / "running").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_never_overwritten(machine: Machine, backups: Path) -> None:
    """Rule: the name of an existing file is refused, and the file stays."""
    before = (backups / "stopped").read_bytes()
    done = machine.opseer("backup", str(backups / "stopped"))
    assert done.returncode == 78
    assert "exists: name a new file" in done.stderr
    assert (backups / "stopped").read_bytes() == before


def test_a_backup_may_go_to_a_pipe(machine: Machine, backups: Path) -> None:
    """Rule: with - the backup, and nothing else, is on standard output."""
    target = backups / "pipe"
    with target.open("wb") as file:
        subprocess.run(
            [sys.executable, "-c", _APP, "backup", "-"],
            stdout=file,
            check=True,
            env=machine.environment(),
            timeout=60,
        )
    assert tables(target) == tables(backups / "stopped")


def test_another_machine_takes_over(other: Machine, backups: Path) -> None:
    """Rule: restoring where nothing is makes the database; a second time is refused."""
    done = other.opseer("restore", str(backups / "running"))
    assert done.returncode == 0, done.stderr
    assert "connect each source again" in done.stderr
    saved = other.opseer("backup", str(backups / "again"))
    assert saved.returncode == 0, saved.stderr
    assert tables(backups / "again") == tables(backups / "running")
    refused = other.opseer("restore", str(backups / "running"))
    assert refused.returncode == 78
    assert "is not empty" in refused.stderr
    replaced = other.opseer("restore", str(backups / "running"), "--replace")
    assert replaced.returncode == 0, replaced.stderr


def test_sealed_keys_move_with_their_sealing_key(
    machine: Machine, other: Machine, backups: Path
) -> None:
    """Rule: without the sealing key nothing is restored, nor a new one made."""
    refused = other.opseer("restore", str(backups / "keys"))
    assert refused.returncode == 78
    assert "sealed to another sealing key" in refused.stderr
    assert list(other.layout.secrets.iterdir()) == []
    assert not (other.layout.postgres / "cluster").exists()
    for name in ("sealing-key.json", "sealing-public.json"):
        shutil.copy(machine.layout.secrets / name, other.layout.secrets)
    done = other.opseer("restore", str(backups / "keys"))
    assert done.returncode == 0, done.stderr


def test_backup_of_nothing_is_refused(other: Machine, tmp_path: Path) -> None:
    """Rule: a wrong data directory gives no empty backup."""
    done = other.opseer("backup", str(tmp_path / "file"))
    assert done.returncode == 78
    assert f"there are no data of Opseer in {other.layout.root}" in done.stderr
    assert list(tmp_path.iterdir()) == []
