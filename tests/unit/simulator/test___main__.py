"""The simulator as a process."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession

KEY = "rk_" + "live_" + "a1B2c3D4e5F6g7H8"
APP_KEY = "sk_" + "a1B2c3D4e5F6g7H8"
SHOP_KEY = "polar_" + "oat_" + "a1B2c3D4e5F6g7H8"


async def _read(url: str, key: str) -> Any:
    """Return what is there for a key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with ClientSession(headers=headers) as http, http.get(url) as answer:
        return await answer.json()


async def test_the_process_announces_itself_and_stops_on_sigterm(
    tmp_path: Path,
) -> None:
    """One line when ready, the address in the port file, exit code 0 at the end."""
    file = tmp_path / "port.json"
    command = [sys.executable, "-m", "opseer_simulator", "--epoch", "2026-07-01"]
    command += ["--port-file", str(file), "--key", KEY, "--customers", "5"]
    command += ["--revenuecat-key", APP_KEY, "--polar-key", SHOP_KEY]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert process.stdout is not None
    line = await process.stdout.readline()
    url = msgspec.json.decode(file.read_bytes())["url"]
    assert line.decode() == f"simulator ready at {url}\n"
    assert (await _read(f"{url}/v1/balance", KEY))["livemode"] is True
    [app] = (await _read(f"{url}/revenuecat/v2/projects", APP_KEY))["items"]
    assert app["object"] == "project"
    [shop] = (await _read(f"{url}/polar/v1/organizations/", SHOP_KEY))["items"]
    assert shop["status"] == "active"
    process.terminate()
    assert await process.wait() == 0
