"""Searching charges, where the account may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from opseer_simulator.search import LAG
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

KEY = "rk_" + "test_" + "a1B2c3D4e5F6g7H8"
Client = TestClient[Request, Application]


@pytest.fixture
async def client(full: Simulation) -> AsyncIterator[Client]:
    """Serve the full company, allowed to search."""
    async with TestClient(TestServer(make_app(full, [KEY]))) as client:
        await client.post("/_control/search", json={"enabled": True})
        yield client


async def _search(client: Client, query: str, more: str = "") -> tuple[int, Any]:
    url = f"/v1/charges/search?query={quote(query)}{more}"
    answer = await client.get(url, headers={"Authorization": f"Bearer {KEY}"})
    return answer.status, await answer.json()


async def test_failed_charges_are_found_newest_first(
    client: Client, full: Simulation
) -> None:
    """Page by page, every one and nothing else."""
    found: list[dict[str, Any]] = []
    cursor, more = "", True
    while more:
        status, page = await _search(client, "status:'failed'", f"&limit=7{cursor}")
        assert (status, page["object"]) == (200, "search_result")
        assert len(page["data"]) <= 7
        found += page["data"]
        more = page["has_more"]
        assert (page["next_page"] is not None) == more
        cursor = f"&page={page['next_page']}"
    failed = [c.id for c in full.books().charges.all() if c.status == "failed"]
    assert [charge["id"] for charge in found] == failed[::-1]
    assert len(failed) > 7


async def test_clauses_are_joined_by_and(client: Client, full: Simulation) -> None:
    """Status, a window of creation, currency, and what is not."""
    since = full.now() - 40 * 86_400
    query = f"status:'succeeded' AND created>={since} AND -currency:'usd'"
    _, page = await _search(client, query, "&limit=100")
    wanted = [
        c.id
        for c in full.books().charges.all()
        if c.status == "succeeded" and c.created >= since and c.currency != "usd"
    ]
    assert [charge["id"] for charge in page["data"]] == wanted[::-1][:100]
    assert wanted


async def test_the_newest_minute_is_not_found_yet(
    client: Client, full: Simulation
) -> None:
    """A charge can be searched a minute after it was made."""
    newest = full.books().charges.all()[-1].created
    late = await client.post(
        "/_control/clock", json={"offset_seconds": newest + LAG - 1 - full.now()}
    )
    assert late.status == 200
    try:
        _, page = await _search(client, f"created>={newest}")
        assert page["data"] == []
        await client.post("/_control/clock", json={"offset_seconds": 0})
        _, page = await _search(client, f"created>={newest}")
        assert {charge["created"] for charge in page["data"]} == {newest}
    finally:
        full.offset_seconds = 0


@pytest.mark.parametrize("query", ["", "failed", "status>'failed'", "colour:'red'"])
async def test_what_is_no_query_is_refused(client: Client, query: str) -> None:
    """400 that names the parameter."""
    status, body = await _search(client, query)
    assert (status, body["error"]["param"]) == (400, "query")


async def test_an_account_may_have_no_search(client: Client) -> None:
    """400, as for merchants of some countries."""
    await client.post("/_control/search", json={"enabled": False})
    status, body = await _search(client, "status:'failed'")
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
