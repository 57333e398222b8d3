"""The `opseer` command.

Exit status 0, 78 for wrong settings or environment, 1 for whatever else fails; an
error is one clear line and never a traceback.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup

from opseer_cli import machine, remote
from opseer_cli.explain import explain_cases
from opseer_common.errors import ConfigError, OpseerError
from opseer_common.run import EX_CONFIG


class _OneLineErrors(TyperGroup):
    """Turns what Opseer raises on purpose into words and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            typer.echo(f"opseer: {error}", err=True)
            raise typer.Exit(EX_CONFIG) from None
        except OpseerError as error:
            typer.echo(f"opseer: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_OneLineErrors,
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
    remote.connect,
    remote.refresh,
    remote.disconnect,
):
    app.command()(_command)
app.command("nats-config")(machine.nats_config)


@app.command()
def explain(
    cases: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="A file of cases.")
    ],
) -> None:
    """Compute MRR and movements of cases in a file; needs no services."""
    for line in explain_cases(cases.read_bytes()):
        sys.stdout.write(line + "\n")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(installed_version("opseer"))
