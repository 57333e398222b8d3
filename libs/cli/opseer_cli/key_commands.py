"""`opseer keys`: what is sealed to what, and rotating the sealing keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from opseer_cli import administration, backup_store, rotation, settings
from opseer_cli.credentials import Credentials
from opseer_cli.key_store import forget_lost, stored_keys
from opseer_cli.layout import layout_of
from opseer_cli.rotation import Pair, Sealed
from opseer_cli.settings import Settings
from opseer_common.database import Connection
from opseer_common.errors import ConfigError
from opseer_common.sealing import KeyRing

T = TypeVar("T")
_console = Console(stderr=True, highlight=False)
keys = typer.Typer(help="The sealed provider keys.", no_args_is_help=True)


def _say(text: str) -> None:
    """Print one line about the work."""
    _console.print(text, markup=False, soft_wrap=True)


def _on_database(chosen: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Return what `work` makes of the administrator's connection."""

    async def connected() -> T:
        async with (
            administration.database_url(chosen, _say) as url,
            backup_store.connected(url) as connection,
        ):
            return await work(connection)

    return asyncio.run(connected())


def _credentials(chosen: Settings) -> Credentials:
    """Return the files of the sealing keys. ConfigError where they are not here."""
    found = Credentials(chosen.secrets_dir or layout_of(chosen.data_dir).secrets)
    for file in (found.sealing_key, found.sealing_public):
        if not file.exists():
            raise ConfigError(f"{file} is not here: run this where both keys are")
    return found


@keys.command("status")
def status() -> None:
    """Say which keys are stored, and what each is sealed to. No key is opened."""
    chosen = settings.read()
    known = administration.sealing_checks(chosen)
    stored = _on_database(chosen, stored_keys)
    for line in [key.words(known.keys()) for key in stored] or ["no key is stored"]:
        sys.stdout.write(line + "\n")


def _pair(chosen: Settings) -> Pair:
    """Return the collector's pair of files."""
    found = _credentials(chosen)
    vault = administration.vault(chosen)
    return Pair(found.sealing_key, found.sealing_public, vault)


def _delivery_pair(chosen: Settings) -> Pair | None:
    """Return the notifier's pair of files; None where nothing is delivered."""
    found = _credentials(chosen)
    pair = Pair(found.delivery_key, found.delivery_public)
    return pair if pair.private.exists() and pair.public.exists() else None


def _rotated(pair: Pair, name: str, *, resume: bool) -> KeyRing:
    """Return the keys with a fresh primary one, or as a rotation left them."""
    if resume:
        return rotation.publish(pair)
    ring = rotation.add_key(pair)
    _say(f"{name} {ring.primary} is made: keep a copy of {pair.private.name}")
    return ring


@keys.command("rotate")
def rotate(
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with one that broke off.")
    ] = False,
) -> None:
    """Make fresh sealing keys and seal every stored key to them, while Opseer runs.

    So, too, the addresses and secrets of destinations.
    """
    chosen = settings.read()
    ring = _rotated(_pair(chosen), "sealing key", resume=resume)
    delivery = _delivery_pair(chosen)
    others = None
    if delivery is not None:
        others = _rotated(delivery, "delivery key", resume=resume)

    async def work(connection: Connection) -> tuple[Sealed, Sealed | None]:
        sealed = await rotation.seal_anew(connection, ring)
        if others is None:
            return sealed, None
        return sealed, await rotation.seal_destinations_anew(connection, others)

    provider_keys, destinations = _on_database(chosen, work)
    well = _told(provider_keys, "provider keys", "the key of {}: connect it again")
    if destinations is not None:
        what = "the destination {}: add it again"
        well = _told(destinations, "destinations", what) and well
    if not well:
        raise typer.Exit(1)


def _told(sealed: Sealed, name: str, what: str) -> bool:
    """Say how it went; return whether each record was opened."""
    _say(f"{sealed.anew} {name} are sealed anew, {sealed.already} were already")
    for place in sealed.unreadable:
        _say(f"no sealing key here opens {what.format(place)}")
    return not sealed.unreadable


@keys.command("remove")
def remove(
    key_id: Annotated[int, typer.Argument(help="See keys status.")],
    *,
    delivery: Annotated[
        bool, typer.Option("--delivery", help="The notifier's key of that number.")
    ] = False,
) -> None:
    """Delete an old sealing key that no stored key needs. Backups may still need it."""
    chosen = settings.read()
    pair = _delivery_pair(chosen) if delivery else _pair(chosen)
    if pair is None:
        raise ConfigError("there is no delivery key here")
    take_out = rotation.remove_delivery_key if delivery else rotation.remove_key
    _on_database(chosen, lambda connection: take_out(connection, pair, key_id))
    name = "delivery key" if delivery else "sealing key"
    _say(f"{name} {key_id} is gone; backups sealed to it don't open any more")


@keys.command("wrap")
def wrap() -> None:
    """Have the vault of OPSEER_VAULT_ADDR wrap sealing-key.json: no plain key stays."""
    chosen = settings.read()
    vault = administration.vault(chosen)
    if vault is None:
        raise ConfigError("set OPSEER_VAULT_ADDR and OPSEER_VAULT_TOKEN_FILE")
    rotation.wrap(_credentials(chosen), vault)
    _say("sealing-key.json is wrapped: the collector needs OPSEER_VAULT_ADDR too")


@keys.command("lost")
def lost() -> None:
    """Start without a sealing key that is gone for good. Its sources connect anew."""
    chosen = settings.read()
    known = administration.sealing_checks(chosen)
    gone = _on_database(chosen, lambda connection: forget_lost(connection, known))
    for key_id in gone:
        _say(f"sealing key {key_id} is given up: connect what was sealed to it again")
    if not gone:
        _say("every sealing key of this database is here")
