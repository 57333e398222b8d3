"""How long 10,000 reports that are due in the same minute take to arrive.

Embedded servers, the notifier as one process or several, and a receiver of signed
webhooks that counts what comes. Each user has an account, a report and a destination
of their own. Time runs from the minute at which all of them are due.

    python tests/bench/bench_delivery.py [USERS [NOTIFIERS]]
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
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen
from uuid import UUID, uuid4

import asyncpg
import msgspec
import psutil
from aiohttp import web

from opseer_cli.credentials import Credentials
from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.embedded_postgres import EmbeddedPostgres
from opseer_cli.layout import layout_of
from opseer_common import bootstrap, rights, sealing
from opseer_common.clock import utc_now
from opseer_common.contracts.daily_report import DailyReport, Metric, ReportChannel
from opseer_common.contracts.destination import WebhookAddress, encode
from opseer_common.sealing import DESTINATION, KeyRing, SealedFor, Secret
from opseer_common.testing.servers import FreshDatabase

USERS: Final = 10_000
MOST_SECONDS: Final = 300.0
SECRET: Final = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_RECEIVER: Final = "--receiver"
_CONFIG: Final = b"\x01" + b"\x00" * 309
_KEYS: Final = ("mrr", "revenue", "orders", "new_subs", "churned")


@dataclass(frozen=True)
class Machine:
    """The servers of the benchmark."""

    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    credentials: Credentials
    folder: Path

    def processes(self) -> list[psutil.Process]:
        """Return the servers' processes that run now."""
        found = []
        for server in (self.postgres, self.nats):
            first = psutil.Process(server.child.pid)
            found += [first, *first.children(recursive=True)]
        return found


@contextmanager
def servers() -> Iterator[Machine]:
    """Start Postgres and NATS on an empty data directory."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix="opseer-bench-", ignore_cleanup_errors=True
                )
            )
        )
        folder.chmod(0o711)
        layout = layout_of(folder / "data")
        layout.make()
        credentials = Credentials(layout.secrets)
        credentials.ensure()
        postgres = EmbeddedPostgres(layout)
        bus = EmbeddedNats(layout, rights.accounts_block(credentials.public_keys()))
        for server in (postgres, bus):
            server.start()
            stack.callback(_stop, server)
            while not server.is_ready():
                time.sleep(0.05)
        asyncio.run(bootstrap.migrate_database(postgres.url, credentials.passwords()))
        asyncio.run(bootstrap.migrate_bus(bus.url, credentials.seed_file(rights.ADMIN)))
        yield Machine(postgres, bus, credentials, folder)


def _stop(server: EmbeddedPostgres | EmbeddedNats) -> None:
    asyncio.run(server.child.stop(5))


@contextmanager
def process(
    command: list[str], environment: dict[str, str] | None
) -> Iterator[psutil.Process]:
    """Run a process as long as the block."""
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield psutil.Process(started.pid)
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(15)


def receive(port_file: Path) -> None:
    """Be the receiver: count each id, and note when the last new one came."""
    seen: Counter[str] = Counter()
    last = 0.0

    async def take(request: web.Request) -> web.Response:
        nonlocal last
        await request.read()
        name = request.headers["webhook-id"]
        seen[name] += 1
        if seen[name] == 1:
            last = utc_now().timestamp()
        return web.Response(status=204)

    async def counts(_: web.Request) -> web.Response:
        return web.json_response(
            {"ids": len(seen), "requests": seen.total(), "last": last}
        )

    async def serve() -> int:
        app = web.Application()
        app.add_routes([web.post("/hook/{user}", take), web.get("/counts", counts)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        return int(runner.addresses[0][1])

    loop = asyncio.new_event_loop()
    port_file.write_text(str(loop.run_until_complete(serve())))
    loop.run_forever()


def due_at() -> datetime:
    """Return the first full minute that leaves the notifiers time to start."""
    soon = utc_now() + timedelta(seconds=20)
    return soon.replace(second=0, microsecond=0) + timedelta(minutes=1)


async def fill(
    machine: Machine, ring: KeyRing, base: str, users: int
) -> list[tuple[UUID, UUID]]:
    """Make accounts, users, connections, reports and destinations."""
    now = utc_now()
    day = now.date() - timedelta(days=1)
    body = msgspec.json.encode(
        DailyReport(
            day,
            "UTC",
            "📊 Opseer Revenue Daily Report",
            (
                ReportChannel(
                    "stripe",
                    "usd",
                    "live",
                    tuple(
                        Metric(key, key, 12_345, 12_000, 11_900, "ok", None)
                        for key in _KEYS
                    ),
                ),
            ),
        )
    ).decode()
    made = [(uuid4(), uuid4()) for _ in range(users)]
    connection = await asyncpg.connect(machine.postgres.url)
    await connection.copy_records_to_table(
        "account",
        schema_name="gateway",
        columns=["account_id", "plan"],
        records=[(account, "max") for account, _ in made],
    )
    await connection.copy_records_to_table(
        "app_user",
        schema_name="gateway",
        columns=["account_id", "user_id", "email", "password_hash"],
        records=[(account, user, f"{user}@x.example", "!") for account, user in made],
    )
    await connection.executemany(
        """
        INSERT INTO gateway.opseer_user_integration (account_id, source, connection_id,
            run_id, key_version, key_hint, environment, livemode, policy, config)
        VALUES ($1, 'stripe', $2, $2, 1, '…', 'live', true, '{}', $3)
        """,
        [(account, uuid4(), _CONFIG) for account, _ in made],
    )
    await connection.executemany(
        "INSERT INTO notifier.report VALUES ($1, $2, 'UTC', 1, $3, now())",
        [(account, day, body) for account, _ in made],
    )
    public = ring.public()
    rows = []
    for account, user in made:
        name = uuid4()
        secret = Secret(encode(WebhookAddress(f"{base}/hook/{user}", SECRET)))
        place = SealedFor(account, str(name), 1, DESTINATION)
        rows.append((name, account, user, public.seal(secret, place), now))
    await connection.executemany(
        """
        INSERT INTO notifier.destination (destination_id, account_id, user_id, kind,
            name, hint, sealed, created_at)
        VALUES ($1, $2, $3, 'webhook', 'w', 'h', $4, $5)
        """,
        rows,
    )
    await connection.close()
    return made


async def subscribe(
    machine: Machine, made: list[tuple[UUID, UUID]], at: datetime
) -> None:
    """Set everyone's report to the same minute."""
    connection = await asyncpg.connect(machine.postgres.url)
    now = utc_now()
    await connection.executemany(
        """
        INSERT INTO notifier.alert_setting (account_id, user_id, sources, send_at,
            timezone, weekdays, weekly_digest, next_fire_at, updated_at)
        VALUES ($1, $2, '{stripe}', $3, 'UTC', '{1,2,3,4,5,6,7}', false, $4, $5)
        """,
        [(account, user, at.time(), at, now) for account, user in made],
    )
    await connection.close()


def cpu_of(one: psutil.Process) -> float:
    """Return the processor seconds of a process so far."""
    try:
        times = one.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


@contextmanager
def notifiers(
    machine: Machine, ring: KeyRing, count: int
) -> Iterator[list[psutil.Process]]:
    """Run notifiers and wait until they are ready."""
    keys = machine.folder / "delivery-key.json"
    keys.write_bytes(sealing.private_document(ring))
    database = FreshDatabase(machine.postgres.url, machine.credentials.passwords())
    with ExitStack() as stack:
        found = []
        for number in range(count):
            ready = machine.folder / f"ready-{number}"
            environment = {
                "OPSEER_DATABASE_URL": database.login_url("notifier"),
                "OPSEER_NATS_URL": machine.nats.url,
                "OPSEER_NATS_SEED_FILE": str(machine.credentials.seed_file("notifier")),
                "OPSEER_DELIVERY_KEY_FILE": str(keys),
                "OPSEER_ALLOW_PRIVATE_DESTINATIONS": "1",
                "OPSEER_READY_FILE": str(ready),
            }
            command = [sys.executable, "-m", "opseer_notifier"]
            found.append(stack.enter_context(process(command, environment)))
            while not ready.exists():
                time.sleep(0.05)
        yield found


def counts_at(base: str) -> Any:
    """Return what the receiver counted."""
    with urlopen(f"{base}/counts", timeout=60) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


async def states(machine: Machine) -> dict[str, int]:
    """Return how many deliveries are in which state."""
    connection = await asyncpg.connect(machine.postgres.url)
    rows = await connection.fetch(
        "SELECT state, count(*) AS n FROM notifier.delivery GROUP BY 1"
    )
    await connection.close()
    return {row["state"]: row["n"] for row in rows}


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


@dataclass(frozen=True)
class Measured:
    """What one run took; `seconds` until the last message arrived."""

    seconds: float
    cpu: float
    cpu_of_all: float
    memory_mb: float
    requests: int
    ids: int
    states: dict[str, int]


def run(machine: Machine, users: int, count: int) -> Measured:
    """Set everyone's report to one minute and wait until all are sent."""
    ring = sealing.generate()
    port_file = machine.folder / "port"
    command = [sys.executable, __file__, _RECEIVER, str(port_file)]
    with (
        process(command, None) as receiver,
        notifiers(machine, ring, count) as running,
    ):
        while not port_file.exists() or not port_file.read_text("ascii"):
            time.sleep(0.05)
        base = f"http://127.0.0.1:{port_file.read_text('ascii')}"
        made = asyncio.run(fill(machine, ring, base, users))
        at = due_at()
        asyncio.run(subscribe(machine, made, at))
        time.sleep(max(0.0, (at - utc_now()).total_seconds()))
        before = sum(cpu_of(one) for one in running)
        everyone = [receiver, *running, *machine.processes()]
        all_before = sum(cpu_of(one) for one in everyone)
        deadline = at + timedelta(seconds=2 * MOST_SECONDS)
        while asyncio.run(states(machine)).get("sent", 0) < users:
            if utc_now() > deadline:
                break
            time.sleep(0.5)
        counted = counts_at(base)
        return Measured(
            seconds=counted["last"] - at.timestamp(),
            cpu=sum(cpu_of(one) for one in running) - before,
            cpu_of_all=sum(cpu_of(one) for one in everyone) - all_before,
            memory_mb=max(one.memory_info().rss for one in running) / 2**20,
            requests=counted["requests"],
            ids=counted["ids"],
            states=asyncio.run(states(machine)),
        )


def measure(users: int, count: int) -> bool:
    """Run it once, print the line, and return whether it was in time and exact."""
    with servers() as machine:
        found = run(machine, users, count)
    say(
        f"{users} users, {count} notifier(s): the last arrived after "
        f"{found.seconds:.1f} s (<= {MOST_SECONDS:.0f}); processor: {found.cpu:.1f} s "
        f"of notifiers, {found.cpu_of_all:.1f} s of everyone; "
        f"{found.memory_mb:.0f} MB; {found.requests} requests with {found.ids} ids; "
        f"{found.states}"
    )
    exact = found.requests == found.ids == users == found.states.get("sent")
    return found.seconds <= MOST_SECONDS and exact


def main() -> None:
    """Measure one notifier, and two side by side."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    users = numbers[0] if numbers else USERS
    sides = numbers[1:2] or [1, 2]
    good = [measure(users, count) for count in sides]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    os.umask(0o077)
    # `kill` and `timeout` end it this way: the servers still go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if _RECEIVER in sys.argv:
        receive(Path(sys.argv[-1]))
    else:
        main()
