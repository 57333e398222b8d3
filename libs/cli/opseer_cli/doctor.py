"""`opseer doctor`: one line per check, and what to do where one fails."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from typing_extensions import override

from opseer_cli import administration, backup_store, doctor_mail
from opseer_cli import doctor_store as store
from opseer_cli.credentials import Credentials, admin_seed_file
from opseer_cli.embedded_nats import EmbeddedNats
from opseer_cli.layout import Layout, holder_of, layout_of
from opseer_cli.service import login_url
from opseer_cli.settings import Settings
from opseer_common import bootstrap, migrate, topology
from opseer_common.clock import utc_now
from opseer_common.database import Connection
from opseer_common.errors import ConfigError

_OTHERS = 0o077
_SKEW = timedelta(seconds=2)
_MIGRATE = "run `opseer migrate` (`opseer up` does it at its start)"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; with `advice` it is a problem."""

    subject: str
    words: str
    advice: str | None = None

    @override
    def __str__(self) -> str:
        """Return the line."""
        if self.advice is None:
            return f"ok       {self.subject:<12} {self.words}"
        return f"problem  {self.subject:<12} {self.words}: {self.advice}"


async def examine(chosen: Settings) -> list[Finding]:
    """Return a finding per check. Nothing is changed and no key is opened."""
    layout = layout_of(chosen.data_dir)
    findings = [Finding("settings", "are known and fit"), await _mail(chosen)]
    if chosen.secrets_dir is None:
        findings += _data_directory(layout)
    embedded = chosen.database_url is None or chosen.nats_url is None
    if embedded and holder_of(layout) is None:
        words = f"Opseer does not run on {layout.root}"
        return [*findings, Finding("servers", words, "start it: make run")]
    credentials = Credentials(chosen.secrets_dir or layout.secrets)
    findings += [found async for found in _database(chosen, credentials)]
    findings += [found async for found in _bus(chosen, layout, credentials)]
    return findings


async def _mail(chosen: Settings) -> Finding:
    """Sign in at the mail server, where one is set."""
    if chosen.smtp is None:
        return Finding("mail", "no server is set: reports by mail need one")
    name = f"{chosen.smtp.host}:{chosen.smtp.port}"
    if (why := await doctor_mail.why_not(chosen.smtp)) is not None:
        return Finding("mail", f"{name}: {why}", "correct OPSEER_SMTP_URL")
    return Finding("mail", f"{name} takes our login")


def _data_directory(layout: Layout) -> Iterator[Finding]:
    """Look whether others can read what is secret."""
    if not layout.secrets.is_dir():
        yield Finding("data", f"none yet in {layout.root}")
        return
    files = [*layout.secrets.iterdir(), layout.setup_code]
    open_files = [str(f) for f in files if f.exists() and f.stat().st_mode & _OTHERS]
    if open_files:
        files_named = " ".join(open_files)
        yield Finding(
            "data", "other users can read secrets", f"chmod go= {files_named}"
        )
    elif not os.access(layout.root, os.W_OK):
        yield Finding(
            "data", f"{layout.root} is not writable", "run as the user who owns it"
        )
    else:
        yield Finding("data", f"{layout.root}, secrets closed to others")


async def _database(
    chosen: Settings, credentials: Credentials
) -> AsyncIterator[Finding]:
    """Look at the database; without one the rest of it is not looked at."""
    try:
        async with (
            administration.database_url(chosen, print) as url,
            backup_store.connected(url) as connection,
        ):
            yield Finding("database", f"Postgres {await store.version(connection)}")
            yield await _clock(connection)
            yield await _durability(connection)
            yield await _roles(connection)
            yield await _logins(url, credentials)
            migrations = await _migrations(connection)
            yield migrations
            if migrations.advice is None:
                yield await _news(connection)
                yield await _sealing(connection, chosen)
                for source in await store.connected_sources(connection):
                    yield _source(source)
    except ConfigError as error:
        yield Finding("database", str(error), "start it, or correct DATABASE_URL")


async def _clock(connection: Connection) -> Finding:
    """Compare the clocks: leases and report times stand on them."""
    before = utc_now()
    theirs = await store.now(connection)
    after = utc_now()
    skew = max(before - theirs, theirs - after, timedelta())
    words = f"{skew.total_seconds():.1f} s from the database's"
    if skew > _SKEW:
        return Finding("clock", words, "let NTP set both machines' clocks")
    return Finding("clock", words)


async def _durability(connection: Connection) -> Finding:
    """Look whether an acknowledged write can be lost."""
    if off := await store.unsafe_settings(connection):
        words = f"{', '.join(off)} off: a power cut loses figures"
        return Finding("durability", words, "turn on in postgresql.conf")
    return Finding("durability", "what is written stays written")


async def _roles(connection: Connection) -> Finding:
    """Look whether the roles may do what they must, and no more."""
    if weak := await store.weak_roles(connection):
        words = f"{', '.join(weak)} missing or with too many rights"
        return Finding("roles", words, _MIGRATE)
    try:
        await bootstrap.check_roles(connection)
    except ConfigError as error:
        return Finding("roles", str(error), "take that away with ALTER ROLE or REVOKE")
    return Finding("roles", "each service has a login of its own")


async def _logins(url: str, credentials: Credentials) -> Finding:
    """Sign in as each service."""
    refused = []
    try:
        passwords = credentials.passwords()
    except ConfigError as error:
        return Finding("logins", str(error), _MIGRATE)
    for role, password in passwords.items():
        try:
            connection = await asyncpg.connect(
                login_url(url, role, password), timeout=10
            )
        except (OSError, asyncpg.PostgresError):
            refused.append(role)
        else:
            await connection.close()
    if refused:
        return Finding("logins", f"{', '.join(refused)} refused", _MIGRATE)
    return Finding("logins", "each service can sign in")


async def _migrations(connection: Connection) -> Finding:
    """Compare the tables with this release."""
    try:
        applied = await backup_store.applied_migrations(connection)
    except asyncpg.PostgresError:
        return Finding("migrations", "none applied", _MIGRATE)
    known = {f"{m.package}/{m.name}": m.checksum for m in migrate.migrations()}
    if applied.keys() - known.keys():
        return Finding(
            "migrations", "of a newer release", "install that release of Opseer"
        )
    if missing := known.keys() - applied.keys():
        return Finding("migrations", f"{len(missing)} not applied", _MIGRATE)
    if applied != known:
        return Finding(
            "migrations", "files have changed", "install an unchanged release"
        )
    return Finding("migrations", f"all {len(known)} applied")


async def _news(connection: Connection) -> Finding:
    """Look whether what was said got onto the bus, and was understood."""
    found = await store.news(connection)
    late = [one.service for one in found if one.late]
    given_up = [one.service for one in found if one.given_up]
    if late:
        words = f"unsent messages of {', '.join(late)}"
        return Finding("news", words, "see whether the service and the bus run")
    if given_up:
        words = f"messages given up by {', '.join(given_up)}"
        return Finding("news", words, "see <schema>.dead_letter and the log")
    return Finding("news", "all sent and handled")


async def _sealing(connection: Connection, chosen: Settings) -> Finding:
    """Look whether the stored keys are sealed to a key that is here."""
    known = administration.sealing_checks(chosen)
    needed = await backup_store.sealing_key_ids(connection)
    missing = [str(key_id) for key_id in needed if key_id not in known]
    if missing:
        return Finding(
            "keys",
            f"sealed to sealing key {', '.join(missing)}, which is not here",
            "bring sealing-key.json back, or connect again",
        )
    return Finding("keys", "sealed to a key that is here" if needed else "none stored")


def _source(source: store.Connected) -> Finding:
    """Judge what the collector found out about a key."""
    subject = source.source
    account = f"account {source.account_id}"
    missing = [name for name, held in source.permissions.items() if held == "missing"]
    if source.state == "auth_failed":
        words = f"{account}: {source.detail or 'the key was refused'}"
        return Finding(subject, words, "connect it with a new key")
    if missing:
        words = f"{account}: the key may not read {', '.join(missing)}"
        return Finding(subject, words, "give it these at the provider, then refresh")
    if source.flags:
        words = f"{account}: {source.state}, {', '.join(source.flags)}"
        return Finding(subject, words, "see the dashboard for the reason")
    return Finding(subject, f"{account}: {source.state}")


async def _bus(
    chosen: Settings, layout: Layout, credentials: Credentials
) -> AsyncIterator[Finding]:
    """Look at the bus: reachable, and everything laid down."""
    try:
        url = chosen.nats_url or EmbeddedNats.url_of(layout)
        seed = admin_seed_file(url, credentials)
        client = await bootstrap.bus_administrator(url, seed)
    except (ConfigError, OSError) as error:
        yield Finding("bus", str(error), "start it, or correct NATS_URL and accounts")
        return
    try:
        server = client.connected_server_version
        yield Finding("bus", f"NATS {server.major}.{server.minor}.{server.patch}")
        yield await _laid_down(client.jetstream())
    finally:
        await client.close()


async def _laid_down(context: JetStreamContext) -> Finding:
    """Look for each stream and durable."""
    missing = []
    for stream in topology.streams():
        try:
            await context.stream_info(str(stream.name))
        except NotFoundError:
            missing.append(str(stream.name))
    for name, durable in topology.consumers():
        try:
            await context.consumer_info(name, str(durable.durable_name))
        except NotFoundError:
            missing.append(str(durable.durable_name))
    if missing:
        return Finding("streams", f"{', '.join(missing)} missing", _MIGRATE)
    return Finding("streams", "streams and durables are in place")
