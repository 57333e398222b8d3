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
from opseer_common.demo_account import ensure_demo_account
from opseer_common.errors import OpseerError

_SOURCE = "stripe"
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
        row = await api.integration(_SOURCE)
        if row["state"] not in _RUNNING:
            console.print("connecting the made-up company")
            await api.connect_demo(_SOURCE)
        await progress.follow(api, _SOURCE, console)
        yesterday = utc_now().date() - timedelta(days=1)
        earlier = row["state"] == "connected"
        if earlier and await _missing(api, yesterday):
            # The next daily round may be hours away.
            await api.refresh(_SOURCE)
            await progress.follow(api, _SOURCE, console)
        await _until_whole(api, yesterday)
        report = await api.report(yesterday, "text")
    console.print()
    console.print(report, markup=False, highlight=False)
    link = supervisor.settings.url + account.sign_in_path
    console.print(f"Sign in once with: {link}", soft_wrap=True)


async def _until_whole(api: Gateway, day: date) -> None:
    """Wait for the report of `day` with all its values.

    One without some of them is good enough after a while, as a user's own may be;
    one without MRR is an OpseerError.
    """
    began = time.monotonic()
    missing = await _missing(api, day)
    while missing:
        waited = time.monotonic() - began
        if "mrr" in missing and waited > _REPORT_TIMEOUT:
            raise OpseerError(f"the report of {day} has no MRR; see the logs")
        if "mrr" not in missing and waited > _REST_TIMEOUT:
            return
        await asyncio.sleep(_INTERVAL)
        missing = await _missing(api, day)


async def _missing(api: Gateway, day: date) -> set[str]:
    """Return which metrics of the source's channel have no value."""
    report = await api.report_document(day)
    values = {
        metric["key"]: metric["value"]
        for channel in report["channels"]
        if channel["source"] == _SOURCE
        for metric in channel["metrics"]
    }
    return {key for key in ("mrr", *values) if values.get(key) is None}
