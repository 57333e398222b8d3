"""How a part that ends is started again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from opseer_cli.layout import layout_of
from opseer_cli.processes import Child, Command
from opseer_cli.settings import Settings
from opseer_cli.supervisor import Supervisor
from opseer_common.errors import ConfigError


class Ending:
    """A part whose process ends as soon as it is started."""

    def __init__(self, folder: Path, program: str) -> None:
        """Prepare `program`."""
        command = Command("part", (program,), {}, folder / "part.log")
        self.child = Child(command, folder)

    def start(self) -> None:
        """Start it."""
        self.child.start()

    def is_ready(self) -> bool:
        """Say that it never works."""
        return False


async def test_back_off_doubles_to_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that keeps ending is started at doubling intervals, up to the longest."""
    monkeypatch.setattr("opseer_cli.supervisor._FIRST_DELAY", 0.01)
    monkeypatch.setattr("opseer_cli.supervisor._LONGEST_DELAY", 0.04)
    said: list[str] = []
    supervisor = Supervisor(layout_of(tmp_path), Settings(), said.append, None)
    part = Ending(tmp_path, "/bin/false")
    part.start()
    keeper = asyncio.create_task(supervisor._keep(part))
    async with asyncio.timeout(10):
        while len(said) < 4:
            await asyncio.sleep(0.01)
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    log = tmp_path / "part.log"
    assert said[:4] == [
        f"part ended with status 1, starts again in {delay} s; its log: {log}"
        for delay in ("0.01", "0.02", "0.04", "0.04")
    ]
    await part.child.stop(1)


async def test_health_resets_the_back_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was healthy for long enough starts again after the first delay."""
    monkeypatch.setattr("opseer_cli.supervisor._FIRST_DELAY", 0.01)
    monkeypatch.setattr("opseer_cli.supervisor._HEALTHY_AFTER", 0.0)
    said: list[str] = []
    supervisor = Supervisor(layout_of(tmp_path), Settings(), said.append, None)
    part = Ending(tmp_path, "/bin/false")
    part.start()
    keeper = asyncio.create_task(supervisor._keep(part))
    async with asyncio.timeout(10):
        while len(said) < 3:
            await asyncio.sleep(0.01)
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    assert all("in 0.01 s" in words for words in said)
    await part.child.stop(1)


async def test_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """A port in use is named, with the setting that changes it."""
    layout = layout_of(tmp_path)
    layout.make()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    supervisor = Supervisor(layout, Settings(port=port), print, None)
    with pytest.raises(ConfigError, match=f"port {port} .* set OPSEER_PORT"):
        await supervisor.start()
    server.close()
    await server.wait_closed()
    assert not any(layout.secrets.iterdir())


class Deaf(Child):
    """A process whose wait swallows a cancellation, as nats-py's may on 3.11."""

    waits = 0

    @override
    async def ended(self) -> int:
        """Take the first cancellation for the end."""
        self.waits += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.waits > 1:
                raise
        return 0


async def test_stop_ends_a_keeper_that_lost_its_cancellation(tmp_path: Path) -> None:
    """What keeps a part running is cancelled until it ends, not once."""
    supervisor = Supervisor(layout_of(tmp_path), Settings(), print, None)
    part = Ending(tmp_path, "/bin/true")
    part.child = Deaf(replace(part.child.command, name="mrr"), tmp_path)
    keeper = asyncio.create_task(supervisor._keep(part))
    supervisor._keepers.add(keeper)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await supervisor.stop()
    assert keeper.done()
