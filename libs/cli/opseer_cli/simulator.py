"""The bundled made-up company as a process, for demo data."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from opseer_cli.layout import Layout
from opseer_cli.ports import LOOPBACK, remembered
from opseer_cli.processes import Child, Command
from opseer_common.clock import Clock
from opseer_common.demo_account import DEMO_KEY, DEMO_KEYS
from opseer_common.errors import ConfigError

_SEED = 1
# Older than the 90 days that are fetched, so that the first day has a past.
_HISTORY = timedelta(days=130)
_BACKLOG = 64
# A company stays the one that it was made up as. In what a demo shows, no figure is
# missing because nobody can convert it.
_STORIES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "full": ("--without", "never_paid_currency", "--customers", "200"),
}


@dataclass(frozen=True, slots=True)
class Company:
    """What makes the company the same one at each start."""

    epoch: str
    key: str
    stories: str = "plain"


def company_of(layout: Layout, today: date) -> Company:
    """Return the company of this data directory, made up when it is first asked for."""
    file = layout.secrets / "demo.json"
    if file.exists():
        try:
            return Company(**json.loads(file.read_bytes()))
        except (ValueError, TypeError):
            raise ConfigError(f"{file} is damaged: delete it") from None
    company = Company(
        epoch=(today - _HISTORY).isoformat(),
        key=DEMO_KEY,
        stories="full",
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as output:
        json.dump(asdict(company), output)
    return company


class Simulator:
    """Listens from the start; its process is started by the first call to it.

    Who never looks at demo data does not pay for it: 56 MB and two seconds of work.
    The port stays the same while it is free.
    """

    def __init__(self, layout: Layout, clock: Clock) -> None:
        """Listen. The company is made up when it is first looked at."""
        self._layout = layout
        self._clock = clock
        self._ready = layout.run / "simulator.port"
        port = remembered(layout.run / "simulator-port")
        self._socket = socket.create_server((LOOPBACK, port), backlog=_BACKLOG)
        self.url = f"http://{LOOPBACK}:{port}"
        self._child: Child | None = None

    def when_called(self, act: Callable[[], None]) -> None:
        """Call `act` once, at the first call that waits to be answered."""
        loop = asyncio.get_running_loop()

        def called() -> None:
            loop.remove_reader(self._socket)
            act()

        loop.add_reader(self._socket, called)

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    @property
    def child(self) -> Child:
        """Its process, once it was started."""
        if self._child is None:
            self._child = self._made_up()
        return self._child

    def start(self) -> None:
        """Start it."""
        self._ready.unlink(missing_ok=True)
        self.child.start()

    def is_ready(self) -> bool:
        """Return whether it answers. ConfigError when it ended."""
        if not self.child.alive:
            raise ConfigError(f"the simulator ended:\n{self.child.last_lines()}")
        return self._ready.exists()

    def _made_up(self) -> Child:
        company = company_of(self._layout, self._clock().date())
        keys = dict.fromkeys((company.key, DEMO_KEY))
        return Child(
            Command(
                name="simulator",
                arguments=(
                    *(sys.executable, "-m", "opseer_simulator"),
                    *("--socket", str(self._socket.fileno())),
                    *("--port-file", str(self._ready)),
                    *("--seed", str(_SEED), "--epoch", company.epoch),
                    *("--stories", company.stories, *_STORIES.get(company.stories, ())),
                    *(word for key in keys for word in ("--key", key)),
                    *("--revenuecat-key", DEMO_KEYS["revenuecat"]),
                    *("--polar-key", DEMO_KEYS["polar"]),
                ),
                environment={"PATH": os.defpath, "LANG": "C.UTF-8"},
                log=self._layout.logs / "simulator.log",
                inherited=(self._socket.fileno(),),
            ),
            self._layout.run,
        )
