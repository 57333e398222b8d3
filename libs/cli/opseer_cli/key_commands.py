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
from opseer_cli.settings import Settings
from opseer_common.database import Connection
from opseer_common.errors import ConfigError
from opseer_common.key_files import read_ring

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


@keys.command("rotate")
def rotate(
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with one that broke off.")
    ] = False,
) -> None:
    """Make a fresh sealing key and seal every stored key to it, while Opseer runs."""
    chosen = settings.read()
    credentials, vault = _credentials(chosen), administration.vault(chosen)
    if resume:
        ring = read_ring(credentials.sealing_key, vault)
        rotation.publish(credentials, ring)
    else:
        ring = rotation.add_key(credentials, vault)
        _say(f"sealing key {ring.primary} is made: keep a copy of sealing-key.json")
    sealed = _on_database(
        chosen, lambda connection: rotation.seal_anew(connection, ring)
    )
    _say(f"{sealed.anew} provider keys are sealed anew, {sealed.already} were already")
    for place in sealed.unreadable:
        _say(f"no sealing key here opens the key of {place}: connect it again")
    if sealed.unreadable:
        raise typer.Exit(1)


@keys.command("remove")
def remove(key_id: Annotated[int, typer.Argument(help="See keys status.")]) -> None:
    """Delete an old sealing key that no stored key needs. Backups may still need it."""
    chosen = settings.read()
    credentials, vault = _credentials(chosen), administration.vault(chosen)

    async def work(connection: Connection) -> None:
        await rotation.remove_key(connection, credentials, vault, key_id)

    _on_database(chosen, work)
    _say(f"sealing key {key_id} is gone; backups sealed to it don't open any more")


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
