"""The demo: a made-up company, connected under an account of its own."""

from __future__ import annotations

import asyncio
import time
from datetime import date, timedelta
from typing import Any

from rich.console import Console

from opseer_cli import progress
from opseer_cli.client import Gateway, gateway
from opseer_cli.supervisor import Supervisor
from opseer_common.clock import utc_now
from opseer_common.demo_account import ensure_demo_account
from opseer_common.errors import OpseerError

_SOURCE = "stripe"
_REPORT_TIMEOUT = 120.0
_INTERVAL = 0.5
# A demo of an earlier start goes on by itself.
_RUNNING = frozenset({"connected", "collecting"})


async def play(supervisor: Supervisor, console: Console) -> None:
    """Connect the company and print its report of yesterday and a sign-in link."""
    if supervisor.simulator is None:
        raise AssertionError("a demo without its company")
    account = await ensure_demo_account(supervisor.database_url, clock=utc_now)
    url = supervisor.settings.local_url
    async with gateway(url, account.token) as api:
        row = await api.integration(_SOURCE)
        if row["state"] not in _RUNNING:
            console.print("connecting the made-up company")
            await api.connect(_SOURCE, supervisor.simulator.company.key)
        await progress.follow(api, _SOURCE, console)
        yesterday = utc_now().date() - timedelta(days=1)
        await _report_with_mrr(api, yesterday)
        report = await api.report(yesterday, "text")
    console.print()
    console.print(report, markup=False, highlight=False)
    link = supervisor.settings.url + account.sign_in_path
    console.print(f"Sign in once with: {link}", soft_wrap=True)


async def _report_with_mrr(api: Gateway, day: date) -> None:
    """Wait until the report of `day` has its MRR. OpseerError when it never comes."""
    deadline = time.monotonic() + _REPORT_TIMEOUT
    while not _has_mrr(await api.report_document(day)):
        if time.monotonic() > deadline:
            raise OpseerError(f"the report of {day} has no MRR; see the logs")
        await asyncio.sleep(_INTERVAL)


def _has_mrr(report: dict[str, Any]) -> bool:
    """Return whether the source's channel has a value for MRR."""
    return any(
        metric["value"] is not None
        for channel in report["channels"]
        if channel["source"] == _SOURCE
        for metric in channel["metrics"]
        if metric["key"] == "mrr"
    )
