"""How fast the gateway answers what people and scripts read.

The gateway as a process of its own on embedded servers, beside aiohttp's smallest
server. Rates are answers per processor second of the serving process, so that other
work on the machine does not show; times of the page are wall-clock ones.

    python tests/bench/bench_gateway.py
"""

from __future__ import annotations

import asyncio
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import psutil
from aiohttp import web

from opseer_cli.credentials import Credentials
from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.embedded_postgres import EmbeddedPostgres
from opseer_cli.layout import layout_of
from opseer_common import bootstrap, rights, sealing
from opseer_common.clock import utc_now
from opseer_common.testing.listening import free_port
from opseer_common.testing.published import publisher
from opseer_common.testing.servers import FreshDatabase

REQUESTS = 1_000
PAGES = 300
CONNECTIONS = 8
ROUNDS = 5
DAYS = 90
LEAST = {"cached JSON": 0.25, "in-process hit": 0.60, "304": 0.60}
"""The least share of hello world's rate."""
PAGE_P99_MS = 30.0
_HELLO = "--hello"


@dataclass(frozen=True)
class Target:
    """Requests to one server: a path of its own each where `{n}` stands in it."""

    port: int
    process: psutil.Process
    path: str
    headers: dict[str, str]
    status: int = 200

    def head(self, number: int) -> bytes:
        """Return the bytes of a request."""
        lines = [f"GET {self.path.format(n=number)} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


async def one(
    target: Target,
    number: int,
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> int:
    """Send a request and read its answer; return the length of the body."""
    reader, writer = streams
    writer.write(target.head(number))
    head = await reader.readuntil(b"\r\n\r\n")
    assert int(head[9:12]) == target.status, head
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if length and target.status != 304:
        await reader.readexactly(length)
    return length


async def rate(target: Target, turn: int) -> float:
    """Return how many answers a processor second of the server makes."""
    begin = turn * REQUESTS
    streams = [
        await asyncio.open_connection("127.0.0.1", target.port)
        for _ in range(CONNECTIONS)
    ]
    for pair in streams:
        await one(target, begin, pair)
    before = cpu_of(target.process)

    async def several(pair: Any, first: int) -> None:
        for number in range(begin + first, begin + REQUESTS + 1, CONNECTIONS):
            await one(target, number, pair)

    await asyncio.gather(
        *(several(pair, first) for first, pair in enumerate(streams, 1))
    )
    used = cpu_of(target.process) - before
    for _, writer in streams:
        writer.close()
    return REQUESTS / used


async def times(target: Target, pages: int) -> list[float]:
    """Return the milliseconds that each of `pages` answers took, one at a time."""
    pair = await asyncio.open_connection("127.0.0.1", target.port)
    found = []
    for number in range(-10, pages):
        begun = time.perf_counter()
        await one(target, number, pair)
        if number >= 0:
            found.append((time.perf_counter() - begun) * 1000)
    pair[1].close()
    return sorted(found)


def cpu_of(process: psutil.Process) -> float:
    """Return the processor seconds of a process, of its one busy thread where it can.

    Source: proc(5), schedstat counts nanoseconds; cpu_times hundredths of a second.
    """
    finer = Path(f"/proc/{process.pid}/schedstat")
    if finer.exists():
        return int(finer.read_text("ascii").split()[0]) / 1e9
    spent = process.cpu_times()
    return float(spent.user + spent.system)


@contextmanager
def process(
    command: list[str], environment: dict[str, str]
) -> Iterator[psutil.Process]:
    """Run a process as long as the block."""
    started = subprocess.Popen(
        command,
        env={"PATH": os.defpath, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(15)


@contextmanager
def gateway(folder: Path, port: int) -> Iterator[tuple[psutil.Process, FreshDatabase]]:
    """Run Postgres, NATS and the gateway."""
    with ExitStack() as stack:
        layout = layout_of(folder / "data")
        layout.make()
        credentials = Credentials(layout.secrets)
        credentials.ensure()
        postgres = EmbeddedPostgres(layout)
        bus = EmbeddedNats(layout, rights.accounts_block(credentials.public_keys()))
        for server in (postgres, bus):
            start(server, stack)
        asyncio.run(bootstrap.migrate_database(postgres.url, credentials.passwords()))
        asyncio.run(bootstrap.migrate_bus(bus.url, credentials.seed_file(rights.ADMIN)))
        database = FreshDatabase(postgres.url, credentials.passwords())
        public, code = folder / "public.json", folder / "code"
        public.write_bytes(sealing.public_document(sealing.generate().public()))
        code.write_text("bench")
        ready = folder / "ready"
        environment = {
            "OPSEER_DATABASE_URL": database.login_url("gateway"),
            "OPSEER_NATS_URL": bus.url,
            "OPSEER_NATS_SEED_FILE": str(credentials.seed_file("gateway")),
            "OPSEER_READY_FILE": str(ready),
            "OPSEER_SEALING_PUBLIC_FILE": str(public),
            "OPSEER_SETUP_CODE_FILE": str(code),
            "OPSEER_PORT": str(port),
        }
        command = [sys.executable, "-m", "opseer_gateway"]
        running = stack.enter_context(process(command, environment))
        until(ready.exists)
        yield running, database


def start(server: EmbeddedPostgres | EmbeddedNats, stack: ExitStack) -> None:
    """Start a server and wait for it; `stack` ends it."""
    server.start()
    stack.callback(lambda: asyncio.run(server.child.stop(5)))
    until(server.is_ready)


def until(there: Any) -> None:
    """Wait at most a minute."""
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def sign_up(port: int) -> tuple[UUID, str, str]:
    """Make an account; return it, its API token and the cookie of a session."""
    base, password = f"http://127.0.0.1:{port}/api/v1", "a long password"
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as client:
        fields = {"email": "bench@example.com", "password": password}
        async with client.post(
            f"{base}/setup", json={**fields, "setup_code": "bench"}
        ) as answer:
            made = await answer.json()
        async with client.post(f"{base}/auth/login", json=fields) as answer:
            cookies = "; ".join(f"{k}={v.value}" for k, v in answer.cookies.items())
    return UUID(made["account_id"]), made["token"], cookies


async def fill(database: FreshDatabase, account_id: UUID, today: date) -> None:
    """Write 90 days and today of revenue, and as many of movements."""
    async with publisher(database) as world:
        of = await world.connect(account_id)
        for back in range(DAYS + 1):
            day = today - timedelta(days=back)
            await world.daily(of, day, 100_000 + 997 * back, 20 + back % 7)
            await world.movement(of, day, 1_000_000 - 1_000 * back)
        await world.publish(of, 1, utc_now())
        await world.computed(of, 1)


async def etag_of(port: int, path: str, headers: dict[str, str]) -> str:
    """Return the ETag of an answer."""
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer,
    ):
        assert answer.status == 200
        return answer.headers["ETag"]


async def measure(
    hello: Target, running: psutil.Process, port: int, database: FreshDatabase
) -> bool:
    """Print the table; return whether all is as fast as it should be."""
    account_id, token, cookies = await sign_up(port)
    today = utc_now().date()
    await fill(database, account_id, today)
    bearer = {"Authorization": f"Bearer {token}"}
    path = "/api/v1/mrr?source=stripe"
    etag = await etag_of(port, path, bearer)
    cookie = {"Cookie": cookies}
    targets = {
        # A path of its own each: nothing is kept for it, so all is read and made.
        "not kept": Target(port, running, f"{path}&n={{n}}", bearer),
        "cached JSON": Target(
            port, running, "/api/v1/revenue/daily?source=stripe", cookie
        ),
        "in-process hit": Target(port, running, path, bearer),
        "304": Target(port, running, path, {**bearer, "If-None-Match": etag}, 304),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in targets}
    for turn in range(ROUNDS):
        for name, target in targets.items():
            # One right after the other: what slows one down does the other, too.
            plain = await rate(hello, turn)
            found[name].append((plain, await rate(target, turn)))
    say(f"answers per processor second: hello world {_median(found, 0):,.0f}")
    shares = {
        name: statistics.median(own / plain for plain, own in pairs)
        for name, pairs in found.items()
    }
    for name, pairs in found.items():
        own = statistics.median(pair[1] for pair in pairs)
        least = f" (>= {LEAST[name]:.2f})" if name in LEAST else ""
        say(f"{name:16} {own:8,.0f}, {shares[name]:.2f} of hello world{least}")
    fine = [shares[name] >= least for name, least in LEAST.items()]
    first = today - timedelta(days=DAYS)
    page = f"/dashboard/revenue/stripe?period=custom&from={first}&to={today}"
    fine.append(await page_times(Target(port, running, page, {"Cookie": cookies})))
    return all(fine)


def _median(found: dict[str, list[tuple[float, float]]], place: int) -> float:
    return statistics.median(pair[place] for pairs in found.values() for pair in pairs)


async def page_times(page: Target) -> bool:
    """Print how long the revenue page takes; return whether it is fast enough."""
    warm = await times(page, PAGES)
    made = Target(page.port, page.process, page.path + "&n={n}", page.headers)
    before = cpu_of(page.process)
    anew = await times(made, PAGES)
    used = (cpu_of(page.process) - before) / (PAGES + 10) * 1000
    p99 = warm[int(len(warm) * 0.99)]
    say(
        f"revenue page, {DAYS} days, warm: median {statistics.median(warm):.2f} ms,"
        f" p99 {p99:.2f} ms (<= {PAGE_P99_MS:.0f})",
        f"made anew each time: median {statistics.median(anew):.1f} ms,"
        f" p99 {anew[int(len(anew) * 0.99)]:.1f} ms, {used:.1f} ms of processor time",
    )
    return p99 <= PAGE_P99_MS


def scripts() -> None:
    """Print the compressed size of the built scripts."""
    from opseer_gateway.pages import assets  # noqa: PLC0415

    sizes = {
        path.name: len(gzip.compress(path.read_bytes(), 9))
        for path in [*assets.BUILD.glob("*.js"), *assets.STATIC.glob("*.js")]
    }
    say(f"scripts: {sum(sizes.values()):,} bytes compressed {sizes}")


def serve_hello(port: int) -> None:
    """Run aiohttp's smallest server."""

    async def show(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    app = web.Application()
    app.router.add_get("/", show)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> None:
    """Print all figures; exit 1 where one is worse than it should be."""
    hello_port, port = free_port(), free_port()
    scripts()
    with tempfile.TemporaryDirectory(
        prefix="opseer-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o711)
        command = [sys.executable, __file__, _HELLO, str(hello_port)]
        with process(command, {}) as plain, gateway(folder, port) as (own, database):
            hello = Target(hello_port, plain, "/", {})
            fine = asyncio.run(measure(hello, own, port, database))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    if _HELLO in sys.argv:
        serve_hello(int(sys.argv[-1]))
    else:
        main()
