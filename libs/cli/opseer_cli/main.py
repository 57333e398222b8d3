"""The `opseer` command.

Exit status 0, 78 for wrong settings or environment, 1 for whatever else fails; an
error is one clear line and never a traceback.
"""

from __future__ import annotations

from typing import NoReturn

import typer

from opseer_cli import key_commands, machine, offline, operations, remote, users
from opseer_common.errors import ConfigError, OpseerError
from opseer_common.run import EX_CONFIG

commands = typer.Typer(
    help="Self-hosted revenue reporting for Stripe, RevenueCat and Polar.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (
    machine.up,
    machine.demo,
    machine.migrate,
    machine.status,
    machine.gateway,
    machine.collector,
    machine.mrr,
    machine.notifier,
    remote.report,
    remote.export,
    remote.connect,
    remote.refresh,
    remote.history,
    remote.disconnect,
    operations.backup,
    operations.restore,
    offline.explain,
    offline.version,
):
    commands.command()(_command)
commands.command("nats-config")(machine.nats_config)
commands.command("doctor")(operations.check)
commands.add_typer(key_commands.keys, name="keys")
commands.add_typer(users.commands, name="user")


def app() -> None:
    """Be the `opseer` command: errors raised on purpose become words and a status."""
    try:
        commands()
    except ConfigError as error:
        _fail(error, EX_CONFIG)
    except (OpseerError, OSError) as error:
        _fail(error, 1)


def _fail(error: Exception, status: int) -> NoReturn:
    """Say what is wrong and exit."""
    typer.echo(f"opseer: {error}", err=True)
    raise SystemExit(status)
