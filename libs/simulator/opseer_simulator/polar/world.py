"""Polar's two environments over the company: the shop, and a sandbox of its own."""

from __future__ import annotations

import msgspec

from opseer_simulator.channels.trade import Standing
from opseer_simulator.office import midnight
from opseer_simulator.polar.shop import Shop
from opseer_simulator.polar.stories import open_shop
from opseer_simulator.simulation import Simulation

_SEED = 5000
_SANDBOX_SEED = 6000
# Enough for every story to be told.
_LEAST = 60


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """What the account shows: slugs without a value, and whether it has a shop."""

    absent: list[str] = msgspec.field(default_factory=list)
    organizations: int = 1


class World:
    """A shop in one environment."""

    def __init__(self, simulation: Simulation, *, sandbox: bool) -> None:
        self._simulation = simulation
        self.sandbox = sandbox
        self.settings = Settings()
        seed = simulation.seed + (_SANDBOX_SEED if sandbox else _SEED)
        opened = midnight(simulation.epoch)
        size = max(simulation.customers // (4 if sandbox else 2), _LEAST)
        self._standing = Standing(lambda: open_shop(seed, opened, size))

    def now(self) -> int:
        """Return the present unix second."""
        return self._simulation.now()

    def shop(self) -> Shop:
        """Return the shop as it stands now."""
        return self._standing.at(self.now())
