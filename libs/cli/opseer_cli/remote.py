"""Commands against a running gateway: report, export, connect, refresh, disconnect."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Annotated, Literal

import typer
from rich.console import Console

from opseer_cli import settings
from opseer_cli.changes import csv_of
from opseer_cli.client import Gateway
from opseer_cli.client import gateway as gateway_at
from opseer_cli.progress import follow, follow_history
from opseer_common.errors import ConfigError

_console = Console(stderr=True, highlight=False)
_KEY_LIMIT = 4096


Source = Literal["stripe", "revenuecat", "polar"]
Form = Literal["text", "json", "html"]
Figures = Literal["daily", "movements", "changes"]
_ROUTES: Mapping[Figures, str] = MappingProxyType(
    {
        "daily": "revenue/daily",
        "movements": "mrr/movements",
        "changes": "mrr/movements",
    }
)
Url = Annotated[
    str | None, typer.Option(help="The gateway; default from OPSEER_PUBLIC_URL.")
]
Token = Annotated[
    str | None, typer.Option(help="An API token; OPSEER_TOKEN keeps it out of ps.")
]


def report_day(text: str) -> date | None:
    """Read a day; None for yesterday, which the gateway knows. typer.BadParameter."""
    if text == "yesterday":
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise typer.BadParameter("--date is YYYY-MM-DD or yesterday") from None


def report(
    day: Annotated[
        str, typer.Option("--date", metavar="DAY", help="YYYY-MM-DD or yesterday.")
    ] = "yesterday",
    form: Annotated[Form, typer.Option("--format")] = "text",
    url: Url = None,
    token: Token = None,
) -> None:
    """Print the daily report."""

    async def ask(api: Gateway) -> None:
        text = await api.report(report_day(day), form)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    _call(ask, url, token)


def export(
    what: Figures,
    *,
    source: Annotated[Source, typer.Option()] = "stripe",
    csv: Annotated[bool, typer.Option("--csv", help="CSV; else JSON.")] = False,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"])
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"])
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Print daily revenue or MRR movements, a row per day, or the changes behind.

    Amounts are in minor units.
    """
    query: dict[str, str] = {"source": source}
    if csv and what != "changes":
        query["format"] = "csv"
    for name, day in (("from", since), ("to", until)):
        if day is not None:
            query[name] = day.date().isoformat()

    async def ask(api: Gateway) -> None:
        text = await api.figures(_ROUTES[what], query)
        if what == "changes":
            text = await _changes(api, source, text, csv=csv)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    _call(ask, url, token)


async def _changes(api: Gateway, source: Source, movements: str, *, csv: bool) -> str:
    """Return the changes of every day that `movements` has."""
    days = [row["date"] for row in json.loads(movements)["rows"]]
    found = [
        await api.figures(f"mrr/movements/{day}/changes", {"source": source})
        for day in days
    ]
    if csv:
        return csv_of(json.loads(day) for day in found)
    return f"[{','.join(found)}]"


def connect(
    source: Source,
    *,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the key from standard input.")
    ] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Connect a payment channel with a read-only key."""
    if not key_stdin:
        raise ConfigError(
            "give --key-stdin and the key on standard input: "
            "an argument would show in the list of processes"
        )
    key = sys.stdin.read(_KEY_LIMIT).strip()

    async def ask(api: Gateway) -> None:
        await api.connect(source, key)
        await _until_done(api, source)

    _call(ask, url, token)


def refresh(source: Source, url: Url = None, token: Token = None) -> None:
    """Fetch the last 90 days again."""

    async def ask(api: Gateway) -> None:
        await api.refresh(source)
        await _until_done(api, source)

    _call(ask, url, token)


def history(source: Source, url: Url = None, token: Token = None) -> None:
    """Estimate MRR of the twelve months before the exact days, from invoices."""

    async def ask(api: Gateway) -> None:
        run_id = (await api.ask_history(source))["run_id"]
        found = await follow_history(api, source, run_id, _console)
        rows = found["rows"]
        days = f"{rows[0]['date']} to {rows[-1]['date']}" if rows else "no days"
        reason = f" ({found['reason']})" if found["reason"] else ""
        _console.print(f"{source}: estimated MRR of {days}{reason}")

    _call(ask, url, token)


def disconnect(source: Source, url: Url = None, token: Token = None) -> None:
    """Delete a channel's key, transactions, movements and reports."""

    async def ask(api: Gateway) -> None:
        await api.disconnect(source)
        _console.print(f"{source} is disconnected; its data are gone")

    _call(ask, url, token)


async def _until_done(api: Gateway, source: Source) -> None:
    """Show the run and what it left."""
    row = await follow(api, source, _console)
    flags = f" ({', '.join(row['flags'])})" if row["flags"] else ""
    _console.print(f"{source}: {row['state']}{flags}")


def _call(
    ask: Callable[[Gateway], Awaitable[None]], url: str | None, token: str | None
) -> None:
    """Run `ask` against the gateway that the options or the settings name."""
    chosen = settings.read()
    secret = token or chosen.token
    if secret is None:
        raise ConfigError("set OPSEER_TOKEN or give --token: an API token of yours")

    async def work() -> None:
        async with gateway_at(url or chosen.url, secret) as api:
            await ask(api)

    asyncio.run(work())
