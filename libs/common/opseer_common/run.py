"""Starting and stopping a service: one way for all four.

`run` configures logging, builds the service inside a `Lifetime`, says that it is
ready, waits for SIGTERM or SIGINT or for a part to fail, and takes everything down in
reverse order. Exit status 78 and one line for a ConfigError, 1 for a fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import structlog

from opseer_common import logs
from opseer_common.database import LATER, UNAVAILABLE
from opseer_common.errors import ConfigError

EX_CONFIG: Final = 78
_PR_SET_DUMPABLE: Final = 4
_log = structlog.get_logger()


class Lifetime:
    """What a running service is made of, in the order of its making."""

    def __init__(self, stack: AsyncExitStack, ready_file: Path | None) -> None:
        """Collect clean-ups on `stack`."""
        self._stack = stack
        self._ready_file = ready_file
        self._parts: set[asyncio.Future[Any]] = set()
        self.stopping = asyncio.Event()

    def on_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call `close` at the end, after whatever is registered later."""
        self._stack.push_async_callback(close)

    def background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` until the end; the service ends with it if it fails."""
        task = asyncio.create_task(work, name=name)
        self._parts.add(task)
        self._stack.push_async_callback(end, task)

    def watch(self, future: asyncio.Future[None]) -> None:
        """End the service when `future` fails."""
        self._parts.add(future)

    async def wait(self) -> None:
        """Say that the service is ready; return at a signal, raise if a part fails."""
        if self._ready_file is not None:
            self._ready_file.write_text("ready\n")
        _log.info("ready")
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            done, _ = await asyncio.wait(
                {stop, *self._parts}, return_when=asyncio.FIRST_COMPLETED
            )
            for part in done:
                part.result()
        finally:
            stop.cancel()
            if self._ready_file is not None:
                self._ready_file.unlink(missing_ok=True)


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; raise what else it failed with.

    Again where that was lost: `wait_for` of Python 3.11 swallows a cancellation that
    comes together with its result (nats-py waits that way).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    with contextlib.suppress(asyncio.CancelledError, *LATER):
        await task


async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` again and again; what is away for now is no fault."""
    while True:
        try:
            await work()
        except LATER as error:
            _log.warning("tried later", error=type(error).__name__)
        await asyncio.sleep(seconds)


async def _built(building: Awaitable[None], stopping: asyncio.Event) -> bool:
    """Wait for the service to be built; False where it is told to stop before.

    What it waits for may be away for long: Postgres, or the bus.
    """
    task, stop = asyncio.ensure_future(building), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
    finally:
        stop.cancel()
        task.cancel()
        await asyncio.gather(stop, task, return_exceptions=True)
    return False


async def live(
    build: Callable[[Lifetime], Awaitable[None]], ready_file: Path | None = None
) -> None:
    """Build, run and take down a service inside the running loop."""
    async with AsyncExitStack() as stack:
        lifetime = Lifetime(stack, ready_file)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lifetime.stopping.set)
        if await _built(build(lifetime), lifetime.stopping):
            await lifetime.wait()
    _log.info("stopped")


def close_memory() -> None:
    """Keep secrets in memory from core files and from other processes of this user.

    A kernel without prctl (macOS) does the first part alone.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def run(
    service: str,
    build: Callable[[Lifetime], Awaitable[None]],
    ready_file: Path | None = None,
) -> None:
    """Be the process of `service`; return at the end or exit."""
    logs.configure(service)
    close_memory()
    # The modules stay: garbage is not looked for among them again and again.
    gc.freeze()
    try:
        asyncio.run(live(build, ready_file))
    except ConfigError as error:
        stop_with(service, error)
    except UNAVAILABLE as error:
        _log.error("cannot start", error=type(error).__name__)
        raise SystemExit(1) from None


def stop_with(service: str, error: ConfigError) -> None:
    """Say why a process cannot run, in one line, and exit with status 78."""
    sys.stderr.write(f"opseer {service}: {error}\n")
    raise SystemExit(EX_CONFIG)
