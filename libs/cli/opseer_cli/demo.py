"""The demo: a made-up company, connected under an account of its own."""

from __future__ import annotations

import asyncio
import time
from datetime import date, timedelta

from rich.console import Console

from opseer_cli import progress
from opseer_cli.client import Gateway, gateway
from opseer_cli.supervisor import Supervisor
from opseer_common.clock import utc_now
from opseer_common.demo_account import DEMO_KEYS, ensure_demo_account
from opseer_common.errors import OpseerError

_SOURCES: tuple[str, ...] = tuple(DEMO_KEYS)
_REPORT_TIMEOUT = 120.0
_REST_TIMEOUT = 10.0
_INTERVAL = 0.5
# A demo of an earlier start goes on by itself.
_RUNNING = frozenset({"connected", "collecting"})


async def play(supervisor: Supervisor, console: Console) -> None:
    """Connect the company and print its report of yesterday and a sign-in link."""
    account = await ensure_demo_account(supervisor.database_url, clock=utc_now)
    url = supervisor.settings.local_url
    async with gateway(url, account.token) as api:
        states = {each: (await api.integration(each))["state"] for each in _SOURCES}
        for source in _SOURCES:
            if states[source] not in _RUNNING:
                console.print(f"connecting the made-up company: {source}")
                await api.connect_demo(source)
        for source in _SOURCES:
            await progress.follow(api, source, console)
        yesterday = utc_now().date() - timedelta(days=1)
        late = {source for source, _ in await _missing(api, yesterday)}
        for source in sorted(late):
            if states[source] == "connected":
                # The next daily round may be hours away.
                await api.refresh(source)
                await progress.follow(api, source, console)
        await _until_whole(api, yesterday)
        report = await api.report(yesterday, "text")
    console.print()
    console.print(report, markup=False, highlight=False)
    link = supervisor.settings.url + account.sign_in_path
    console.print(f"Sign in once with: {link}", soft_wrap=True)


async def _until_whole(api: Gateway, day: date) -> None:
    """Wait for the report of `day` with all values of all channels.

    One without some of them is good enough after a while, as a user's own may be;
    one without MRR is an OpseerError.
    """
    began = time.monotonic()
    missing = await _missing(api, day)
    while missing:
        waited = time.monotonic() - began
        without = [source for source, key in missing if key == "mrr"]
        if without and waited > _REPORT_TIMEOUT:
            names = ", ".join(sorted(without))
            raise OpseerError(
                f"the report of {day} has no MRR of {names}; see the logs"
            )
        if not without and waited > _REST_TIMEOUT:
            return
        await asyncio.sleep(_INTERVAL)
        missing = await _missing(api, day)


async def _missing(api: Gateway, day: date) -> set[tuple[str, str]]:
    """Return which metrics of which channels have no value."""
    report = await api.report_document(day)
    found = {
        (channel["source"], metric["key"]): metric["value"]
        for channel in report["channels"]
        for metric in channel["metrics"]
    }
    wanted = {(source, "mrr") for source in _SOURCES} | set(found)
    return {each for each in wanted if found.get(each) is None}
