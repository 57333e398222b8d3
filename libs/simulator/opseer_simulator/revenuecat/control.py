"""What RevenueCat's control API has of its own.

    GET    /_control/revenuecat/truth     ?project=…&currency=USD&from=…&to=…
                                          &stores=app_store,stripe -> RevenueCatTruth
    POST   /_control/revenuecat/projects  {"count": 1, 2 or 3}
    POST   /_control/revenuecat/stores    {"stripe": true | false}
    POST   /_control/revenuecat/shape     a Shape (see world.py)

Without `project` the truth is that of the first one, without `stores` of all it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from opseer_simulator.channels.control import bad_request, body_of, days_asked
from opseer_simulator.channels.door import Door
from opseer_simulator.channels.serving import json_response
from opseer_simulator.revenuecat.truth import Asked, RevenueCatTruth, count_truth
from opseer_simulator.revenuecat.world import Shape, World


class _Projects(msgspec.Struct, forbid_unknown_fields=True):
    count: int


class _Stores(msgspec.Struct, forbid_unknown_fields=True):
    stripe: bool


class RevenueCatChannel:
    """RevenueCat's world behind its door."""

    def __init__(self, world: World, door: Door) -> None:
        self._world = world
        self.door = door

    def state(self) -> dict[str, Any]:
        """Return the projects, the stores and the shape of charts."""
        world = self._world
        return {
            "now": world.now(),
            "projects": [each.id for each in world.projects],
            "stripe": world.sells_on_stripe,
            "shape": world.shape,
        }

    def truth(self, request: web.Request) -> RevenueCatTruth:
        """Return the truth about a project."""
        world, query = self._world, request.query
        wanted = query.get("project", world.projects[0].id)
        project = next((p for p in world.projects if p.id == wanted), None)
        if project is None:
            raise ValueError(f"no project {wanted}")
        now = world.now()
        first, last = days_asked(request, now, ZoneInfo("UTC"))
        stores = query.get("stores")
        places = tuple(stores.split(",")) if stores else world.places(project)
        asked = Asked(first, last, query.get("currency", "USD").lower(), places)
        return count_truth(world.ledger(project), asked, project.rates, now)

    def posts(self) -> dict[str, Callable[[web.Request], Awaitable[web.Response]]]:
        """Return the controls that only RevenueCat has."""
        return {
            "projects": self._projects,
            "stores": self._stores,
            "shape": self._shape,
        }

    async def _projects(self, request: web.Request) -> web.Response:
        count = (await body_of(request, _Projects)).count
        if not 0 <= count <= self._world.most:
            raise bad_request(ValueError(f"0 to {self._world.most} projects"))
        self._world.count = count
        return json_response({})

    async def _stores(self, request: web.Request) -> web.Response:
        self._world.sells_on_stripe = (await body_of(request, _Stores)).stripe
        return json_response({})

    async def _shape(self, request: web.Request) -> web.Response:
        self._world.shape = await body_of(request, Shape)
        return json_response({})
