"""A collection run in the terminal: stage, bar and time left."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from opseer_cli.client import Gateway
from opseer_common.errors import OpseerError

_INTERVAL = 0.5


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


async def follow(gateway: Gateway, source: str, console: Console) -> dict[str, Any]:
    """Show the run of `source` until it is over; return the row at its end.

    Raises OpseerError when the provider refuses the key meanwhile.
    """
    with _bar(console) as bar:
        task = bar.add_task(f"collecting from {source}", total=None)
        while True:
            row = await gateway.integration(source)
            if row["state"] == "auth_failed":
                error = row["last_error"] or {"detail": "the key was refused"}
                raise OpseerError(f"AUTH_FAILED: {error['detail']}")
            progress = row["progress"]
            if progress is None and row["state"] != "collecting":
                return row
            if progress is not None:
                bar.update(
                    task,
                    description=f"{source}: {progress['stage']}",
                    completed=progress["done"] or 0,
                    total=progress["total"],
                )
            await asyncio.sleep(_INTERVAL)


async def follow_history(
    gateway: Gateway, source: str, run_id: str, console: Console
) -> dict[str, Any]:
    """Show the run that reads older history until it is over; return what it left.

    Raises OpseerError where it failed.
    """
    with _bar(console) as bar:
        task = bar.add_task(f"reading older history of {source}", total=None)
        while True:
            found = await gateway.history(source)
            run = found["run"]
            if run is not None and run["run_id"] == run_id:
                progress = run["progress"]
                if run["state"] == "failed":
                    raise OpseerError(f"AUTH_FAILED: {source} refuses the key")
                if progress is None and found["reason"] != "COLLECTING":
                    return found
                if progress is not None:
                    bar.update(
                        task, completed=progress["done"], total=progress["total"]
                    )
            await asyncio.sleep(_INTERVAL)
