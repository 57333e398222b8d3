"""`opseer user`: add one, reset a password, print a sign-in link."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.console import Console

from opseer_cli import administration, settings, user_store
from opseer_cli.backup_store import connected
from opseer_common import tokens
from opseer_common.clock import utc_now
from opseer_common.database import Connection
from opseer_common.errors import ConfigError
from opseer_common.passwords import encoded, hasher
from opseer_gateway.domain.credentials import check_email, check_password

commands = typer.Typer(help="The people who sign in.", no_args_is_help=True)
_console = Console(stderr=True, highlight=False)
_LINK_FOR = timedelta(hours=24)
_LONGEST_LINE: Final = 4096
Email = Annotated[str, typer.Argument(help="The e-mail address.")]


def _say(text: str) -> None:
    """Print one line; standard output is for links."""
    _console.print(text, markup=False, soft_wrap=True)


def add(
    email: Email,
    account: Annotated[
        UUID | None, typer.Option(help="Needed where there are several.")
    ] = None,
) -> None:
    """Add a user to the account; the first one gets a new account."""
    chosen, address = settings.read(), check_email(email)
    password_hash = _hashed(_asked_password())

    async def work(connection: Connection) -> None:
        now = utc_now()
        account_id = await user_store.choose_account(
            connection, account, chosen.default_plan, now
        )
        await user_store.add_user(connection, account_id, address, password_hash, now)
        _say(f"{address} may sign in to account {account_id}")

    _in_transaction(chosen, work)


def reset_password(email: Email) -> None:
    """Set a new password; the user's sessions end."""
    chosen, address = settings.read(), check_email(email)
    password_hash = _hashed(_asked_password())

    async def work(connection: Connection) -> None:
        user = await user_store.find_user(connection, address)
        await user_store.set_password(connection, user, password_hash, utc_now())
        _say("the password is changed; API tokens stay as they are")

    _in_transaction(chosen, work)


def sign_in_link(email: Email) -> None:
    """Print a link that signs the user in, once, within a day."""
    chosen, address, token = settings.read(), check_email(email), tokens.new_opaque()

    async def work(connection: Connection) -> None:
        user = await user_store.find_user(connection, address)
        until = utc_now() + _LINK_FOR
        await user_store.add_link(connection, user, tokens.hash_of(token), until)

    _in_transaction(chosen, work)
    sys.stdout.write(f"{chosen.url}/sign-in/{token}\n")


def _asked_password() -> str:
    """Return the password from the terminal, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("The same again: ") != password:
        raise ConfigError("the two are not the same")
    return password


def _hashed(password: str) -> str:
    """Return what is stored. RefusedError for a password that does not do."""
    check_password(password)
    return hasher().hash(encoded(password))


def _in_transaction(
    chosen: settings.Settings, work: Callable[[Connection], Awaitable[None]]
) -> None:
    """Run `work` as the administrator of the database."""

    async def run() -> None:
        async with (
            administration.database_url(chosen, _say) as url,
            connected(url) as connection,
            connection.transaction(),
        ):
            await work(connection)

    asyncio.run(run())


commands.command()(add)
commands.command("reset-password")(reset_password)
commands.command("sign-in-link")(sign_in_link)
