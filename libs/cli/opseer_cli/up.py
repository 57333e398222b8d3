"""From start to Ctrl-C: the lock, the orphans, the signals and the last words."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from opseer_cli.embedded_postgres import live_postmaster
from opseer_cli.layout import held, layout_of
from opseer_cli.processes import end_orphans
from opseer_cli.settings import Settings
from opseer_cli.simulator import Simulator, company_of
from opseer_cli.supervisor import Say, Supervisor
from opseer_common import bootstrap
from opseer_common.clock import utc_now

Scene = Callable[[Supervisor], Awaitable[None]]
"""What happens once everything is ready; its end stops the system."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(settings: Settings, say: Say, scene: Scene, *, demo: bool) -> None:
    """Run the system until `scene` ends or a signal arrives; leave no process.

    Raises ConfigError or OpseerError when it does not come up.
    """
    layout = layout_of(settings.data_dir)
    layout.make()
    with held(layout):
        end_orphans(layout.run, say, postmaster=live_postmaster(layout))
        simulator = None
        if demo:
            company = company_of(layout, utc_now().date())
            simulator = Simulator(layout, company, settings.path)
        supervisor = Supervisor(layout, settings, say, simulator)
        say(f"starting on {layout.root}")
        stopped_by_signal = _Stop(supervisor, say)
        try:
            await supervisor.start()
            await scene(supervisor)
        except asyncio.CancelledError:
            if not stopped_by_signal.asked:
                raise
        finally:
            stopped_by_signal.asked = True
            await supervisor.stop()
            say("stopped")


class _Stop:
    """The first signal stops in order, the next one kills."""

    def __init__(self, supervisor: Supervisor, say: Say) -> None:
        """Listen to the signals from now on."""
        self._supervisor = supervisor
        self._say = say
        self._task = asyncio.current_task()
        self.asked = False
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._arrived)

    def _arrived(self) -> None:
        if self.asked or self._task is None:
            self._supervisor.kill()
            return
        self.asked = True
        self._say("stopping; once more to kill")
        self._task.cancel()


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
