"""What Polar's control API has of its own, under `polar` and `polar-sandbox`.

GET    /_control/polar/truth     ?timezone=UTC&from=…&to=… -> PolarTruth
POST   /_control/polar/settings  Settings (see world.py): {"absent": [slugs],
                                 "organizations": 0 or 1}
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from opseer_simulator.channels.control import body_of, days_asked
from opseer_simulator.channels.door import Door
from opseer_simulator.channels.serving import json_response
from opseer_simulator.polar.truth import PolarTruth, count_truth
from opseer_simulator.polar.world import Settings, World


class PolarChannel:
    """A world of Polar behind its door."""

    def __init__(self, world: World, door: Door) -> None:
        self._world = world
        self.door = door

    def state(self) -> dict[str, Any]:
        """Return the organization and the settings."""
        world = self._world
        return {
            "now": world.now(),
            "organization": world.shop().organization,
            "sandbox": world.sandbox,
            "settings": world.settings,
        }

    def truth(self, request: web.Request) -> PolarTruth:
        """Return the truth about the shop in a zone."""
        name = request.query.get("timezone", "UTC")
        now, shop = self._world.now(), self._world.shop()
        between = days_asked(request, now, ZoneInfo(name))
        return count_truth(shop.ledger, name, between, now, shop.rates)

    def posts(self) -> dict[str, Callable[[web.Request], Awaitable[web.Response]]]:
        """Return the controls that only Polar has."""
        return {"settings": self._set}

    async def _set(self, request: web.Request) -> web.Response:
        self._world.settings = await body_of(request, Settings)
        return json_response({})
