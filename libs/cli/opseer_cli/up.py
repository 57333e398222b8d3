"""From start to Ctrl-C: the lock, the orphans, the signals and the last words."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opseer_cli.embedded_postgres import live_postmaster
from opseer_cli.layout import held, layout_of
from opseer_cli.processes import end_orphans
from opseer_cli.settings import Settings
from opseer_cli.simulator import Simulator
from opseer_cli.supervisor import Say, Supervisor
from opseer_common import bootstrap
from opseer_common.clock import utc_now

Scene = Callable[[Supervisor], Awaitable[None]]
"""What happens once everything is ready; its end stops the system."""

_PARENT_INTERVAL = 0.5
_AGAIN = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and what ends it."""

    settings: Settings
    stop_with_parent: bool = False


async def run(plan: Plan, say: Say, scene: Scene) -> None:
    """Run the system until `scene` ends or a signal arrives; leave no process.

    Raises ConfigError or OpseerError when it does not come up.
    """
    layout = layout_of(plan.settings.data_dir)
    layout.make()
    with held(layout):
        end_orphans(layout.run, say, postmaster=live_postmaster(layout))
        simulator = Simulator(layout, utc_now)
        supervisor = Supervisor(layout, plan.settings, say, simulator)
        say(f"starting on {layout.root}")
        stop = _Stop(supervisor, say, with_parent=plan.stop_with_parent)
        try:
            await supervisor.start()
            await scene(supervisor)
        except asyncio.CancelledError:
            if not stop.asked:
                raise
        finally:
            stop.heard()
            await supervisor.stop()
            say("stopped")


class _Stop:
    """The first signal stops in order, the next one kills."""

    def __init__(self, supervisor: Supervisor, say: Say, *, with_parent: bool) -> None:
        """Listen to the signals, and to the end of our parent, from now on."""
        self._supervisor = supervisor
        self._say = say
        self._task = asyncio.current_task()
        self._parent = os.getppid()
        self.asked = False
        self._heard = False
        self._loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._arrived)
        if with_parent:
            self._watch_parent()

    def _arrived(self) -> None:
        if self.asked or self._task is None:
            self._supervisor.kill()
            return
        self.asked = True
        self._say("stopping; once more to kill")
        self._cancel(self._task)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        """Cancel until that is heard: `wait_for` of Python 3.11 may swallow one."""
        if not self._heard:
            task.cancel()
            self._loop.call_later(_AGAIN, self._cancel, task)

    def heard(self) -> None:
        """From now on the system is being stopped, whatever the reason."""
        self.asked = self._heard = True

    def _watch_parent(self) -> None:
        if self.asked:
            return
        if os.getppid() != self._parent:
            self._arrived()
        else:
            self._loop.call_later(_PARENT_INTERVAL, self._watch_parent)


async def until_stopped(supervisor: Supervisor, say: Say) -> None:
    """Print where Opseer is, then wait for a signal."""
    url = supervisor.settings.url
    if await bootstrap.has_account(supervisor.database_url):
        say(f"Opseer is ready: {url}")
    else:
        code = supervisor.setup_code
        say(f"Opseer is ready: {url} · setup code {code}")
        say(f"Make the first account: {url}/setup?code={code}")
    await asyncio.Event().wait()
