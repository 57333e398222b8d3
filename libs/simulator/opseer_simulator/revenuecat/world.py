"""RevenueCat's projects over the company: the app, another one, and web sales."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal

import msgspec

from opseer_simulator.channels.ledger import ChannelLedger
from opseer_simulator.channels.rates import Rates
from opseer_simulator.channels.trade import Standing
from opseer_simulator.office import midnight
from opseer_simulator.revenuecat.app import APP_STORE, App, Purchase
from opseer_simulator.revenuecat.stories import open_app
from opseer_simulator.revenuecat.web_sales import STRIPE, web_ledger, web_purchases
from opseer_simulator.simulation import Simulation

_NAMES = ("Lumen for iOS", "Lumen Kids", "Lumen Pro")
_SEEDS = 1000
# Enough for every story to be told.
_LEAST = 60


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """How charts are written: v3 rows or v2 rows, cohorts in seconds or milliseconds.

    None = as asked for: v3 unless `realtime=false`. `movements`: `net` = what was lost
    is net of what came back and above zero; `apart` = both are told, losses below zero.
    `overview`: its money to the cent, or in `whole` units as it has been seen.
    """

    rows: Literal["v2"] | None = None
    unit: Literal["s", "ms"] = "s"
    movements: Literal["net", "apart"] = "net"
    overview: Literal["exact", "whole"] = "exact"


class Project:
    """An app with its id at RevenueCat."""

    def __init__(self, seed: int, opened: int, size: int, name: str) -> None:
        digest = blake2b(f"project:{seed}".encode(), digest_size=4).hexdigest()
        self.id = f"proj{digest}"
        self.name = name
        self.created = opened
        self.rates = Rates(seed)
        self._standing = Standing(lambda: open_app(seed, opened, size))

    def app(self, now: int) -> App:
        """Return the app as it stands at a unix second."""
        return self._standing.at(now)


class World:
    """What a RevenueCat account shows: `count` projects, with Stripe's sales or not."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        opened = midnight(simulation.epoch)
        self._all = [
            Project(
                simulation.seed + _SEEDS * (number + 1),
                opened,
                max(simulation.customers // (number + 1), _LEAST),
                name,
            )
            for number, name in enumerate(_NAMES)
        ]
        self.count = 1
        self.sells_on_stripe = False
        self.shape = Shape()

    @property
    def projects(self) -> list[Project]:
        """The projects there are."""
        return self._all[: self.count]

    @property
    def most(self) -> int:
        """How many projects there can be."""
        return len(self._all)

    def now(self) -> int:
        """Return the present unix second."""
        return self._simulation.now()

    def places(self, project: Project) -> tuple[str, ...]:
        """Return the stores a project sells in."""
        return (APP_STORE, STRIPE) if self._has_web(project) else (APP_STORE,)

    def purchases(self, project: Project) -> Iterator[Purchase]:
        """Yield all purchases of a project up to now."""
        yield from project.app(self.now()).purchases
        if self._has_web(project):
            books = self._simulation.books()
            yield from web_purchases(books.ledger, project.rates)

    def ledger(self, project: Project) -> ChannelLedger:
        """Return what happened at a project up to now, in the order of time."""
        own = project.app(self.now()).ledger
        if not self._has_web(project):
            return own
        web = web_ledger(self._simulation.books().ledger, project.rates)
        both = ChannelLedger()
        for name in ("sales", "refunds", "worths", "steps"):
            events = [*getattr(own, name), *getattr(web, name)]
            getattr(both, name).extend(sorted(events, key=lambda event: event.at))
        return both

    def _has_web(self, project: Project) -> bool:
        return self.sells_on_stripe and project is self._all[0]
