"""When the demo's report is good enough to print."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from opseer_cli.client import Gateway, gateway
from opseer_cli.demo import _until_whole
from opseer_common.demo_account import DEMO_KEYS
from opseer_common.errors import OpseerError

_DAY = date(2026, 3, 1)
Reports = list[dict[str, int | None]]


@pytest.fixture
def reports() -> Reports:
    """Return the values of the reports to come; the last one stays."""
    return []


@pytest.fixture
async def api(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gateway]:
    """Return a gateway that gives `reports` one after the other."""
    monkeypatch.setattr("opseer_cli.demo._INTERVAL", 0.001)

    async def answer(_: web.Request) -> web.Response:
        values = reports.pop(0) if len(reports) > 1 else reports[0]
        metrics = [{"key": key, "value": value} for key, value in values.items()]
        channels = [{"source": each, "metrics": metrics} for each in DEMO_KEYS]
        return web.json_response({"channels": channels})

    app = web.Application()
    app.router.add_get("/api/v1/reports/daily", answer)
    async with (
        TestServer(app) as server,
        gateway(str(server.make_url("/")), "ops_token") as client,
    ):
        yield client


async def test_every_value_is_waited_for(api: Gateway, reports: Reports) -> None:
    """A report whose values come in one after the other is printed when whole."""
    reports += [{}, {"mrr": 1, "revenue": None}, {"mrr": 1, "revenue": 0}]
    await _until_whole(api, _DAY)
    assert reports == [{"mrr": 1, "revenue": 0}]


async def test_missing_value_is_no_reason_to_wait_for_ever(
    api: Gateway, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that stays away is printed as missing, as it is to any user."""
    monkeypatch.setattr("opseer_cli.demo._REST_TIMEOUT", 0.05)
    reports += [{"mrr": 1, "revenue": None}]
    await _until_whole(api, _DAY)


async def test_demo_without_mrr_fails(
    api: Gateway, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo whose MRR never comes says so."""
    monkeypatch.setattr("opseer_cli.demo._REPORT_TIMEOUT", 0.05)
    reports += [{"mrr": None, "revenue": 1}]
    with pytest.raises(OpseerError, match="has no MRR"):
        await _until_whole(api, _DAY)
