"""Loopback ports."""

from __future__ import annotations

import socket
from pathlib import Path

from opseer_cli.ports import is_free, remembered


def test_same_port_again(tmp_path: Path) -> None:
    """A port that is still free is taken again."""
    file = tmp_path / "port"
    assert remembered(file) == remembered(file)


def test_taken_port_is_replaced(tmp_path: Path) -> None:
    """A port that another program took meanwhile is replaced, and that is noted."""
    file = tmp_path / "port"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        file.write_text(str(taken))
        port = remembered(file)
    assert port != taken
    assert file.read_text() == str(port)


def test_damaged_note_is_replaced(tmp_path: Path) -> None:
    """A note that is no number stands in nobody's way."""
    file = tmp_path / "port"
    file.write_text("")
    assert file.read_text() != str(remembered(file)) == file.read_text()


def test_listening_port_is_not_free() -> None:
    """A port that somebody listens on is not free."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert not is_free(other.getsockname()[1])
