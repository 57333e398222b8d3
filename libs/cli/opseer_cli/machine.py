"""Commands about this machine: up, demo, migrate, nats-config, status, a service."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from opseer_cli import demo as company
from opseer_cli import settings
from opseer_cli.credentials import credentials_for
from opseer_cli.layout import holder_of, layout_of
from opseer_cli.ports import is_free
from opseer_cli.processes import noted
from opseer_cli.supervisor import Supervisor
from opseer_cli.supervisor import migrate as prepare
from opseer_cli.up import Plan, run, until_stopped
from opseer_common import rights
from opseer_common.errors import ConfigError

_console = Console(highlight=False)


def _say(text: str) -> None:
    """Print one line of what is going on."""
    _console.print(text, markup=False, soft_wrap=True)


StopWithParent = Annotated[
    bool,
    typer.Option(
        "--stop-with-parent", help="Stop when the process that started it is gone."
    ),
]


def up(*, stop_with_parent: StopWithParent = False) -> None:
    """Run the whole system on this machine until Ctrl-C."""

    async def scene(supervisor: Supervisor) -> None:
        await until_stopped(supervisor, _say)

    plan = Plan(settings.read(), stop_with_parent=stop_with_parent)
    asyncio.run(run(plan, _say, scene))


def demo(
    *,
    once: Annotated[
        bool, typer.Option(help="Stop after the report (or set ONCE=1).")
    ] = False,
    stop_with_parent: StopWithParent = False,
) -> None:
    """Run the whole system with a made-up company connected to it."""
    chosen = settings.read()

    async def scene(supervisor: Supervisor) -> None:
        await company.play(supervisor, _console)
        if not (once or chosen.once):
            await until_stopped(supervisor, _say)

    plan = Plan(chosen, stop_with_parent=stop_with_parent)
    asyncio.run(run(plan, _say, scene))


def migrate() -> None:
    """Make roles, tables, streams and durables at DATABASE_URL and NATS_URL."""
    chosen = settings.read()
    if chosen.database_url is None or chosen.nats_url is None:
        raise ConfigError(
            "set DATABASE_URL and NATS_URL; `opseer up` migrates the embedded servers"
        )
    done = asyncio.run(
        prepare(chosen.database_url, chosen.nats_url, credentials_for(chosen))
    )
    _say(f"{done} migrations applied; roles, streams and durables are in place")


def nats_config() -> None:
    """Print the accounts block for the configuration of a NATS server of yours."""
    block = rights.accounts_block(credentials_for(settings.read()).public_keys())
    sys.stdout.write(block)


def status() -> None:
    """Say what runs on the data directory."""
    chosen = settings.read()
    layout = layout_of(chosen.data_dir)
    holder = holder_of(layout)
    if holder is None:
        _say(f"Opseer does not run on {layout.root}")
        raise typer.Exit(1)
    _say(f"Opseer runs on {layout.root} (process {holder})")
    for name, pid in noted(layout.run).items():
        _say(f"  {name:<10} process {pid}")
    listens = not is_free(chosen.port, chosen.host)
    _say(chosen.url if listens else "the gateway does not listen yet")


def gateway() -> None:
    """Run the gateway alone: HTTP API and pages."""
    _become("gateway")


def collector() -> None:
    """Run the collector alone: fetching from the providers."""
    _become("collector")


def mrr() -> None:
    """Run the MRR service alone."""
    _become("mrr")


def notifier() -> None:
    """Run the notifier alone: reports and their delivery."""
    _become("notifier")


def _become(service: str) -> NoReturn:
    """Turn this process into a service, so that signals reach it."""
    program = [sys.executable, "-m", f"opseer_{service}"]
    os.execv(sys.executable, program)  # noqa: S606 - a list, no shell
