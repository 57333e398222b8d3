"""The other two channels at their paths, beside Stripe's API.

/revenuecat/v2/…        RevenueCat
/polar/v1/…             Polar
/polar-sandbox/v1/…     Polar's sandbox, another shop with tokens of its own
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from opseer_simulator.channels.control import add_channel
from opseer_simulator.polar.api import polar_app, polar_door
from opseer_simulator.polar.control import PolarChannel
from opseer_simulator.polar.world import World as PolarWorld
from opseer_simulator.revenuecat.api import revenuecat_app, revenuecat_door
from opseer_simulator.revenuecat.control import RevenueCatChannel
from opseer_simulator.revenuecat.world import World
from opseer_simulator.simulation import Simulation


@dataclass(frozen=True, slots=True)
class ChannelKeys:
    """The keys that open each channel; none: nothing does."""

    revenuecat: tuple[str, ...] = ()
    polar: tuple[str, ...] = ()
    polar_sandbox: tuple[str, ...] = ()


NO_CHANNELS = ChannelKeys()


def mount_channels(
    app: web.Application, simulation: Simulation, keys: ChannelKeys
) -> None:
    """Add RevenueCat's and Polar's APIs and their control APIs to an application."""
    _mount_revenuecat(app, simulation, keys.revenuecat)
    _mount_polar(app, simulation, keys.polar, sandbox=False)
    _mount_polar(app, simulation, keys.polar_sandbox, sandbox=True)


def _mount_revenuecat(
    app: web.Application, simulation: Simulation, keys: tuple[str, ...]
) -> None:
    world, door = World(simulation), revenuecat_door(keys)
    channel = RevenueCatChannel(world, door)
    add_channel(app, "revenuecat", channel, channel.posts())
    app.add_subapp("/revenuecat", revenuecat_app(world, door))


def _mount_polar(
    app: web.Application,
    simulation: Simulation,
    keys: tuple[str, ...],
    *,
    sandbox: bool,
) -> None:
    world = PolarWorld(simulation, sandbox=sandbox)
    door = polar_door(keys, sandbox=sandbox)
    channel = PolarChannel(world, door)
    name = "polar-sandbox" if sandbox else "polar"
    add_channel(app, name, channel, channel.posts())
    app.add_subapp(f"/{name}", polar_app(world, door))
