"""The HTTP side: lists, cursors, windows, expansion, refusals, faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from opseer_simulator.listing import EVENTS_KEPT
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

KEY = "rk_" + "test_" + "a1B2c3D4e5F6g7H8"
LIVE = "rk_" + "live_" + "a1B2c3D4e5F6g7H8"

Client = TestClient[Request, Application]
Json = dict[str, Any]


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[Client]:
    """Serve the small company to both keys."""
    async with TestClient(TestServer(make_app(simulation, [KEY, LIVE]))) as client:
        yield client


async def _get(client: Client, url: str, status: int = 200, key: str = KEY) -> Json:
    answer = await client.get(url, headers={"Authorization": f"Bearer {key}"})
    assert answer.status == status, await answer.text()
    assert answer.headers["Request-Id"].startswith("req_")
    body: Json = await answer.json()
    return body


async def _error(client: Client, url: str, status: int) -> Json:
    error: Json = (await _get(client, url, status))["error"]
    return error


async def _walk(client: Client, url: str) -> list[Json]:
    """Read a list to its end with starting_after."""
    rows: list[Json] = []
    more, cursor = True, ""
    while more:
        page = await _get(client, f"{url}&limit=100{cursor}")
        rows += page["data"]
        more = page["has_more"]
        cursor = f"&starting_after={rows[-1]['id']}"
    return rows


@pytest.mark.parametrize(
    "name",
    [
        "balance_transactions",
        "charges",
        "customers",
        "disputes",
        "events",
        "invoices",
        "payment_intents",
        "payouts",
        "prices",
        "products",
        "refunds",
        "subscriptions",
    ],
)
async def test_lists_are_newest_first_and_ten_by_default(
    client: Client, simulation: Simulation, name: str
) -> None:
    """Each list has its shape, its order, its default length and its objects by id."""
    page = await _get(client, f"/v1/{name}")
    assert (page["object"], page["url"]) == ("list", f"/v1/{name}")
    created = [row["created"] for row in page["data"]]
    assert created == sorted(created, reverse=True)
    assert created[0] <= simulation.now()
    assert len(created) == 10 or not page["has_more"]
    first = page["data"][0]
    assert await _get(client, f"/v1/{name}/{first['id']}") == first


async def test_cursors_walk_every_row_once_in_both_directions(client: Client) -> None:
    """starting_after goes to the older ones, ending_before to the newer ones."""
    rows = await _walk(client, "/v1/charges?")
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids) > 100
    page = await _get(client, f"/v1/charges?limit=5&ending_before={ids[20]}")
    assert [row["id"] for row in page["data"]] == ids[15:20]
    assert page["has_more"] is True
    page = await _get(client, f"/v1/charges?limit=5&ending_before={ids[3]}")
    assert [row["id"] for row in page["data"]] == ids[:3]
    assert page["has_more"] is False


async def test_created_bounds_are_whole_seconds(client: Client) -> None:
    """Gte and lte take their second in, gt and lt leave it out, a bare one is it."""
    rows = (await _get(client, "/v1/charges?limit=9"))["data"]
    at = rows[4]["created"]

    async def ids(query: str) -> list[str]:
        return [r["id"] for r in (await _get(client, f"/v1/charges?{query}"))["data"]]

    here = [row["id"] for row in rows if row["created"] == at]
    newer = [row["id"] for row in rows if row["created"] > at]
    assert await ids(f"created[gte]={at}") == newer + here
    assert await ids(f"created[gt]={at}") == newer
    assert await ids(f"created={at}") == here
    assert (await ids(f"created[lte]={at}"))[: len(here)] == here
    assert here[0] not in await ids(f"created[lt]={at}")


@pytest.mark.parametrize(
    ("url", "param"),
    [
        ("/v1/charges?limit=0", "limit"),
        ("/v1/charges?limit=101", "limit"),
        ("/v1/charges?limit=ten", "limit"),
        ("/v1/charges?starting_after=ch_nobody", "starting_after"),
        ("/v1/charges?status=failed", "status"),
        ("/v1/charges?created[since]=1", "created[since]"),
        ("/v1/charges?expand=data.customer", "expand"),
        ("/v1/charges?expand[]=data.nothing", "expand"),
        ("/v1/subscriptions?expand[]=data.items.data.price.product", "expand"),
        ("/v1/subscription_items", "subscription"),
    ],
)
async def test_bad_parameters_are_refused(client: Client, url: str, param: str) -> None:
    """400 with the parameter's name in Stripe's envelope."""
    error = await _error(client, url, 400)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param


async def test_both_cursors_at_once_are_refused(client: Client) -> None:
    """starting_after and ending_before exclude each other."""
    first, second = (await _get(client, "/v1/charges?limit=2"))["data"]
    url = f"/v1/charges?starting_after={first['id']}&ending_before={second['id']}"
    assert "only specify one" in (await _error(client, url, 400))["message"]


async def test_events_are_kept_thirty_days_and_narrowed_by_type(
    client: Client, simulation: Simulation
) -> None:
    """Older ones are gone from the list and by id; names and wildcards narrow."""
    events = await _walk(client, "/v1/events?")
    assert min(e["created"] for e in events) >= simulation.now() - EVENTS_KEPT
    gone = simulation.books().events.order[0]
    await _error(client, f"/v1/events/{gone}", 404)
    kinds = {e["type"] for e in events}
    some = await _walk(client, "/v1/events?type=customer.subscription.*")
    assert {e["type"] for e in some} == {
        kind for kind in kinds if kind.startswith("customer.subscription.")
    }
    two = "types[]=charge.failed&types[]=charge.refunded"
    picked = await _walk(client, f"/v1/events?{two}")
    assert {e["type"] for e in picked} == {"charge.failed", "charge.refunded"}


async def test_canceled_subscriptions_come_only_when_asked(client: Client) -> None:
    """No status leaves the canceled out, `all` brings them, a status is itself."""
    usual = await _walk(client, "/v1/subscriptions?")
    every = await _walk(client, "/v1/subscriptions?status=all")
    canceled = await _walk(client, "/v1/subscriptions?status=canceled")
    assert {s["status"] for s in canceled} == {"canceled"}
    assert len(usual) + len(canceled) == len(every)


async def test_discounts_are_ids_until_expanded(client: Client) -> None:
    """With expand the discount comes with its coupon inline, without as an id."""
    plain = await _walk(client, "/v1/subscriptions?status=all")
    paths = "expand[]=data.discounts&expand[]=data.items.data.discounts"
    opened = await _walk(client, f"/v1/subscriptions?status=all&{paths}")
    pairs = [
        (before["discounts"], after["discounts"])
        for before, after in zip(plain, opened, strict=True)
        if before["discounts"]
    ]
    assert pairs
    for ids, discounts in pairs:
        assert [d["id"] for d in discounts] == ids
        assert discounts[0]["coupon"]["duration"] in {"forever", "once"}
        assert "source" not in discounts[0]


async def test_ids_expand_into_objects(client: Client) -> None:
    """A balance transaction's source and its customer, in two steps."""
    url = "/v1/balance_transactions?type=charge&expand[]=data.source.customer"
    source = (await _get(client, url))["data"][0]["source"]
    assert source["object"] == "charge"
    assert source["customer"]["object"] == "customer"


async def test_nested_lists_have_their_own_address(client: Client) -> None:
    """Items of a subscription and lines of an invoice can be read by themselves."""
    sub = (await _get(client, "/v1/subscriptions?limit=1"))["data"][0]
    items = await _get(client, sub["items"]["url"])
    assert items["data"] == sub["items"]["data"]
    bill = await _get(client, f"/v1/invoices/{sub['latest_invoice']}")
    lines = await _get(client, bill["lines"]["url"])
    assert lines["data"] == bill["lines"]["data"]
    assert bill["total"] == sum(
        line["amount"] - sum(d["amount"] for d in line["discount_amounts"])
        for line in lines["data"]
    )


async def test_the_balance_is_the_sum_of_its_transactions(client: Client) -> None:
    """Available + pending = sum of net, and what is pending has not cleared."""
    balance = await _get(client, "/v1/balance")
    rows = await _walk(client, "/v1/balance_transactions?")
    sums = {
        status: sum(row["net"] for row in rows if row["status"] == status)
        for status in ("available", "pending")
    }
    assert balance["available"][0]["amount"] == sums["available"]
    assert balance["pending"][0]["amount"] == sums["pending"]


async def test_the_mode_is_that_of_the_key(client: Client) -> None:
    """A live key sees live mode, a test key test mode, the ids are the same."""
    test = await _get(client, "/v1/charges")
    live = await _get(client, "/v1/charges", key=LIVE)
    assert (await _get(client, "/v1/balance"))["livemode"] is False
    assert (await _get(client, "/v1/balance", key=LIVE))["livemode"] is True
    assert {row["livemode"] for row in live["data"]} == {True}
    assert [r["id"] for r in live["data"]] == [r["id"] for r in test["data"]]


async def test_unknown_keys_are_refused_masked(client: Client) -> None:
    """401 that repeats no more of the key than its family and last four."""
    other = "rk_" + "test_" + "z" * 20 + "abcd"
    error = (await _get(client, "/v1/balance", 401, other))["error"]
    assert error["message"] == (
        "Invalid API Key provided: rk_test_" + "*" * 20 + "abcd"
    )
    assert (await client.get("/v1/balance")).status == 401


async def test_unknown_addresses_and_ids_are_404(client: Client) -> None:
    """Stripe's envelope also for what does not exist."""
    assert (await _error(client, "/v1/nothing", 404))["message"].startswith("Unrecog")
    error = await _error(client, "/v1/charges/ch_nobody", 404)
    assert error["code"] == "resource_missing"


async def test_time_brings_what_is_to_come(
    client: Client, simulation: Simulation
) -> None:
    """A day later there are newer objects and the old ones are where they were."""
    before = await _get(client, "/v1/balance_transactions?limit=100")
    day = timedelta(days=1).total_seconds()
    await client.post("/_control/clock", json={"offset_seconds": int(day)})
    try:
        after = await _walk(client, "/v1/balance_transactions?")
    finally:
        await client.post("/_control/clock", json={"offset_seconds": 0})
    ids = [row["id"] for row in after]
    first = ids.index(before["data"][0]["id"])
    assert first > 0
    assert ids[first : first + 100] == [row["id"] for row in before["data"]]
    assert simulation.offset_seconds == 0
