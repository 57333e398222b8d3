"""The bundled made-up company as a process, for the demo."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from opseer_cli.layout import Layout
from opseer_cli.ports import LOOPBACK, remembered
from opseer_cli.processes import Child, Command
from opseer_common.errors import ConfigError

_SEED = 1
# Older than the 90 days that are fetched, so that the first day has a past.
_HISTORY = timedelta(days=130)


@dataclass(frozen=True, slots=True)
class Company:
    """What makes the company the same one at each start."""

    epoch: str
    key: str


def company_of(layout: Layout, today: date) -> Company:
    """Return the company of this data directory, made up at the first demo."""
    file = layout.secrets / "demo.json"
    if file.exists():
        try:
            return Company(**json.loads(file.read_bytes()))
        except (ValueError, TypeError):
            raise ConfigError(f"{file} is damaged: delete it") from None
    company = Company(
        epoch=(today - _HISTORY).isoformat(),
        key="rk_test_" + secrets.token_hex(16),
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as output:
        json.dump(asdict(company), output)
    return company


class Simulator:
    """The simulator's process; its port stays the same while it is free."""

    def __init__(self, layout: Layout, company: Company) -> None:
        """Prepare the simulator of `company`."""
        self._layout = layout
        self._ready = layout.run / "simulator.port"
        self.company = company
        self.port = remembered(layout.run / "simulator-port")
        self.child = Child(
            Command(
                name="simulator",
                arguments=(
                    *(sys.executable, "-m", "opseer_simulator"),
                    *("--port", str(self.port), "--port-file", str(self._ready)),
                    *("--seed", str(_SEED), "--epoch", company.epoch),
                    *("--key", company.key),
                ),
                environment={"PATH": os.defpath, "LANG": "C.UTF-8"},
                log=layout.logs / "simulator.log",
            ),
            layout.run,
        )

    @property
    def url(self) -> str:
        """The base of the providers' APIs."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it."""
        self._ready.unlink(missing_ok=True)
        self.child.start()

    def is_ready(self) -> bool:
        """Return whether it listens. ConfigError when it ended."""
        if not self.child.alive:
            raise ConfigError(f"the simulator ended:\n{self.child.last_lines()}")
        return self._ready.exists()
