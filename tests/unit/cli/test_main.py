"""The command: one clear line and the right exit status."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from opseer_cli.main import app


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command as a shell does; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["opseer", *arguments])
    with pytest.raises(SystemExit) as end:
        app()
    assert isinstance(end.value.code, int)
    return end.value.code


def test_wrong_settings_exit_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown OPSEER_ name stops every command with one line and status 78."""
    monkeypatch.setenv("OPSEER_DATADIR", "x")
    assert _run(monkeypatch, "status") == 78
    assert capsys.readouterr().err == (
        "opseer: unknown setting OPSEER_DATADIR: see docs/SETTINGS.md for the names\n"
    )


def test_absent_gateway_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway that isn't there is one line and status 1."""
    url = ("--url", "http://127.0.0.1:1", "--token", "ops_x")
    assert _run(monkeypatch, "report", *url) == 1
    assert capsys.readouterr().err == (
        "opseer: no answer from http://127.0.0.1:1 (ClientConnectorError): "
        "is Opseer up?\n"
    )


def test_key_is_never_an_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Connecting without --key-stdin is refused: arguments show in `ps`."""
    assert _run(monkeypatch, "connect", "stripe") == 78
    assert "standard input" in capsys.readouterr().err


def test_nats_config_is_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The accounts block names the keys in the data directory, which stay."""
    monkeypatch.setenv("OPSEER_DATA_DIR", str(tmp_path))
    _run(monkeypatch, "nats-config")
    first = capsys.readouterr().out
    _run(monkeypatch, "nats-config")
    assert capsys.readouterr().out == first
    assert first.startswith("accounts {")


def test_status_without_a_supervisor(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Where nothing runs, status says so and fails, for scripts."""
    monkeypatch.setenv("OPSEER_DATA_DIR", str(tmp_path))
    assert _run(monkeypatch, "status") == 1
    assert capsys.readouterr().out == f"Opseer does not run on {tmp_path}\n"


def test_explain_prints_one_line_per_case(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Each case of the file gives one JSON line with its id."""
    file = tmp_path / "cases.json"
    cases = ",".join(f'{{"id":"{name}","kind":"?","input":0}}' for name in "ab")
    file.write_text(f'{{"cases":[{cases}]}}')
    assert _run(monkeypatch, "explain", "--cases", str(file)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]
