"""The composition root: the only place that names the real parts."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp

from opseer_collector import consumers
from opseer_collector.actions import Collecting, Histories
from opseer_collector.domain.fetching import Environment, Provider
from opseer_collector.providers.polar.collect import PolarProvider
from opseer_collector.providers.revenuecat.collect import RevenueCatProvider
from opseer_collector.providers.session import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_collector.providers.stripe.history import StripeHistory
from opseer_collector.schedule import (
    LOOK_SECONDS,
    ROUND_SECONDS,
    SWEEP_SECONDS,
    Rounds,
    Runner,
)
from opseer_collector.settings import Settings
from opseer_collector.store import sealing_keys
from opseer_collector.store.connections import Connections
from opseer_collector.store.history import HistoryStore
from opseer_collector.store.publishing import Publisher
from opseer_collector.store.rows import Rows
from opseer_collector.store.runs import SCHEMA, Runs
from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.channels import demo_base, polar_sandbox
from opseer_common.clock import Clock, utc_now
from opseer_common.contracts import Source
from opseer_common.database import Database
from opseer_common.key_files import RingFile
from opseer_common.key_vault import VaultTransit, Wrapper
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime, every

SERVICE: Final = "collector"


def build(
    settings: Settings, clock: Clock = utc_now
) -> Callable[[Lifetime], Awaitable[None]]:
    """Return what starts the service inside a lifetime."""

    async def start(lifetime: Lifetime) -> None:
        keys = await asyncio.to_thread(
            RingFile, settings.sealing_key_file, _vault(settings)
        )
        database = await Database.connect(settings.database_url, size=16)
        lifetime.on_stop(database.close)
        await sealing_keys.check(database, keys.ring)
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
        stripe = (session, _bases(settings), settings.stripe_rate)
        stores = (runs, Rows(database), Publisher(database))
        collecting = Collecting(
            stores,
            providers(session, settings),
            keys.open,
            bus.announce,
            clock,
            histories=Histories(
                HistoryStore(database),
                {"stripe": StripeHistory(*stripe)},
                stores,
                bus.announce,
                clock,
            ),
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


def _vault(settings: Settings) -> Wrapper | None:
    """Return the vault that wraps the sealing keys, where one is set."""
    if settings.vault_address is None or settings.vault_token_file is None:
        return None
    return VaultTransit(
        settings.vault_address, settings.vault_key, settings.vault_token_file
    )


def providers(
    session: aiohttp.ClientSession, settings: Settings
) -> dict[str, Provider]:
    """Return every channel: a folder of providers/ each, and a line here."""
    return {
        "stripe": StripeProvider(session, _bases(settings), settings.stripe_rate),
        "revenuecat": RevenueCatProvider(
            session,
            {"live": settings.revenuecat_api_base, **_demo(settings, "revenuecat")},
        ),
        "polar": PolarProvider(session, _polar_bases(settings)),
    }


def _bases(settings: Settings) -> dict[Environment, str]:
    """Return the server of each environment of Stripe."""
    return {
        "live": settings.stripe_api_base,
        "test": settings.stripe_api_base,
        **_demo(settings, "stripe"),
    }


def _polar_bases(settings: Settings) -> dict[Environment, str]:
    """Return the server of each environment of Polar; test is its sandbox."""
    bases: dict[Environment, str] = {
        "live": settings.polar_api_base,
        **_demo(settings, "polar"),
    }
    sandbox = polar_sandbox(settings.polar_api_base, settings.polar_sandbox_api_base)
    if sandbox is not None:
        bases["test"] = sandbox
    return bases


def _demo(settings: Settings, source: Source) -> dict[Environment, str]:
    """Return the bundled company's server for a source; none where it is not set."""
    base = demo_base(settings.demo_api_base, source)
    return {} if base is None else {"demo": base}
