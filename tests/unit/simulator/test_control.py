"""What the control API breaks, counts and tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation, truth_of

KEY = "rk_" + "test_" + "a1B2c3D4e5F6g7H8"

Client = TestClient[Request, Application]


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[Client]:
    """Serve the small company with nothing broken yet."""
    async with TestClient(TestServer(make_app(simulation, [KEY]))) as client:
        yield client


async def _get(client: Client, url: str) -> ClientResponse:
    return await client.get(url, headers={"Authorization": f"Bearer {KEY}"})


async def _set(client: Client, what: str, **body: Any) -> int:
    return (await client.post(f"/_control/{what}", json=body)).status


@pytest.mark.parametrize(
    ("wording", "start", "named"),
    [
        ("old", "The provided key 'rk_test_", "'rak_plan_read'"),
        ("new", "Permission denied. ", "\"Prices Read\" ('plan_read')"),
    ],
)
async def test_a_missing_permission_is_a_403_that_names_it(
    client: Client, wording: str, start: str, named: str
) -> None:
    """Either wording names the permission; other lists still answer."""
    await _set(client, "permissions", missing=["prices"], wording=wording)
    answer = await _get(client, "/v1/prices")
    message = (await answer.json())["error"]["message"]
    assert answer.status == 403
    assert message.startswith(start)
    assert named in message
    assert KEY not in message
    assert (await _get(client, "/v1/charges")).status == 200


async def test_expanding_needs_the_permission_of_what_is_expanded(
    client: Client,
) -> None:
    """Without customers a charge's customer cannot be expanded."""
    await _set(client, "permissions", missing=["rak_customer_read"])
    answer = await _get(client, "/v1/charges?expand[]=data.customer")
    assert answer.status == 403


@pytest.mark.parametrize(
    ("state", "start", "code"),
    [
        ("revoked", "Invalid API Key", None),
        ("expired", "Expired API Key", "api_key_expired"),
    ],
)
async def test_a_key_can_be_revoked_and_expire(
    client: Client, state: str, start: str, code: str | None
) -> None:
    """401 in Stripe's words, and valid again when told so."""
    await _set(client, "key", state=state)
    answer = await _get(client, "/v1/balance")
    error = (await answer.json())["error"]
    assert answer.status == 401
    assert error["message"].startswith(start)
    assert error.get("code") == code
    await _set(client, "key", state="valid")
    assert (await _get(client, "/v1/balance")).status == 200


async def test_a_fault_lasts_as_long_as_its_count(client: Client) -> None:
    """Two 429 with their reason, then an answer again."""
    await _set(
        client, "faults", kind="rate_limited", count=2, reason="endpoint-concurrency"
    )
    answers = [await _get(client, "/v1/balance") for _ in range(3)]
    assert [a.status for a in answers] == [429, 429, 200]
    header = answers[0].headers["Stripe-Rate-Limited-Reason"]
    assert header == "endpoint-concurrency"


async def test_a_fault_can_be_of_one_endpoint(client: Client) -> None:
    """A 500 of charges leaves the balance alone."""
    await _set(client, "faults", kind="server_error", endpoint="/v1/charges")
    assert (await _get(client, "/v1/balance")).status == 200
    answer = await _get(client, "/v1/charges")
    assert answer.status == 500
    assert (await answer.json())["error"]["type"] == "api_error"


async def test_bodies_can_be_cut_or_be_a_page(client: Client) -> None:
    """Both come with 200 and are no JSON."""
    for kind in ("truncated", "html"):
        await _set(client, "faults", kind=kind)
        answer = await _get(client, "/v1/charges")
        assert answer.status == 200
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(await answer.read())


async def test_calls_are_counted_by_endpoint(client: Client) -> None:
    """Single objects count with their list; the count can begin anew."""
    await _get(client, "/v1/charges")
    await _get(client, "/v1/charges/ch_nobody")
    await _get(client, "/v1/balance")
    calls = await (await client.get("/_control/calls")).json()
    assert calls["total"] == 3
    assert calls["endpoints"] == {"/v1/charges": 2, "/v1/balance": 1}
    assert 1 <= calls["peak_per_second"] <= 3
    await client.delete("/_control/calls")
    assert (await (await client.get("/_control/calls")).json())["total"] == 0


async def test_the_truth_is_told_in_json(
    client: Client, simulation: Simulation
) -> None:
    """The JSON has the fields and the figures of `truth_of`."""
    url = "/_control/truth?timezone=Asia/Seoul&from=2026-11-01&to=2026-11-02"
    told = await (await client.get(url)).json()
    first, last = date(2026, 11, 1), date(2026, 11, 2)
    truth = truth_of(simulation, "Asia/Seoul", first, last)
    assert told == msgspec.json.decode(msgspec.json.encode(truth))
    assert (told["timezone"], told["currency"]) == (truth.timezone, truth.currency)
    assert [day["date"] for day in told["days"]] == ["2026-11-01", "2026-11-02"]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("permissions", {"missing": ["tea"]}),
        ("key", {"state": "tired"}),
        ("faults", {"kind": "earthquake"}),
        ("clock", {}),
    ],
)
async def test_what_does_not_fit_is_refused(
    client: Client, what: str, body: dict[str, Any]
) -> None:
    """400 for an unknown permission, state or fault, and for a missing field."""
    assert await _set(client, what, **body) == 400


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"per_endpoint": 3}, "endpoint-rate"), ({"total": 3}, "global-rate")],
)
async def test_more_than_the_limit_a_second_is_refused(
    client: Client, limits: dict[str, int], reason: str
) -> None:
    """429 with the reason, until the second is over; other endpoints have their own."""
    await _set(client, "limits", **limits)
    for _ in range(3):
        assert (await _get(client, "/v1/charges")).status == 200
    refused = await _get(client, "/v1/charges")
    assert refused.status == 429
    assert refused.headers["Stripe-Rate-Limited-Reason"] == reason
    other = (await _get(client, "/v1/refunds")).status
    assert other == (200 if "per_endpoint" in limits else 429)
    await asyncio.sleep(1.01)
    assert (await _get(client, "/v1/charges")).status == 200
