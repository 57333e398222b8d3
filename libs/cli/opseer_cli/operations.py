"""Commands of whoever runs Opseer: backup, restore, doctor."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from opseer_cli import administration, backup_store, doctor, settings
from opseer_cli.backup import Backup, Manifest, write
from opseer_common.clock import utc_now
from opseer_common.errors import ConfigError

_console = Console(stderr=True, highlight=False)
_PIPE = "-"
_PRIVATE = 0o600


def _say(text: str) -> None:
    """Print one line; standard output may be a backup."""
    _console.print(text, markup=False, soft_wrap=True)


def backup(
    file: Annotated[str, typer.Argument(help="A file that is made; - for a pipe.")],
    *,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Sealed provider keys too.")
    ] = False,
) -> None:
    """Save accounts, settings and figures, while Opseer runs or not."""
    chosen = settings.read()
    sealing_keys = administration.sealing_checks(chosen) if with_keys else None

    async def work() -> Manifest:
        async with (
            administration.database_url(chosen, _say) as url,
            backup_store.connected(url) as connection,
        ):
            with _target(file) as target:
                return await write(
                    connection,
                    target,
                    release=version("opseer"),
                    now=utc_now(),
                    keys=sealing_keys,
                )

    made = asyncio.run(work())
    rows = sum(entry.rows for entry in made.tables)
    _say(f"{rows} rows of {len(made.tables)} tables are saved")
    if not with_keys:
        _say("provider keys are left out (--with-keys): a restore asks for new ones")
    elif made.keys:
        _say("keep a copy of the sealing key elsewhere: no provider key opens without")


@contextmanager
def _target(file: str) -> Iterator[BinaryIO]:
    """Yield where a backup goes: a file appears whole or not at all."""
    if file == _PIPE:
        yield sys.stdout.buffer
        return
    path = Path(file)
    if path.exists():
        raise ConfigError(f"{path} exists: name a new file")
    new = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete what the database holds.")
    ] = False,
) -> None:
    """Put a backup back: all of it, or nothing."""
    chosen = settings.read()

    async def work(saved: Backup) -> None:
        async with (
            administration.database_url(chosen, _say, make=True) as url,
            backup_store.connected(url) as connection,
        ):
            await saved.restore(connection, replace=replace)

    with file.open("rb") as source:
        saved = Backup(source)
        saved.check_keys(administration.sealing_checks(chosen))
        asyncio.run(work(saved))
    made_at = saved.manifest.made_at.isoformat(timespec="seconds")
    _say(f"restored as of {made_at}; sessions and API tokens are not in a backup")
    if saved.manifest.keys is None:
        _say("provider keys are not in this one: connect each source again")


def check() -> None:
    """Look at everything that Opseer stands on; exit 1 where something is wrong."""
    chosen = settings.read()
    findings = asyncio.run(doctor.examine(chosen))
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    if any(finding.advice is not None for finding in findings):
        raise typer.Exit(1)
