"""What every service process does with itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from opseer_common.run import Lifetime, live

_PROGRAM = """
import ctypes, resource
from opseer_common.run import close_memory
close_memory()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_memory_is_closed() -> None:
    """Rule: a service leaves no core file, and nobody of its user reads its memory."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(0, 0) 0"


async def test_a_service_that_waits_for_its_servers_can_be_stopped() -> None:
    """Rule: SIGTERM ends a start that would wait for ever, and what it opened."""
    closed = []

    async def close() -> None:
        closed.append("database")

    async def build(lifetime: Lifetime) -> None:
        lifetime.on_stop(close)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        await live(build)
    assert closed == ["database"]


async def test_a_start_that_fails_is_told() -> None:
    """Rule: what a start raises ends the service with it."""

    async def build(_: Lifetime) -> None:
        raise OSError("no server")

    with pytest.raises(OSError, match="no server"):
        await live(build)
