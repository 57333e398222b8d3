"""The embedded servers: cold start, kill -9, refusals, orphans."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import asyncpg
import nats
import pytest
from nats.js.api import StreamConfig

from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.embedded_postgres import EmbeddedPostgres, live_postmaster
from opseer_cli.layout import Layout
from opseer_cli.processes import end_orphans
from opseer_common.errors import ConfigError

_OPEN_BUS = "accounts {\n  A { jetstream: enabled, users: [{user: a, password: b}] }\n}"
Server = EmbeddedNats | EmbeddedPostgres
Start = Callable[[Server], None]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what starts a server and waits until it works; its end is sure."""
    with ExitStack() as stack:

        def start_and_wait(server: Server) -> None:
            server.start()
            stack.callback(server.child.kill)
            deadline = time.monotonic() + 30
            while not server.is_ready():
                assert time.monotonic() < deadline, server.child.last_lines()
                time.sleep(0.02)

        yield start_and_wait


async def fetch(server: EmbeddedPostgres, query: str) -> object:
    """Return the first value of a query."""
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_postgres_is_durable_and_silent(layout: Layout, start: Start) -> None:
    """A cold start gives a Postgres 18 that keeps commits and logs no values."""
    server = EmbeddedPostgres(layout)
    start(server)
    assert {
        name: await fetch(server, f"SHOW {name}")
        for name in (
            "server_encoding",
            "data_checksums",
            "fsync",
            "synchronous_commit",
            "log_parameter_max_length",
            "log_parameter_max_length_on_error",
            "unix_socket_directories",
            "listen_addresses",
            "password_encryption",
        )
    } == {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "unix_socket_directories": "",
        "listen_addresses": "127.0.0.1",
        "password_encryption": "scram-sha-256",
    }
    assert str(await fetch(server, "SHOW server_version")).startswith("18.")


async def test_postgres_asks_for_the_password(layout: Layout, start: Start) -> None:
    """A login without the right password is refused."""
    server = EmbeddedPostgres(layout, fast=True)
    start(server)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url.replace("opseer_admin:", "opseer_admin:x"))


async def test_commits_survive_a_kill(layout: Layout, start: Start) -> None:
    """What was committed is there after kill -9 and a second start."""
    server = EmbeddedPostgres(layout)
    start(server)
    await fetch(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.child.kill()
    again = EmbeddedPostgres(layout)
    start(again)
    assert await fetch(again, "SELECT answer FROM kept") == 42
    assert again.port == server.port


async def test_messages_survive_a_kill(layout: Layout, start: Start) -> None:
    """What JetStream acknowledged is there after kill -9 and a second start."""
    server = EmbeddedNats(layout, _OPEN_BUS)
    start(server)
    login = {"user": "a", "password": "b"}
    client = await nats.connect(server.url, **login)
    await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s"]))
    await client.jetstream().publish("s", b"kept")
    await client.close()
    server.child.kill()
    again = EmbeddedNats(layout, _OPEN_BUS)
    start(again)
    client = await nats.connect(again.url, **login)
    message = await client.jetstream().get_msg("S", 1)
    await client.close()
    assert message.data == b"kept"
    assert again.port == server.port


def test_configuration_of_nats_is_closed(layout: Layout, start: Start) -> None:
    """Nobody else reads the server's configuration."""
    server = EmbeddedNats(layout, _OPEN_BUS)
    start(server)
    assert (layout.nats / "nats.conf").stat().st_mode & 0o777 == 0o600


def test_another_major_version_is_refused(layout: Layout, start: Start) -> None:
    """A cluster of Postgres 17 is refused with words on what to do."""
    server = EmbeddedPostgres(layout, fast=True)
    start(server)
    server.child.kill()
    (layout.postgres / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigError, match=r"made by Postgres 17.*opseer backup"):
        EmbeddedPostgres(layout, fast=True).start()


def test_half_made_cluster_is_made_again(layout: Layout, start: Start) -> None:
    """An initdb that was killed half-way does not stand in the way."""
    half = layout.postgres / "cluster.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    start(EmbeddedPostgres(layout, fast=True))


@pytest.mark.parametrize("kind", [EmbeddedNats, EmbeddedPostgres])
def test_orphan_is_found_and_ended(
    layout: Layout, start: Start, kind: type[Server]
) -> None:
    """A server whose supervisor was killed is ended by the next one."""
    server = _server(layout, kind)
    start(server)
    assert end_orphans(layout.run, print) == [server.child.pid]
    assert not server.child.alive


def test_postgres_without_a_note_is_found(layout: Layout, start: Start) -> None:
    """A Postgres on our cluster is ended though no note tells of it."""
    server = EmbeddedPostgres(layout, fast=True)
    start(server)
    (layout.run / "postgres.json").unlink()
    assert end_orphans(layout.run, print, postmaster=live_postmaster(layout)) == [
        server.child.pid
    ]
    assert not server.child.alive


def test_crash_shows_the_last_log_lines(layout: Layout, start: Start) -> None:
    """A server that can't start tells why in its own words."""
    server = EmbeddedNats(layout, "accounts { nonsense")
    with pytest.raises(ConfigError, match="Parse error"):
        start(server)


def test_server_is_a_session_of_its_own(layout: Layout, start: Start) -> None:
    """Ctrl-C in a terminal does not reach the servers, which are stopped in order."""
    server = EmbeddedNats(layout, _OPEN_BUS)
    start(server)
    assert os.getsid(server.child.pid) == server.child.pid


def _server(layout: Layout, kind: type[Server]) -> Server:
    """Return a server of a kind."""
    if kind is EmbeddedNats:
        return EmbeddedNats(layout, _OPEN_BUS)
    return EmbeddedPostgres(layout, fast=True)
