"""One Postgres and one NATS per session, a fresh database and bus per test.

DATABASE_URL and NATS_URL name servers to use (OPSEER_SECRETS_DIR the seeds that such a
bus knows); without them embedded ones start. A test that needs them asks for `database`
or `bus`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import nats
import pytest
import pytest_asyncio

from opseer_cli.credentials import Credentials, admin_seed_file
from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.embedded_postgres import EmbeddedPostgres, live_postmaster
from opseer_cli.layout import Layout, held, holder_of, layout_of
from opseer_cli.processes import end_orphans
from opseer_common import bootstrap, rights, topology
from opseer_common.testing.servers import FreshBus, FreshDatabase, Servers

_PREFIX = "opseer-test-"
_START_TIMEOUT = 30.0
_ROOM = 1 << 30


@pytest.fixture(scope="session")
def data_directory() -> Iterator[Layout]:
    """Return the session's data directory, locked, and removed at the end.

    It is not below pytest's own folder, which is closed to the user that Postgres
    runs as when root runs the tests.
    """
    for folder in _scratch().glob(f"{_PREFIX}*"):
        _clear_left_over(folder)
    # `kill` and `timeout` end pytest this way: fixtures still clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    layout = _made(_PREFIX)
    with held(layout):
        yield layout
    shutil.rmtree(layout.root)


@pytest.fixture(scope="session")
def server_credentials(data_directory: Layout) -> Credentials:
    """Return the passwords and seeds that the session's servers know."""
    given = os.environ.get("OPSEER_SECRETS_DIR")  # noqa: TID251 - a test's setting
    credentials = Credentials(Path(given) if given else data_directory.secrets)
    credentials.ensure()
    return credentials


@pytest.fixture(scope="session")
def servers(
    data_directory: Layout, server_credentials: Credentials
) -> Iterator[Servers]:
    """Return the session's servers."""
    credentials = server_credentials
    with ExitStack() as stack:
        database_url = os.environ.get("DATABASE_URL")  # noqa: TID251 - a test's setting
        nats_url = os.environ.get("NATS_URL")  # noqa: TID251 - a test's setting
        if database_url is None:
            postgres = EmbeddedPostgres(data_directory, fast=True)
            _start(postgres, stack)
            database_url = postgres.url
        if nats_url is None:
            accounts = rights.accounts_block(credentials.public_keys())
            bus = EmbeddedNats(data_directory, accounts)
            _start(bus, stack)
            nats_url = bus.url
        own_login = admin_seed_file(nats_url, credentials) is None
        seeds = {user: credentials.seed_file(user) for user in rights.USERS}
        yield Servers(
            database_url, nats_url, credentials.passwords(), {} if own_login else seeds
        )


def _start(server: EmbeddedPostgres | EmbeddedNats, stack: ExitStack) -> None:
    """Start a server and wait for it; `stack` ends it."""
    server.start()
    stack.callback(lambda: asyncio.run(server.child.stop(5)))
    deadline = time.monotonic() + _START_TIMEOUT
    while not server.is_ready():
        assert time.monotonic() < deadline, server.child.last_lines()
        time.sleep(0.02)


def _scratch() -> Path:
    """Return where data directories go: in memory where there is room."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made in it
    try:
        if shutil.disk_usage(memory).free > _ROOM and os.access(memory, os.W_OK):
            return memory
    except OSError:
        pass
    return Path(tempfile.gettempdir())


def _made(prefix: str) -> Layout:
    """Return a new data directory."""
    layout = layout_of(Path(tempfile.mkdtemp(prefix=prefix, dir=_scratch())))
    layout.root.rmdir()  # so that it is made as a user's is
    layout.make()
    return layout


def _clear_left_over(folder: Path) -> None:
    """End what a killed test session left in `folder`."""
    layout = layout_of(folder)
    mine = folder.stat().st_uid == os.geteuid()
    if mine and (layout.run / "lock").exists() and holder_of(layout) is None:
        end_orphans(layout.run, print, postmaster=live_postmaster(layout))
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def layout() -> Iterator[Layout]:
    """Return an empty data directory; what still runs on it at the end is ended."""
    layout = _made("opseer-one-")
    yield layout
    end_orphans(layout.run, print, postmaster=live_postmaster(layout))
    shutil.rmtree(layout.root)


@pytest.fixture(scope="module")
def module_layout() -> Iterator[Layout]:
    """Return a data directory for all tests of a module."""
    layout = _made("opseer-one-")
    yield layout
    end_orphans(layout.run, print, postmaster=live_postmaster(layout))
    shutil.rmtree(layout.root)


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    """Return the name of a migrated database that others are copied from."""
    name = f"template_{uuid4().hex}"

    async def make() -> None:
        await _execute(servers.database_url, f"CREATE DATABASE {name}")
        url = _with_database(servers.database_url, name)
        await bootstrap.migrate_database(url, servers.passwords)

    asyncio.run(make())
    yield name
    asyncio.run(_execute(servers.database_url, f"DROP DATABASE {name} (FORCE)"))


@pytest.fixture
async def database(servers: Servers, template: str) -> AsyncIterator[FreshDatabase]:
    """Return a migrated database of this test alone."""
    async with _fresh(servers, template) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_database(
    servers: Servers, template: str
) -> AsyncIterator[FreshDatabase]:
    """Return a migrated database for all tests of a module, on the module's loop."""
    async with _fresh(servers, template) as made:
        yield made


@pytest.fixture
async def other_database(
    servers: Servers, template: str
) -> AsyncIterator[FreshDatabase]:
    """Return one more."""
    async with _fresh(servers, template) as made:
        yield made


@pytest.fixture
async def bare_database(servers: Servers) -> AsyncIterator[FreshDatabase]:
    """Return a database that is not migrated."""
    async with _fresh(servers, "template1") as made:
        yield made


@asynccontextmanager
async def _fresh(servers: Servers, template: str) -> AsyncIterator[FreshDatabase]:
    name = f"test_{uuid4().hex}"
    await _execute(
        servers.database_url,
        f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY",
    )
    yield FreshDatabase(_with_database(servers.database_url, name), servers.passwords)
    await _execute(servers.database_url, f"DROP DATABASE {name} (FORCE)")


@pytest.fixture
async def bus(servers: Servers) -> FreshBus:
    """Return the bus with fresh streams and durables."""
    return await _fresh_bus(servers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_bus(servers: Servers) -> FreshBus:
    """Return the bus for all tests of a module, on the module's loop."""
    return await _fresh_bus(servers)


async def _fresh_bus(servers: Servers) -> FreshBus:
    seed = servers.seeds.get(rights.ADMIN)
    client = await nats.connect(
        servers.nats_url,
        nkeys_seed=str(seed) if seed else None,
        inbox_prefix=rights.inbox_prefix(rights.ADMIN).encode(),
    )
    context = client.jetstream()
    for stream in await context.streams_info():
        assert stream.config.name is not None
        await context.delete_stream(stream.config.name)
    await topology.apply(context)
    await client.close()
    return FreshBus(servers.nats_url, servers.seeds)


async def _execute(url: str, statement: str) -> None:
    """Run one statement outside a transaction."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _with_database(url: str, name: str) -> str:
    """Return `url` with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
