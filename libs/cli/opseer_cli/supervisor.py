"""One machine: servers, services and their order; started, watched and stopped."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

from opseer_cli.credentials import Credentials, admin_seed_file, ensure_setup_code
from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.embedded_postgres import EmbeddedPostgres
from opseer_cli.identities import SERVICES, identities_for
from opseer_cli.layout import Layout
from opseer_cli.ports import is_free
from opseer_cli.processes import OURSELVES, Child, Identity
from opseer_cli.service import Service, Wiring
from opseer_cli.settings import Settings
from opseer_cli.simulator import Simulator
from opseer_common import bootstrap, rights
from opseer_common.errors import ConfigError, OpseerError
from opseer_common.run import end

Say = Callable[[str], None]

_POLL = 0.05
_PATIENCE = 5.0
_SERVICE_TIMEOUT = 60.0
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_HEALTHY_AFTER = 60.0
# Who is stopped together and for how long it may take: 10 s in all, which is what
# a container engine grants before it kills.
_STOPPED = (
    (("gateway", "notifier", "mrr", "collector"), 5.0),
    (("simulator",), 1.0),
    (("nats",), 1.0),
    (("postgres",), 2.5),
)


class Part(Protocol):
    """A process that is kept running: a server or a service."""

    @property
    def child(self) -> Child:
        """Its process."""

    def start(self) -> None:
        """Start it, first time or again."""

    def is_ready(self) -> bool:
        """Return whether it works; OpseerError when it ended."""


class Supervisor:
    """Runs the whole system on one data directory."""

    def __init__(
        self, layout: Layout, settings: Settings, say: Say, simulator: Simulator | None
    ) -> None:
        """Prepare; `simulator` is where demo data come from."""
        self._layout = layout
        self.settings = settings
        self._say = say
        self.simulator = simulator
        self._credentials = Credentials(layout.secrets)
        self._children: dict[str, Child] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self.database_url = settings.database_url or ""
        self._nats_url = settings.nats_url or ""
        self.setup_code = ""

    async def start(self) -> None:
        """Start everything and wait until it is ready.

        Raises ConfigError or OpseerError, with words, for the first part that
        does not come up; the caller stops the rest.
        """
        began = time.monotonic()
        self._check_port()
        self._credentials.ensure()
        self.setup_code = ensure_setup_code(
            self._layout.setup_code, self.settings.setup_code
        )
        # As root this takes a Python's start: meanwhile the servers come up.
        identities = asyncio.create_task(
            asyncio.to_thread(identities_for, self._layout.root)
        )
        await self._start_servers()
        self._say(f"servers ready ({time.monotonic() - began:.1f} s)")
        await migrate(self.database_url, self._nats_url, self._credentials)
        self._say(f"database and bus prepared ({time.monotonic() - began:.1f} s)")
        await self._start_services(await identities)
        self._say(f"services ready ({time.monotonic() - began:.1f} s)")

    def _check_port(self) -> None:
        settings = self.settings
        if not is_free(settings.port, settings.host):
            raise ConfigError(
                f"port {settings.port} on {settings.host} is taken by another "
                "program: stop it, or set OPSEER_PORT"
            )

    async def _start_servers(self) -> None:
        """Start what is not given from outside, in parallel."""
        parts: list[Part] = []
        nats = postgres = None
        if self.settings.nats_url is None:
            accounts = rights.accounts_block(self._credentials.public_keys())
            parts.append(nats := EmbeddedNats(self._layout, accounts))
        if self.settings.database_url is None:
            parts.append(postgres := EmbeddedPostgres(self._layout))
        await _together(self._bring_up(part) for part in parts)
        self._nats_url = nats.url if nats else self._nats_url
        self.database_url = postgres.url if postgres else self.database_url

    async def _start_services(self, identities: Mapping[str, Identity]) -> None:
        """Start the four services, each with what is its own."""
        if os.geteuid() == 0 and OURSELVES in identities.values():
            self._say("services run as root: no other user can read their code")
        wiring = Wiring(
            layout=self._layout,
            credentials=self._credentials,
            database_url=self.database_url,
            nats_url=self._nats_url,
            demo_api_base=self.simulator.url if self.simulator else None,
        )
        if self.simulator is not None:
            self.simulator.when_called(self._wake_simulator)
        services = [Service(name, wiring, identities[name]) for name in SERVICES]
        await _together(self._bring_up(s, _SERVICE_TIMEOUT) for s in services)

    def _wake_simulator(self) -> None:
        """Start the simulator and keep it running: somebody looks at demo data."""
        if self.simulator is not None:
            waking = asyncio.create_task(self._bring_up_later(self.simulator))
            self._keepers.add(waking)

    async def _bring_up_later(self, part: Part) -> None:
        try:
            await self._bring_up(part)
        except OpseerError as error:
            self._say(str(error))

    async def _bring_up(self, part: Part, patience: float = float("inf")) -> None:
        """Start a part, wait until it is ready, and keep it running from then on."""
        await self._start_part(part)
        began = told = time.monotonic()
        while not part.is_ready():
            await asyncio.sleep(_POLL)
            now = time.monotonic()
            log = part.child.command.log
            if now - began > patience:
                raise OpseerError(f"{part.child.name} is not ready; its log: {log}")
            if now - told > _PATIENCE:
                told = now
                self._say(f"still waiting for {part.child.name}; its log: {log}")
        self._keepers.add(asyncio.create_task(self._keep(part)))

    async def _start_part(self, part: Part) -> None:
        """Start a part; once begun this ends, so that no process escapes `stop`."""
        starting = asyncio.ensure_future(asyncio.to_thread(part.start))
        try:
            await asyncio.shield(starting)
        finally:
            if not starting.done():
                await asyncio.wait([starting])
            if starting.exception() is None:
                self._children[part.child.name] = part.child

    async def _keep(self, part: Part) -> None:
        """Start a part again each time it ends, at growing intervals."""
        delay = _FIRST_DELAY
        while True:
            began = time.monotonic()
            status = await part.child.ended()
            if time.monotonic() - began > _HEALTHY_AFTER:
                delay = _FIRST_DELAY
            self._say(
                f"{part.child.name} ended with status {status}, starts again in "
                f"{delay:g} s; its log: {part.child.command.log}"
            )
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
            try:
                await self._start_part(part)
                if isinstance(part, EmbeddedNats):
                    await self._prepare_bus(part)
            except (OpseerError, OSError) as error:
                self._say(f"{part.child.name} does not start: {error}")

    async def _prepare_bus(self, nats: EmbeddedNats) -> None:
        """Lay the streams down again, should they have been lost with their disk."""
        while not nats.is_ready():  # noqa: ASYNC110 - another process
            await asyncio.sleep(_POLL)
        seed_file = admin_seed_file(nats.url, self._credentials)
        await bootstrap.migrate_bus(nats.url, seed_file)

    async def stop(self) -> None:
        """Stop everything in order, within 10 s; what does not listen is killed."""
        if self.simulator is not None:
            self.simulator.close()
        await asyncio.gather(*map(end, self._keepers), return_exceptions=True)
        for names, grace in _STOPPED:
            children = [
                self._children[name] for name in names if name in self._children
            ]
            await asyncio.gather(*(child.stop(grace) for child in children))

    def kill(self) -> None:
        """End everything at once."""
        for child in self._children.values():
            child.kill()


async def migrate(database_url: str, nats_url: str, credentials: Credentials) -> int:
    """Prepare database and bus; return how many migrations ran."""
    done = await bootstrap.migrate_database(database_url, credentials.passwords())
    await bootstrap.migrate_bus(nats_url, admin_seed_file(nats_url, credentials))
    return done


async def _together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of `work`; the first failure ends the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
