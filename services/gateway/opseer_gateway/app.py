"""The composition root: the one place that names the gateway's real parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.typedefs import Middleware

from opseer_common.attempts import StoredAttempts
from opseer_common.bus import Bus
from opseer_common.channels import demo_base, polar_sandbox
from opseer_common.clock import utc_now
from opseer_common.contracts import Source
from opseer_common.database import Database
from opseer_common.key_files import PublicFile
from opseer_common.outbox import Relay
from opseer_common.run import Lifetime
from opseer_gateway.actions.accounts import Entrance
from opseer_gateway.actions.alerts import AlertSettings
from opseer_gateway.actions.board import Boards
from opseer_gateway.actions.connections import Connections, Provider
from opseer_gateway.actions.details import Details
from opseer_gateway.actions.people import People
from opseer_gateway.actions.reading import Reading
from opseer_gateway.actions.trends import Trends
from opseer_gateway.api.accounts import AccountRoutes
from opseer_gateway.api.alerts import AlertRoutes
from opseer_gateway.api.details import DetailRoutes
from opseer_gateway.api.figures import FigureRoutes
from opseer_gateway.api.integrations import IntegrationRoutes
from opseer_gateway.api.metrics import MetricsRoute
from opseer_gateway.api.operations import OperationRoutes
from opseer_gateway.api.people import PeopleRoutes
from opseer_gateway.api.trends import TrendRoutes
from opseer_gateway.pages.account.channel_pages import ChannelPages, Channels
from opseer_gateway.pages.account.page import AccountPages, InvitationPages
from opseer_gateway.pages.account.reference import ReferencePage
from opseer_gateway.pages.alert.page import AlertPages
from opseer_gateway.pages.assets import Assets
from opseer_gateway.pages.doors import Doors
from opseer_gateway.pages.entrance import EntrancePages
from opseer_gateway.pages.frame import Frames
from opseer_gateway.pages.overview import OverviewPages
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.pages.revenue.days import DayPages
from opseer_gateway.pages.revenue.history import HistoryPages
from opseer_gateway.pages.revenue.page import RevenuePages
from opseer_gateway.providers.polar import PolarProvider
from opseer_gateway.providers.revenuecat import RevenueCatProvider
from opseer_gateway.providers.stripe import StripeProvider, open_session
from opseer_gateway.settings import Settings
from opseer_gateway.store import sealing_keys
from opseer_gateway.store.accounts import AccountStore
from opseer_gateway.store.alerts import AlertStore
from opseer_gateway.store.board import BoardStore
from opseer_gateway.store.connections import ConnectionStore
from opseer_gateway.store.freshness import FreshnessStore
from opseer_gateway.store.idempotency import IdempotencyStore
from opseer_gateway.store.people import PeopleStore
from opseer_gateway.store.trends import TrendStore
from opseer_gateway.web.bodies import LARGEST, BodyTimer
from opseer_gateway.web.guard import GuardedRunner
from opseer_gateway.web.headers import Headers
from opseer_gateway.web.idempotency import Idempotency
from opseer_gateway.web.kept import Kept
from opseer_gateway.web.metrics import Metrics
from opseer_gateway.web.origins import Origins
from opseer_gateway.web.passwords import Passwords
from opseer_gateway.web.problems import problems
from opseer_gateway.web.remembered import Remembered
from opseer_gateway.web.routes import Route, definitions
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
        await sealing_keys.note(database, PublicFile(settings.sealing_public_file).key)
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
            is_shared=Origins(settings.public_url, settings.trusted_proxies).is_shared,
            access_log=None,
            auto_decompress=False,  # what is compressed is refused
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        await runner.setup()
        lifetime.on_stop(runner.cleanup)
        await web.TCPSite(runner, settings.host, settings.port).start()

    return start


@dataclass(frozen=True, slots=True)
class _Parts:
    """What routes are made of."""

    entrance: Entrance
    people: People
    connections: Connections
    measured: Callable[[], Awaitable[dict[str, int]]]
    store: BoardStore
    reading: Reading
    details: Details
    trends: Trends
    alerts: AlertSettings
    sessions: Sessions
    assets: Assets
    renderer: Renderer
    remembered: Remembered
    kept: Kept
    origins: Origins
    idempotency: Idempotency


def application(
    settings: Settings,
    database: Database,
    bus_ready: Callable[[], Awaitable[bool]],
    on_stop: Callable[[Callable[[], Awaitable[None]]], None],
) -> web.Application:
    """Return the application with every route. What it opens is given to `on_stop`."""
    metrics = Metrics()
    parts = _parts(settings, database, on_stop, metrics)
    probes = {"database": parts.store.is_there, "bus": bus_ready}
    shown = MetricsRoute(metrics, parts.measured, parts.origins, parts.sessions)
    routes = [*_api(parts), *shown.routes()]
    about = OperationRoutes(probes, routes)
    return _routed(
        [*routes, *about.routes(), *_pages(parts, about.document)],
        [
            parts.kept.repeats,
            metrics.middleware,
            problems,
            parts.renderer.nowhere,
            parts.origins.middleware,
            parts.remembered.middleware,
            parts.kept.middleware,
            BodyTimer().middleware,
            parts.idempotency.middleware,
        ],
        secure=settings.secure,
    )


def _parts(
    settings: Settings,
    database: Database,
    on_stop: Callable[[Callable[[], Awaitable[None]]], None],
    metrics: Metrics,
) -> _Parts:
    """Return the actions on their stores and providers."""
    passwords = Passwords()
    on_stop(passwords.close)
    client = open_session()
    on_stop(client.close)
    store = BoardStore(database)
    entrance = Entrance(
        AccountStore(database),
        passwords,
        utc_now,
        setup_code=lambda: settings.setup_code_file.read_text("utf-8").strip(),
        plan=settings.default_plan,
        open_signup=settings.signup == "open",
    )
    remembered = Remembered(entrance)
    sessions = Sessions(remembered, secure=settings.secure)
    assets = Assets()
    connection_store = ConnectionStore(database)
    connections = Connections(
        connection_store,
        providers(client, settings),
        PublicFile(settings.sealing_public_file),
        utc_now,
        has_simulator=settings.demo_api_base is not None,
    )
    return _Parts(
        entrance=entrance,
        people=People(PeopleStore(database), passwords, entrance.new_session, utc_now),
        connections=connections,
        measured=connection_store.measured,
        store=store,
        reading=Reading(store, utc_now),
        details=Details(store, utc_now),
        trends=Trends(TrendStore(database), utc_now),
        alerts=_alerts(settings, database),
        sessions=sessions,
        assets=assets,
        renderer=Renderer(sessions, assets),
        remembered=remembered,
        kept=Kept(sessions, FreshnessStore(database).tag, metrics.count),
        origins=Origins(settings.public_url, settings.trusted_proxies),
        idempotency=Idempotency(IdempotencyStore(database), sessions, utc_now),
    )


def _alerts(settings: Settings, database: Database) -> AlertSettings:
    """Return the alerts; without the notifier's public key none can be added."""
    public = settings.delivery_public_file
    return AlertSettings(
        AlertStore(database),
        PublicFile(public) if public else None,
        utc_now,
        allow_private=settings.allow_private_destinations,
    )


def providers(client: ClientSession, settings: Settings) -> dict[Source, Provider]:
    """Return what tries the keys of each channel."""
    demo = settings.demo_api_base
    sandbox = polar_sandbox(settings.polar_api_base, settings.polar_sandbox_api_base)
    return {
        "stripe": StripeProvider(client, settings.stripe_api_base, demo),
        "revenuecat": RevenueCatProvider(
            client, settings.revenuecat_api_base, demo_base(demo, "revenuecat")
        ),
        "polar": PolarProvider(
            client,
            (settings.polar_api_base, sandbox),
            demo_base(demo, "polar"),
            utc_now,
        ),
    }


def _api(parts: _Parts) -> list[Route]:
    """Return the routes of the API that are about accounts."""
    sessions, origins, reading = parts.sessions, parts.origins, parts.reading
    figures = [
        *FigureRoutes(reading, sessions).routes(),
        *DetailRoutes(parts.details, sessions).routes(),
        *TrendRoutes(parts.trends, sessions).routes(),
    ]
    return [
        *AccountRoutes(parts.entrance, sessions, origins).routes(),
        *PeopleRoutes(parts.people, reading, sessions, origins).routes(),
        *IntegrationRoutes(parts.connections, reading, sessions).routes(),
        *parts.kept.routes(figures),
        *AlertRoutes(parts.alerts, sessions).routes(),
    ]


def _pages(parts: _Parts, api: Mapping[str, Any]) -> list[Route]:
    """Return the routes of the pages; `api` is the OpenAPI document."""
    sessions, origins, connections = parts.sessions, parts.origins, parts.connections
    reading, renderer = parts.reading, parts.renderer
    frames = Frames(reading, utc_now)
    channels = Channels(connections, reading, utc_now)
    doors = Doors(sessions, origins, renderer, frames)
    boards = Boards(parts.store, utc_now)
    revenue = [
        *OverviewPages(
            reading, parts.alerts, connections, sessions, renderer, utc_now
        ).routes(),
        *RevenuePages(boards, connections, sessions, renderer).routes(),
        *DayPages(parts.details, sessions, renderer, frames).routes(),
    ]
    return [
        *ChannelPages(
            connections, reading, channels, sessions, renderer, frames
        ).routes(),
        *AccountPages(parts.entrance, parts.people, channels, doors).routes(),
        *InvitationPages(parts.people, doors).routes(),
        *AlertPages(parts.alerts, reading, doors, utc_now).routes(),
        *ReferencePage(api, sessions, renderer, frames).routes(),
        *EntrancePages(parts.entrance, sessions, origins, renderer).routes(),
        *HistoryPages(parts.trends, reading, sessions, renderer, frames).routes(),
        *parts.kept.routes(revenue),
        *parts.assets.routes(),
    ]


def _routed(
    routes: list[Route], middlewares: list[Middleware], *, secure: bool
) -> web.Application:
    """Return an application of `routes` behind `middlewares`, outermost first."""
    app = web.Application(middlewares=middlewares, client_max_size=LARGEST)
    app.on_response_prepare.append(Headers(secure=secure).add)
    app.add_routes(definitions(routes))
    return app
