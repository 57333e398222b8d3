"""The composition root: the one place that names the gateway's real parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.clock import utc_now
from opseer_common.database import Database
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime
from opseer_common.sealing import read_public_key
from opseer_gateway.actions.accounts import Entrance
from opseer_gateway.actions.connections import Connections
from opseer_gateway.actions.details import Details
from opseer_gateway.actions.reading import Reading
from opseer_gateway.api.accounts import AccountRoutes
from opseer_gateway.api.details import DetailRoutes
from opseer_gateway.api.figures import FigureRoutes
from opseer_gateway.api.integrations import IntegrationRoutes
from opseer_gateway.api.operations import OperationRoutes
from opseer_gateway.pages.dashboard import DashboardPages
from opseer_gateway.pages.days import DayPages
from opseer_gateway.pages.entrance import EntrancePages
from opseer_gateway.pages.rendering import Renderer, stylesheet
from opseer_gateway.providers.stripe import StripeProvider, open_session
from opseer_gateway.settings import Settings
from opseer_gateway.store.accounts import AccountStore
from opseer_gateway.store.connections import ConnectionStore
from opseer_gateway.store.details import DetailStore
from opseer_gateway.web.bodies import LARGEST, BodyTimer
from opseer_gateway.web.guard import GuardedRunner
from opseer_gateway.web.headers import Headers
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.passwords import Passwords
from opseer_gateway.web.problems import problems
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_SHUTDOWN_SECONDS = 3.0
_KEEP_ALIVE_SECONDS = 75.0
# How long the rest of a refused body is read, so that the refusal can arrive.
_LINGER_SECONDS = 1.0


def build(settings: Settings) -> Callable[[Lifetime], Awaitable[None]]:
    """Return what builds the gateway inside a lifetime."""

    async def start(lifetime: Lifetime) -> None:
        database = await Database.connect(settings.database_url)
        lifetime.on_stop(database.close)
        bus = Bus(
            "gateway",
            settings.nats_url,
            settings.nats_seed_file,
            StoredAttempts(database, "gateway"),
        )
        await bus.start()
        lifetime.on_stop(bus.stop)
        lifetime.watch(bus.refused)
        relay = Relay(database, "gateway", bus.publish)
        lifetime.background(relay.run(), "relay")
        runner = GuardedRunner(
            application(settings, database, bus.ready, lifetime.on_stop),
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        await runner.setup()
        lifetime.on_stop(runner.cleanup)
        await web.TCPSite(runner, settings.host, settings.port).start()

    return start


def application(
    settings: Settings,
    database: Database,
    bus_ready: Callable[[], Awaitable[bool]],
    on_stop: Callable[[Callable[[], Awaitable[None]]], None],
) -> web.Application:
    """Return the application with every route. What it opens is given to `on_stop`."""
    passwords = Passwords()
    on_stop(passwords.close)
    client = open_session()
    on_stop(client.close)
    store = DetailStore(database)
    entrance = Entrance(
        AccountStore(database),
        passwords,
        utc_now,
        setup_code=lambda: settings.setup_code_file.read_text("utf-8").strip(),
        plan=settings.default_plan,
        open_signup=settings.signup == "open",
    )
    stripe = StripeProvider(client, settings.stripe_api_base, settings.demo_api_base)
    connections = Connections(
        ConnectionStore(database),
        {"stripe": stripe},
        read_public_key(settings.sealing_public_file),
        utc_now,
    )
    reading = Reading(store, utc_now)
    details = Details(store, utc_now)
    sessions = Sessions(entrance, secure=settings.secure)
    origins = Origins(settings.public_url, settings.trusted_proxies)
    routes = [
        *AccountRoutes(entrance, sessions, origins).routes(),
        *IntegrationRoutes(connections, reading, sessions).routes(),
        *FigureRoutes(reading, sessions).routes(),
        *DetailRoutes(details, sessions).routes(),
    ]
    probes = {"database": store.is_there, "bus": bus_ready}
    operations = OperationRoutes(probes, routes).routes()
    renderer = Renderer(sessions)
    pages = [
        *EntrancePages(entrance, sessions, origins, renderer).routes(),
        *DashboardPages(connections, reading, sessions, renderer).routes(),
        *DayPages(details, sessions, renderer).routes(),
        stylesheet(),
    ]
    return _routed([*routes, *operations, *pages], origins, secure=settings.secure)


def _routed(routes: list[Route], origins: Origins, *, secure: bool) -> web.Application:
    """Return an application with the gateway's middlewares and `routes`."""
    app = web.Application(
        middlewares=[problems, origins.middleware, BodyTimer().middleware],
        client_max_size=LARGEST,
    )
    app.on_response_prepare.append(Headers(secure=secure).add)
    app.add_routes([route.definition() for route in routes])
    return app
