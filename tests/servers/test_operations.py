"""`opseer user`, `export`, `keys` and `migrate` against real servers and a gateway."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from opseer_cli import backup_store
from opseer_cli.backup import Backup, write
from opseer_cli.credentials import Credentials
from opseer_cli.main import commands
from opseer_common.clock import utc_now
from opseer_common.errors import ConfigError, RefusedError
from opseer_common.testing.every_table import fill
from opseer_common.testing.gateway import PASSWORD, RunningGateway
from opseer_common.testing.published import publisher
from opseer_common.testing.servers import FreshBus, FreshDatabase

Opseer = Callable[..., Awaitable[Result]]
EMAIL = "owner@example.com"


@pytest.fixture
def opseer(monkeypatch: pytest.MonkeyPatch, database: FreshDatabase) -> Opseer:
    """Return what runs the command with the database's administrator."""
    monkeypatch.setenv("DATABASE_URL", database.admin_url)

    async def run(*arguments: str, given: str = "") -> Result:
        return await asyncio.to_thread(
            CliRunner().invoke, commands, arguments, input=given
        )

    return run


async def login(gateway: RunningGateway, password: str, email: str = EMAIL) -> int:
    """Return the status of signing in."""
    body = {"email": email, "password": password}
    return (await gateway.call("POST", "/api/v1/auth/login", json=body)).status


async def test_first_user_gets_an_account(
    opseer: Opseer, gateway: RunningGateway
) -> None:
    """Rule: somebody can begin without the setup page too."""
    done = await opseer("user", "add", EMAIL, given=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert await login(gateway, PASSWORD) == 200
    (row,) = await gateway.fetch("SELECT plan, demo FROM gateway.account")
    assert (row["plan"], row["demo"]) == ("max", False)


async def test_next_user_joins_the_account(
    opseer: Opseer, gateway: RunningGateway
) -> None:
    """Rule: a second user sees the figures of the first one's account."""
    owner = await gateway.sign_up(EMAIL)
    done = await opseer("user", "add", "two@example.com", given=f"{PASSWORD}2\n")
    assert done.exit_code == 0, done.output
    assert await login(gateway, f"{PASSWORD}2", "two@example.com") == 200
    rows = await gateway.fetch("SELECT DISTINCT account_id FROM gateway.app_user")
    assert [row["account_id"] for row in rows] == [owner.account_id]


async def test_several_accounts_are_told_apart(
    opseer: Opseer, gateway: RunningGateway
) -> None:
    """Rule: where it is not clear which account is meant, nothing is guessed."""
    await gateway.sign_up("one@example.com")
    second = await gateway.sign_up("two@example.com")
    done = await opseer("user", "add", EMAIL, given=f"{PASSWORD}\n")
    assert isinstance(done.exception, ConfigError)
    assert str(second.account_id) in str(done.exception)
    chosen = ("--account", str(second.account_id))
    done = await opseer("user", "add", EMAIL, *chosen, given=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert await login(gateway, PASSWORD) == 200


async def test_users_are_refused_like_in_the_gateway(
    opseer: Opseer, gateway: RunningGateway
) -> None:
    """Rule: short passwords, odd addresses and known ones are refused in words."""
    await gateway.sign_up(EMAIL)
    for arguments, given, error, words in (
        (("add", "two@example.com"), "short\n", RefusedError, "INVALID_PASSWORD"),
        (("add", "no address"), "long enough\n", RefusedError, "INVALID_EMAIL"),
        (("add", EMAIL.upper()), "long enough\n", ConfigError, "already"),
        (("reset-password", "x@example.com"), "long enough\n", ConfigError, "no user"),
        (("sign-in-link", "x@example.com"), "", ConfigError, "no user"),
    ):
        done = await opseer("user", *arguments, given=given)
        assert isinstance(done.exception, error), arguments
        assert words in str(done.exception)


async def test_reset_password_ends_sessions(
    opseer: Opseer, gateway: RunningGateway
) -> None:
    """Rule: the old password and the old session are worth nothing."""
    owner = await gateway.sign_up(EMAIL)
    session = await gateway.sign_in(owner)
    done = await opseer("user", "reset-password", EMAIL, given="another password\n")
    assert done.exit_code == 0, done.output
    assert await login(gateway, PASSWORD) == 401
    assert await login(gateway, "another password") == 200
    answer = await gateway.call("GET", "/api/v1/integrations", headers=session)
    assert answer.status == 401


async def test_sign_in_link_works_once(
    opseer: Opseer, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: the printed link leads to the sign-in; a newer one replaces it."""
    await gateway.sign_up(EMAIL)
    monkeypatch.setenv("OPSEER_PUBLIC_URL", gateway.url)
    links = []
    for _ in range(2):
        done = await opseer("user", "sign-in-link", EMAIL)
        assert done.exit_code == 0, done.output
        links.append(done.stdout.strip().removeprefix(gateway.url))
    texts = [(await gateway.call("GET", link)).status for link in links]
    assert links[0] != links[1]
    assert texts[1] == 200
    rows = await gateway.fetch("SELECT expires_at FROM gateway.sign_in_link")
    (left,) = [row["expires_at"] - utc_now() for row in rows]
    assert timedelta(hours=23) < left <= timedelta(hours=24)


async def test_export_prints_csv(
    opseer: Opseer,
    gateway: RunningGateway,
    database: FreshDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule: rows of daily revenue and of movements, a column per field."""
    owner = await gateway.sign_up()
    monkeypatch.setenv("OPSEER_PUBLIC_URL", gateway.url)
    monkeypatch.setenv("OPSEER_TOKEN", owner.token)
    yesterday = utc_now().date() - timedelta(days=1)
    async with publisher(database) as world:
        of = await world.connect(owner.account_id)
        await world.daily(of, yesterday, 1_234, 2)
        await world.movement(of, yesterday, 50_000)
        await world.publish(of, 1, utc_now(), permissions={"events": "ok"})
    day = ("--from", str(yesterday), "--to", str(yesterday))
    for what, column, value in (
        ("daily", "net_revenue", "1234"),
        ("movements", "snapshot", "50000"),
    ):
        done = await opseer("export", what, "--csv", *day)
        assert done.exit_code == 0, done.output
        (row,) = csv.DictReader(io.StringIO(done.stdout))
        assert (row["date"], row[column]) == (str(yesterday), value)


async def test_keys_status_opens_nothing(
    opseer: Opseer,
    database: FreshDatabase,
    server_credentials: Credentials,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule: which key, sealed to which sealing key; no opening is logged."""
    await fill(database.admin_url)
    monkeypatch.setenv("OPSEER_SECRETS_DIR", str(server_credentials.folder))
    done = await opseer("keys", "status")
    (line,) = done.stdout.splitlines()
    assert "stripe" in line
    assert "version 7  sealed to key 1  " in line
    monkeypatch.setenv("OPSEER_SECRETS_DIR", str(tmp_path))
    done = await opseer("keys", "status")
    assert "sealed to key 1, which is not here" in done.stdout


async def test_migrate_takes_its_secrets_from_files(
    opseer: Opseer,
    other_database: FreshDatabase,
    bus: FreshBus,
    server_credentials: Credentials,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule: as in a container: a URL in a file, a folder of secrets, nothing made."""
    folder = tmp_path / "secrets"
    shutil.copytree(server_credentials.folder, folder)
    (tmp_path / "url").write_text(other_database.admin_url)
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("NATS_URL", bus.url)
    monkeypatch.setenv("OPSEER_SECRETS_DIR", str(folder))
    done = await opseer("migrate")
    assert done.exit_code == 0, done.output
    assert "0 migrations applied" in done.output
    (folder / "database-opseer_mrr.password").unlink()
    done = await opseer("migrate")
    assert isinstance(done.exception, ConfigError)
    assert "opseer_mrr.password: No such file" in str(done.exception)


async def test_restored_without_keys(
    gateway: RunningGateway,
    start_gateway: Callable[..., Awaitable[RunningGateway]],
    database: FreshDatabase,
    other_database: FreshDatabase,
) -> None:
    """Rule: the source shows that it needs a key, and its figures are still there."""
    owner = await gateway.sign_up(EMAIL)
    yesterday = utc_now().date() - timedelta(days=1)
    async with publisher(database) as world:
        of = await world.connect(owner.account_id)
        await world.daily(of, yesterday, 1_234, 2)
        await world.publish(of, 1, utc_now(), permissions={"events": "ok"})
    target = io.BytesIO()
    async with backup_store.connected(database.admin_url) as connection:
        await write(connection, target, release="0.1.0", now=utc_now(), keys=None)
    async with backup_store.connected(other_database.admin_url) as connection:
        await Backup(target).restore(connection, replace=False)
    moved = await start_gateway(database_url=other_database.login_url("gateway"))
    session = await moved.sign_in(owner)
    path = "/api/v1/integrations/stripe"
    row = (await moved.call("GET", path, headers=session)).json
    assert row["state"] == "auth_failed"
    assert row["last_error"]["code"] == "AUTH_FAILED"
    assert "without keys. Connect again" in row["last_error"]["detail"]
    path = f"/api/v1/revenue/daily?source=stripe&from={yesterday}&to={yesterday}"
    (day,) = (await moved.call("GET", path, headers=session)).json["rows"]
    assert day["net_revenue"] == 1_234
