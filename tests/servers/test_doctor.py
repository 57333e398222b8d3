"""`opseer doctor`: each thing that can be wrong is one line with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from aiosmtpd.smtp import SMTP

from opseer_cli.credentials import Credentials
from opseer_cli.doctor import Finding, examine
from opseer_cli.layout import Layout
from opseer_cli.settings import Settings
from opseer_common import rights
from opseer_common.mail_server import mail_server
from opseer_common.testing.every_table import fill
from opseer_common.testing.servers import FreshBus, FreshDatabase

Examine = Callable[..., Awaitable[dict[str, Finding]]]


@pytest.fixture
def looked_at(
    database: FreshDatabase,
    bus: FreshBus,
    server_credentials: Credentials,
    tmp_path: Path,
) -> Examine:
    """Return what examines servers from outside; findings by subject."""

    async def look(**settings: Any) -> dict[str, Finding]:
        given = {
            "data_dir": tmp_path,
            "secrets_dir": server_credentials.folder,
            "database_url": database.admin_url,
            "nats_url": bus.url,
        }
        found = await examine(Settings(**{**given, **settings}))
        return {finding.subject: finding for finding in found}

    return look


async def execute(of: FreshDatabase, statement: str) -> None:
    """Run one statement as the administrator."""
    connection = await asyncpg.connect(of.admin_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def problems(found: dict[str, Finding]) -> set[str]:
    """Return the subjects that something is wrong with."""
    return {subject for subject, finding in found.items() if finding.advice}


async def test_all_is_well_but_for_the_fast_server(looked_at: Examine) -> None:
    """Rule: a line per check; a server that may lose writes, as ours here, is told."""
    found = await looked_at()
    assert problems(found) == {"durability"}
    assert "fsync, synchronous_commit, full_page_writes off" in str(found["durability"])
    assert list(found) == [
        *("settings", "mail", "database", "clock", "durability", "roles", "logins"),
        *("migrations", "news", "keys", "bus", "streams"),
    ]
    assert str(found["settings"]) == "ok       settings     are known and fit"


async def test_servers_that_are_away(looked_at: Examine) -> None:
    """Rule: a server that is away is a problem; the other one is still looked at."""
    found = await looked_at(database_url="postgresql://x:y@127.0.0.1:1/x")
    assert problems(found) == {"database"}
    assert "streams" in found
    found = await looked_at(nats_url="nats://127.0.0.1:1")
    assert problems(found) == {"durability", "bus"}


async def test_database_without_tables(
    looked_at: Examine, bare_database: FreshDatabase
) -> None:
    """Rule: what is not migrated says which command does it."""
    found = await looked_at(database_url=bare_database.admin_url)
    assert found["migrations"].words == "none applied"
    assert "opseer migrate" in str(found["migrations"])


@pytest.mark.parametrize(
    ("statement", "subject", "words"),
    [
        (
            "UPDATE opseer_meta.migration SET package = 'x' WHERE package LIKE '%mrr'",
            "migrations",
            "newer release",
        ),
        (
            """
            DELETE FROM opseer_meta.migration
            WHERE package LIKE '%mrr' AND name LIKE '0001%'
            """,
            "migrations",
            "1 not applied",
        ),
        ("UPDATE opseer_meta.migration SET checksum = ''", "migrations", "changed"),
        (
            """
            INSERT INTO mrr.outbox (message_id, subject, payload, said_at)
            VALUES (gen_random_uuid(), 's', '', now() - interval '2 minutes')
            """,
            "news",
            "unsent messages of mrr",
        ),
        (
            "INSERT INTO collector.dead_letter VALUES ('d', 'k', 6, 'e', '')",
            "news",
            "given up by collector",
        ),
    ],
)
async def test_what_the_database_tells(
    statement: str,
    subject: str,
    words: str,
    looked_at: Examine,
    database: FreshDatabase,
) -> None:
    """Rule: other tables than this release's, news that stand still: told."""
    await execute(database, statement)
    found = await looked_at()
    assert problems(found) == {"durability", subject}
    assert words in found[subject].words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("state = 'auth_failed', last_error_detail = 'revoked'", "revoked"),
        (
            """permissions = '{"events": "missing", "balance": "ok"}'""",
            "may not read events",
        ),
        ("flags = '{stale}'", "connected, stale"),
    ],
)
async def test_what_a_key_may_not_do(
    change: str, words: str, looked_at: Examine, database: FreshDatabase
) -> None:
    """Rule: a refused key, a missing permission, a flag: told from the stored row."""
    await fill(database.admin_url)
    await execute(
        database,
        """
        UPDATE collector.connection
        SET source = 'stripe', state = 'connected', flags = '{}', permissions = '{}'
        WHERE source = 's1'
        """,
    )
    assert problems(await looked_at()) == {"durability"}
    await execute(
        database,
        f"UPDATE collector.connection SET {change} WHERE source = 'stripe'",  # noqa: S608 - constants
    )
    found = await looked_at()
    assert problems(found) == {"durability", "stripe"}
    assert words in found["stripe"].words


async def test_sealing_key_that_is_not_here(
    looked_at: Examine, database: FreshDatabase
) -> None:
    """Rule: stored keys that nothing here opens are told before a collection fails."""
    await fill(database.admin_url)
    await execute(
        database,
        """
        UPDATE gateway.opseer_user_integration
        SET config = decode('0100000009' || repeat('ab', 305), 'hex')
        """,
    )
    found = await looked_at()
    assert "sealing key 9, which is not here" in found["keys"].words


async def test_missing_durable(looked_at: Examine, bus: FreshBus) -> None:
    """Rule: a stream or durable that somebody deleted is named."""
    seed = bus.seed_file(rights.ADMIN)
    client = await nats.connect(
        bus.url,
        nkeys_seed=str(seed) if seed else None,
        inbox_prefix=rights.inbox_prefix(rights.ADMIN).encode(),
    )
    await client.jetstream().delete_stream("MRR")
    await client.close()
    found = await looked_at()
    assert problems(found) == {"durability", "streams"}
    assert found["streams"].words.startswith("MRR, ")


async def test_stopped_and_open_to_others(layout: Layout) -> None:
    """Rule: on one machine: is it running, and are its secrets closed to others."""
    (layout.secrets / "sealing-key.json").write_text("{}")
    (layout.secrets / "sealing-key.json").chmod(0o644)
    found = {f.subject: f for f in await examine(Settings(data_dir=layout.root))}
    assert problems(found) == {"data", "servers"}
    assert f"chmod go= {layout.secrets}/sealing-key.json" in str(found["data"])
    assert "does not run" in found["servers"].words
    (layout.secrets / "sealing-key.json").chmod(0o400)
    found = {f.subject: f for f in await examine(Settings(data_dir=layout.root))}
    assert problems(found) == {"servers"}


async def test_the_mail_server_is_greeted(looked_at: Examine) -> None:
    """Rule: a server that takes us is well; one that is away, or has no TLS for a
    password, says why.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(object(), loop=loop), "127.0.0.2", 0)
    port = server.sockets[0].getsockname()[1]
    there = await looked_at(smtp=mail_server(f"smtp://127.0.0.2:{port}"))
    assert "mail" not in problems(there)
    login = await looked_at(smtp=mail_server(f"smtp://me:secret@127.0.0.2:{port}"))
    assert "STARTTLS" in str(login["mail"])
    assert "secret" not in str(login["mail"])
    server.close()
    away = await looked_at(smtp=mail_server("smtp://127.0.0.2:1"))
    assert "OPSEER_SMTP_URL" in str(away["mail"])
