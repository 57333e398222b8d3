"""The composition root: the only place that names the real parts."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from opseer_collector import consumers
from opseer_collector.actions import Collecting
from opseer_collector.domain.fetching import Environment
from opseer_collector.providers.stripe.client import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_collector.schedule import (
    LOOK_SECONDS,
    ROUND_SECONDS,
    SWEEP_SECONDS,
    Rounds,
    Runner,
)
from opseer_collector.settings import Settings
from opseer_collector.store.connections import Connections
from opseer_collector.store.publishing import Publisher
from opseer_collector.store.rows import Rows
from opseer_collector.store.runs import SCHEMA, Runs
from opseer_common import sealing
from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.clock import Clock, utc_now
from opseer_common.database import Database
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime, every

SERVICE: Final = "collector"


def build(
    settings: Settings, clock: Clock = utc_now
) -> Callable[[Lifetime], Awaitable[None]]:
    """Return what starts the service inside a lifetime."""

    async def start(lifetime: Lifetime) -> None:
        ring = sealing.read_key_ring(settings.sealing_key_file)
        database = await Database.connect(settings.database_url, size=16)
        lifetime.on_stop(database.close)
        session = open_session()
        lifetime.on_stop(session.close)
        bus = Bus(
            SERVICE,
            settings.nats_url,
            settings.nats_seed_file,
            StoredAttempts(database, SCHEMA),
        )
        connections = Connections(database)
        runs = Runs(database, f"{socket.gethostname()}:{os.getpid()}")
        provider = StripeProvider(session, _bases(settings), settings.stripe_rate)
        collecting = Collecting(
            (runs, Rows(database), Publisher(database)),
            {"stripe": provider},
            ring.open,
            bus.announce,
            clock,
        )
        runner = Runner(runs, collecting, clock)
        consumers.subscribe(bus, connections, clock, runner.look)
        await bus.start()
        lifetime.on_stop(bus.stop)
        lifetime.watch(bus.refused)

        rounds = Rounds(connections, clock)
        lifetime.on_stop(runner.stop)
        lifetime.background(Relay(database, SCHEMA, bus.publish).run(), "relay")
        lifetime.background(every(LOOK_SECONDS, runner.look), "runner")
        lifetime.background(every(ROUND_SECONDS, rounds.start_due), "rounds")
        lifetime.background(every(SWEEP_SECONDS, rounds.sweep), "sweep")

    return start


def _bases(settings: Settings) -> dict[Environment, str]:
    """Return the server of each environment of Stripe; none for an unset demo."""
    bases: dict[Environment, str] = {
        "live": settings.stripe_api_base,
        "test": settings.stripe_api_base,
    }
    if settings.demo_api_base is not None:
        bases["demo"] = settings.demo_api_base
    return bases
