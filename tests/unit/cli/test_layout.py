"""The data directory and its lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from opseer_cli.layout import held, holder_of, layout_of
from opseer_common.errors import ConfigError

_HOLD = """
import sys
from pathlib import Path
from opseer_cli.layout import held, layout_of
with held(layout_of(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holding(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the directory until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_supervisor_is_refused(tmp_path: Path) -> None:
    """Two supervisors never share a directory; the refusal names the first."""
    layout = layout_of(tmp_path)
    layout.make()
    with (
        _holding(tmp_path) as first,
        pytest.raises(ConfigError, match=rf"already runs .*\(process {first.pid}\)"),
        held(layout),
    ):
        pass


def test_holder_is_known(tmp_path: Path) -> None:
    """Whoever asks learns which process runs on a directory, and when none does."""
    layout = layout_of(tmp_path)
    layout.make()
    assert holder_of(layout) is None
    with _holding(tmp_path) as first:
        assert holder_of(layout) == first.pid
    assert holder_of(layout) is None


def test_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """After a kill -9 the directory is free."""
    layout = layout_of(tmp_path)
    layout.make()
    with _holding(tmp_path) as first:
        first.kill()
    with held(layout):
        assert holder_of(layout) == os.getpid()


def test_secrets_are_not_listed_by_others(tmp_path: Path) -> None:
    """Nobody else may list the folder of the secrets."""
    layout = layout_of(tmp_path / "data")
    layout.make()
    assert layout.secrets.stat().st_mode & 0o066 == 0


def test_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    """A folder that was there is not opened or closed to anybody."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    layout_of(folder).make()
    assert folder.stat().st_mode & 0o777 == 0o777


def test_impossible_place_is_refused(tmp_path: Path) -> None:
    """A data directory below a file is refused in words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="set OPSEER_DATA_DIR"):
        layout_of(tmp_path / "file" / "data").make()
