"""`opseer keys`: rotating the sealing keys while services run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from opseer_cli.credentials import Credentials
from opseer_cli.main import commands
from opseer_cli.rotation import Pair, add_key
from opseer_collector.store import sealing_keys
from opseer_common import sealing
from opseer_common.contracts.destination import SlackAddress
from opseer_common.database import Database
from opseer_common.errors import ConfigError
from opseer_common.key_files import PublicFile, RingFile
from opseer_common.sealing import DESTINATION, SealedFor, Secret
from opseer_common.testing.alerts import Alerts
from opseer_common.testing.servers import FreshDatabase
from opseer_gateway.store import sealing_keys as gateway_keys

Opseer = Callable[..., Coroutine[Any, Any, Result]]
ACCOUNTS = tuple(uuid4() for _ in range(20))
INSERT = """
    INSERT INTO gateway.opseer_user_integration
        (account_id, source, connection_id, run_id, key_version, key_hint, environment,
         livemode, policy, config)
    VALUES ($1, 'stripe', $1, $1, 7, 'rk_test_…abcd', 'test', false, '{}', $2)
"""


def secret_of(account: UUID) -> str:
    """Return a key that no other account has."""
    return "rk_" + "test_" + account.hex


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Credentials:
    """Return sealing keys of this test's own, where the command finds them."""
    made = Credentials(tmp_path)
    made.ensure()
    monkeypatch.setenv("OPSEER_SECRETS_DIR", str(tmp_path))
    return made


@pytest.fixture
async def stored(database: FreshDatabase, credentials: Credentials) -> FreshDatabase:
    """Return a database with a sealed key for each of `ACCOUNTS`."""
    public = PublicFile(credentials.sealing_public)
    gateway = await Database.connect(database.login_url("gateway"))
    await gateway_keys.note(gateway, public.key)
    for account in ACCOUNTS:
        record = public.seal(
            Secret(secret_of(account)), SealedFor(account, "stripe", 7)
        )
        async with gateway.transaction(account) as connection:
            await connection.execute(
                "INSERT INTO gateway.account (account_id, plan) VALUES ($1, 'max')",
                account,
            )
            await connection.execute(INSERT, account, record)
    await gateway.close()
    return database


@pytest.fixture
def opseer(monkeypatch: pytest.MonkeyPatch, stored: FreshDatabase) -> Opseer:
    """Return what runs the command with the database's administrator."""
    monkeypatch.setenv("DATABASE_URL", stored.admin_url)

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, commands, arguments)

    return run


async def opened(database: Database, ring: RingFile, account: UUID) -> str:
    """Open an account's key as the collector does."""
    async with database.transaction() as connection:
        row = await connection.fetchrow(
            "SELECT * FROM gateway.read_sealed_key($1, 'stripe', $1)", account
        )
    assert row is not None
    return ring.open(
        row["config"], SealedFor(account, "stripe", row["key_version"])
    ).reveal()


async def test_no_key_is_away_while_they_are_rotated(
    opseer: Opseer, stored: FreshDatabase, credentials: Credentials
) -> None:
    """Rule: a running collector opens every key at every moment of two rotations."""
    collector = await Database.connect(stored.login_url("collector"))
    ring = RingFile(credentials.sealing_key)
    rotating, opens = asyncio.create_task(opseer("keys", "rotate")), 0
    for again in (False, True):
        while not rotating.done():
            for account in ACCOUNTS:
                assert await opened(collector, ring, account) == secret_of(account)
                opens += 1
        done = await rotating
        assert done.exit_code == 0, done.output
        assert "20 provider keys are sealed anew, 0 were already" in done.output
        if not again:
            rotating = asyncio.create_task(opseer("keys", "rotate"))
    assert opens > len(ACCOUNTS)
    assert ring.ring.primary == 3
    status = (await opseer("keys", "status")).output
    assert status.count("sealed to key 3") == len(ACCOUNTS)
    await collector.close()


async def test_a_key_in_use_is_not_removed(
    opseer: Opseer, stored: FreshDatabase, credentials: Credentials
) -> None:
    """Rule: a sealing key goes when no record needs it, never before."""
    refused = await opseer("keys", "remove", "1")
    assert "is the one in use" in str(refused.exception)
    before = credentials.sealing_key.read_bytes()
    rotated = sealing.read_key_ring(credentials.sealing_key).rotated()
    credentials.sealing_key.chmod(0o600)
    credentials.sealing_key.write_bytes(sealing.private_document(rotated))
    refused = await opseer("keys", "remove", "1")
    assert "20 provider keys are sealed to sealing key 1" in str(refused.exception)
    assert credentials.sealing_key.read_bytes() != before
    resumed = await opseer("keys", "rotate", "--resume")
    assert "20 provider keys are sealed anew" in resumed.output
    removed = await opseer("keys", "remove", "1")
    assert removed.exit_code == 0, removed.output
    assert list(sealing.read_key_ring(credentials.sealing_key).keys) == [2]
    assert credentials.sealing_key.stat().st_mode & 0o777 == 0o600
    connection = await asyncpg.connect(stored.admin_url)
    known = await connection.fetch("SELECT key_id FROM gateway.sealing_key")
    await connection.close()
    assert [row["key_id"] for row in known] == [2]


async def test_a_key_that_is_connected_meanwhile_stays(
    opseer: Opseer, stored: FreshDatabase, credentials: Credentials
) -> None:
    """Rule: replacing names the version it expects; a newer key is not overwritten."""
    account, newer = ACCOUNTS[0], b"\1" + bytes(309)
    collector = await Database.connect(stored.login_url("collector"))
    async with collector.transaction() as connection:
        replaced = await connection.fetchval(
            "SELECT gateway.replace_sealed_key($1, 'stripe', 6, 6, $2)", account, newer
        )
    assert replaced is False
    ring = RingFile(credentials.sealing_key)
    assert await opened(collector, ring, account) == secret_of(account)
    await collector.close()


async def test_services_do_not_start_with_a_foreign_key(
    opseer: Opseer, stored: FreshDatabase, tmp_path: Path
) -> None:
    """Rule: a key file of another database is one clear line, before any harm."""
    foreign = sealing.generate()
    gateway = await Database.connect(stored.login_url("gateway"))
    collector = await Database.connect(stored.login_url("collector"))
    with pytest.raises(ConfigError, match="sealing key 1 is not the one"):
        await gateway_keys.note(gateway, foreign.public())
    with pytest.raises(ConfigError, match="sealing key 1 is another one"):
        await sealing_keys.check(collector, foreign)
    (tmp_path / "sealing-key.json").chmod(0o600)
    (tmp_path / "sealing-key.json").write_bytes(sealing.private_document(foreign))
    given_up = await opseer("keys", "lost")
    assert "sealing key 1 is given up" in given_up.output
    await gateway_keys.note(gateway, foreign.public())
    await sealing_keys.check(collector, foreign)
    await gateway.close()
    await collector.close()


async def test_destinations_are_sealed_anew_as_well(
    opseer: Opseer, stored: FreshDatabase, credentials: Credentials
) -> None:
    """To the notifier's fresh key, which its running process reads; then the old goes.

    Going on with one that is done changes nothing.
    """
    notifier = RingFile(credentials.delivery_key)
    place = await a_destination(stored, notifier)
    before = notifier.open(await sealed_destination(stored), place).reveal()
    refused = await opseer("keys", "remove", "1", "--delivery")
    assert "the one in use" in str(refused.exception)
    rotated = await opseer("keys", "rotate")
    assert rotated.exit_code == 0
    record = await sealed_destination(stored)
    assert sealing.key_id_of(record) == 2
    assert notifier.open(record, place).reveal() == before
    assert PublicFile(credentials.delivery_public).key.key_id == 2
    assert (await opseer("keys", "rotate", "--resume")).exit_code == 0
    assert await sealed_destination(stored) == record
    add_key(Pair(credentials.delivery_key, credentials.delivery_public))
    needed = await opseer("keys", "remove", "2", "--delivery")
    assert "1 destinations are sealed to" in str(needed.exception)
    assert (await opseer("keys", "rotate", "--resume")).exit_code == 0
    assert (await opseer("keys", "remove", "2", "--delivery")).exit_code == 0
    assert (await opseer("keys", "remove", "1", "--delivery")).exit_code == 0
    assert set(RingFile(credentials.delivery_key).ring.keys) == {3}


async def a_destination(stored: FreshDatabase, keys: RingFile) -> SealedFor:
    """Add a destination, and return what its record is bound to."""
    gateway = await Database.connect(stored.login_url("gateway"))
    written = Alerts(gateway, keys.ring)
    owner = (ACCOUNTS[0], await written.user(ACCOUNTS[0]))
    address = SlackAddress("https://hooks.slack.com/services/T0/B0/x")
    made = await written.destination(owner, "slack", address)
    await gateway.close()
    return SealedFor(owner[0], str(made), 1, DESTINATION)


async def sealed_destination(stored: FreshDatabase) -> bytes:
    """Return the only destination's record."""
    connection = await asyncpg.connect(stored.admin_url)
    try:
        found: bytes = await connection.fetchval(
            "SELECT sealed FROM notifier.destination"
        )
    finally:
        await connection.close()
    return found
