"""Tenants on one gateway, and a gateway that has lost its own filter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from typing_extensions import override

from opseer_common import sealing
from opseer_common.database import Connection, Database
from opseer_common.testing.gateway import RunningGateway
from opseer_common.testing.servers import FreshDatabase
from opseer_common.testing.tenants import Tenant, furnish
from opseer_gateway.app import application
from opseer_gateway.settings import Settings

Table = list[tuple[str, str]]
"""Methods and paths."""


class Bound(Database):
    """Works for one account, whichever is asked for: what is left is row security."""

    account_id: UUID | None = None

    @override
    @asynccontextmanager
    async def transaction(
        self, account_id: UUID | None = None
    ) -> AsyncIterator[Connection]:
        """Run a transaction for the one account."""
        of = self.account_id if account_id is not None else None
        async with super().transaction(of) as connection:
            yield connection

    @override
    @asynccontextmanager
    async def snapshot(self, account_id: UUID) -> AsyncIterator[Connection]:
        """Read for the one account."""
        async with super().snapshot(self.account_id or account_id) as connection:
            yield connection


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tenants(shared_gateway: RunningGateway) -> tuple[Tenant, Tenant]:
    """Return two tenants with everything."""
    return (
        await furnish(shared_gateway.admin_url, 1),
        await furnish(shared_gateway.admin_url, 2),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bound(
    module_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[web.Application, Bound]]:
    """Return the application on a database that is bound to an account."""
    folder = tmp_path_factory.mktemp("bound")
    public = folder / "public.json"
    public.write_bytes(sealing.public_document(sealing.generate().public()))
    settings = Settings(
        database_url=module_database.login_url("gateway"),
        nats_url="",
        sealing_public_file=public,
        setup_code_file=Path(),
    )
    opened = await Database.connect(settings.database_url)
    database = Bound(opened._pool, opened.url)
    ends: list[Callable[[], Awaitable[None]]] = [opened.close]

    async def ready() -> bool:
        return True

    yield application(settings, database, ready, ends.append), database
    for end in reversed(ends):
        await end()


@pytest.fixture
def table(bound: tuple[web.Application, Bound]) -> Table:
    """Return every route that the application has; "*" are those that refuse."""
    app, _ = bound
    found = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "*"
    }
    return sorted(found)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unfiltered(
    bound: tuple[web.Application, Bound], shared_gateway: RunningGateway
) -> AsyncIterator[RunningGateway]:
    """Return a gateway on that database."""
    app, _ = bound
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        yield RunningGateway(
            url,
            shared_gateway.session,
            shared_gateway.provider_url,
            shared_gateway.admin_url,
        )
