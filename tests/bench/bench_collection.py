"""How a collection does at the payment processor's limits.

`bound` is the time that the fuller list needs at its endpoint's limit; calls are those
for the two long lists.

Embedded servers, the real services as processes, and a processor of arithmetic rows
that refuses what is over its limits. Figures are checked against that arithmetic.

    python tests/bench/bench_collection.py [--quiet] [ROWS ...]

Without sizes: 100, 40,000, 80,000 and 100,000 rows, some four minutes; 1,000,000 rows
take eight. `--quiet` leaves the services' logs out. Each line ends in what it misses,
and so does the program.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nats
import psutil

from opseer_cli.credentials import Credentials
from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.embedded_postgres import EmbeddedPostgres
from opseer_cli.layout import Layout, layout_of
from opseer_common import bootstrap, rights, sealing
from opseer_common.clock import utc_now
from opseer_common.testing.sealed import SealedConnection, SealedKeys, sealed_keys
from opseer_common.testing.servers import FreshDatabase

SIZES = (100, 40_000, 80_000, 100_000)
BUDGET = 95
PER_ENDPOINT = 25
LATENCY_MS = 300
SERVICES = ("collector", "mrr", "notifier")
_PAGE = 100
_LARGE = 40_000
_LONGEST = 1800.0
_HERE = Path(__file__).parent


@dataclass
class Measured:
    """What one collection took."""

    rows: int
    seconds: float
    newest: float
    bound: float
    asked: int
    full: int
    refused: int
    cpu: float
    peak_mb: float
    wrong_days: int

    def missed(self) -> list[str]:
        """Return the bounds that a collection did not keep."""
        large = self.rows >= _LARGE
        kept = {
            "time": not large or self.seconds <= 1.15 * self.bound,
            "yesterday": self.rows > 100_000 or self.newest <= 3,
            "requests": not large or self.asked <= 1.05 * self.full,
            "429s": not self.refused,
            "memory": self.peak_mb <= 150,
            "figures": not self.wrong_days,
        }
        return [name for name, well in kept.items() if not well]


@dataclass(frozen=True)
class Machine:
    """The servers of one benchmark."""

    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    credentials: Credentials


@contextmanager
def servers() -> Iterator[Machine]:
    """Start Postgres and NATS on an empty data directory."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(
                prefix="opseer-bench-", ignore_cleanup_errors=True
            )
        )
        Path(folder).chmod(0o711)
        layout: Layout = layout_of(Path(folder) / "data")
        layout.make()
        credentials = Credentials(layout.secrets)
        credentials.ensure()
        postgres = EmbeddedPostgres(layout)
        bus = EmbeddedNats(layout, rights.accounts_block(credentials.public_keys()))
        for server in (postgres, bus):
            _start(server, stack)
        asyncio.run(bootstrap.migrate_database(postgres.url, credentials.passwords()))
        asyncio.run(bootstrap.migrate_bus(bus.url, credentials.seed_file(rights.ADMIN)))
        yield Machine(postgres, bus, credentials)


def _start(server: EmbeddedPostgres | EmbeddedNats, stack: ExitStack) -> None:
    """Start a server and wait for it; `stack` ends it."""
    server.start()
    stack.callback(lambda: asyncio.run(server.child.stop(5)))
    deadline = time.monotonic() + 60
    while not server.is_ready():
        assert time.monotonic() < deadline, server.child.last_lines()
        time.sleep(0.05)


@contextmanager
def processor(rows: int, folder: Path) -> Iterator[str]:
    """Run the payment processor with `rows` rows; yield its URL."""
    port_file = folder / f"port-{rows}"
    arguments = ("--rows", str(rows), "--latency-ms", str(LATENCY_MS))
    with process(
        [
            *(sys.executable, str(_HERE / "payments_server.py"), *arguments),
            *("--port-file", str(port_file)),
        ],
        None,
    ):
        while not port_file.exists():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text('ascii')}"


@contextmanager
def process(
    command: list[str], environment: dict[str, str] | None
) -> Iterator[psutil.Process]:
    """Run a process as long as the block."""
    log = subprocess.DEVNULL if "--quiet" in sys.argv else None
    started = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield psutil.Process(started.pid)
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(15)


@contextmanager
def services(
    machine: Machine, ring: sealing.KeyRing, base: str, folder: Path
) -> Iterator[dict[str, psutil.Process]]:
    """Run the services and wait until they are ready."""
    keys = folder / "keys.json"
    keys.write_bytes(sealing.private_document(ring))
    database = FreshDatabase(machine.postgres.url, machine.credentials.passwords())
    with ExitStack() as stack:
        found = {}
        for name in SERVICES:
            ready = folder / f"{name}-{uuid.uuid4().hex}"
            environment = {
                "OPSEER_DATABASE_URL": database.login_url(name),
                "OPSEER_NATS_URL": machine.nats.url,
                "OPSEER_NATS_SEED_FILE": str(machine.credentials.seed_file(name)),
                "OPSEER_READY_FILE": str(ready),
            }
            if name == "collector":
                environment |= {
                    "OPSEER_SEALING_KEY_FILE": str(keys),
                    "OPSEER_STRIPE_API_BASE": base,
                    "OPSEER_STRIPE_RATE": str(BUDGET),
                }
            command = [sys.executable, "-m", f"opseer_{name}"]
            found[name] = stack.enter_context(process(command, environment))
            while not ready.exists():
                time.sleep(0.05)
        yield found


@asynccontextmanager
async def connected(
    machine: Machine, sealed: SealedKeys
) -> AsyncIterator[tuple[SealedConnection, float]]:
    """Connect an account as the gateway does, yield it and when, and disconnect it."""
    made = await sealed.connect("rk_" + "test_" + "b" * 24)
    client = await nats.connect(
        machine.nats.url,
        nkeys_seed=str(machine.credentials.seed_file("gateway")),
        inbox_prefix=rights.inbox_prefix("gateway").encode(),
    )
    news = made.begun()
    begun = time.monotonic()
    await client.jetstream().publish(
        news.subject,
        news.model_dump_json().encode(),
        headers={"Nats-Msg-Id": str(news.message_id)},
    )
    yield made, begun
    await sealed.disconnect(made.account_id)
    await client.close()


async def measure(machine: Machine, rows: int, folder: Path) -> Measured:
    """Collect an account of `rows` transactions and as many charges."""
    database = FreshDatabase(machine.postgres.url, machine.credentials.passwords())
    async with sealed_keys(database) as sealed:
        with (
            processor(rows, folder) as base,
            services(machine, sealed.ring, base, folder) as running,
        ):
            before = sum(cpu_of(one) for one in running.values())
            async with connected(machine, sealed) as (made, begun):
                newest = await until_readable(sealed, made, begun)
                await until_done(sealed, made)
                seconds = time.monotonic() - begun
                await until_quiet(running.values())
                cpu = sum(cpu_of(one) for one in running.values()) - before
                counts = read(f"{base}/counts")
                truth = read(f"{base}/truth")
                wrong = await wrong_days(sealed, made, truth)
            fat = counts["asked"]["balance_transactions"] + counts["asked"]["charges"]
            pages = -(-rows // _PAGE)
            return Measured(
                # Of each list one call was a probe of its permission.
                *(rows, seconds, newest, pages / PER_ENDPOINT),
                *(fat - 2, 2 * pages, counts["refused"], cpu),
                *(peak_mb(running["collector"]), wrong),
            )


def cpu_of(one: psutil.Process) -> float:
    """Return the CPU seconds of a process."""
    times = one.cpu_times()
    return float(times.user + times.system)


def peak_mb(one: psutil.Process) -> float:
    """Return the most memory that a process had, in MB (source: proc(5), VmHWM)."""
    for line in Path(f"/proc/{one.pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def until_readable(
    sealed: SealedKeys, made: SealedConnection, begun: float
) -> float:
    """Wait until yesterday is complete; return the seconds since `begun`."""
    yesterday = utc_now().date() - timedelta(days=1)
    while not await sealed.fetch(
        "SELECT FROM collector.revenue_daily_cache WHERE connection_id = $1"
        " AND day = $2 AND net_revenue_minor IS NOT NULL",
        *(made.connection_id, yesterday),
    ):
        assert time.monotonic() - begun < _LONGEST
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


async def until_done(sealed: SealedKeys, made: SealedConnection) -> None:
    """Wait until the run is over."""
    deadline = time.monotonic() + _LONGEST
    while not await sealed.fetch(
        "SELECT FROM collector.run WHERE run_id = $1 AND state = 'done'", made.run_id
    ):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def until_quiet(running: Any) -> None:
    """Wait until no service has work left."""
    used = -1.0
    while (now := sum(cpu_of(one) for one in running)) - used > 0.06:
        used = now
        await asyncio.sleep(1)


async def wrong_days(
    sealed: SealedKeys, made: SealedConnection, truth: dict[str, list[int]]
) -> int:
    """Count the days whose figures are not those of the arithmetic."""
    rows = await sealed.fetch(
        "SELECT day, net_revenue_minor, charges_count, charges_amount_minor,"
        " refunds_count, refunds_amount_minor, failed_payments"
        " FROM collector.revenue_daily_cache WHERE connection_id = $1",
        made.connection_id,
    )
    found = {row["day"].isoformat(): list(row.values())[1:] for row in rows}
    assert len(found) == 91
    return sum(truth.get(day, [0] * 6) != figures for day, figures in found.items())


def read(url: str) -> Any:
    """Read JSON."""
    with urlopen(url, timeout=120) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


HEAD = (
    "rows      seconds  newest   bound  ratio  requests/full pages   429s"
    "   CPU s   MB  wrong days\n"
    "                    <= 3.0         <= 1.15            <= 1.05    = 0"
    "        <= 150    = 0"
)


def line(one: Measured) -> str:
    """Return a line of the table."""
    share = one.asked / one.full
    return (
        f"{one.rows:<9} {one.seconds:7.1f} {one.newest:7.1f} {one.bound:7.1f}"
        f" {one.seconds / one.bound:6.2f}  {one.asked:6} / {one.full:<6} {share:5.3f}"
        f" {one.refused:5} {one.cpu:7.2f} {one.peak_mb:4.0f} {one.wrong_days:5}  "
        + (f"MISSED: {', '.join(one.missed())}" if one.missed() else "kept")
    )


def slope(found: list[Measured]) -> str | None:
    """Return the CPU seconds of 100,000 more transactions."""
    by_rows = {one.rows: one for one in found}
    if 40_000 not in by_rows or 80_000 not in by_rows:
        return None
    more = by_rows[80_000].cpu - by_rows[40_000].cpu
    return f"CPU of 100,000 more transactions: {more * 100_000 / 40_000:.1f} s (<= 6)"


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()] or SIZES
    found = []
    say(f"budget {BUDGET}/s, {PER_ENDPOINT}/s per endpoint, {LATENCY_MS} ms", HEAD)
    with servers() as machine, tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            found.append(asyncio.run(measure(machine, rows, Path(folder))))
            say(line(found[-1]))
    say(slope(found) or "")
    sys.exit(any(one.missed() for one in found))


if __name__ == "__main__":
    os.umask(0o077)
    # `kill` and `timeout` end it this way: the servers still go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
