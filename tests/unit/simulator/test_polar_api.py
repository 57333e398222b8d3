"""Polar's API: answers valid by its public description, refusals, controls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from opseer_simulator.channels_mounted import ChannelKeys
from opseer_simulator.polar.slugs import TYPES
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

KEY = "polar_" + "oat_" + "a1B2c3D4e5F6g7H8"
SANDBOX = "polar_" + "oat_" + "s1A2n3D4b5O6x7"
WINDOW = "start_date=2026-08-26&end_date=2026-11-24&interval=day"
SCHEMAS = json.loads(
    (Path(__file__).parents[2] / "data" / "polar_schemas.json").read_text()
)

Client = TestClient[Request, Application]


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[Client]:
    """Serve the small company's shop and its sandbox."""
    app = make_app(simulation, [], ChannelKeys((), (KEY,), (SANDBOX,)))
    async with TestClient(TestServer(app)) as client:
        yield client


@cache
def validator(schema: str) -> Any:
    """Return what checks answers, but not the schemas, which are well formed."""
    return Draft202012Validator(SCHEMAS | {"$ref": f"#/$defs/{schema}"})


async def ask(
    client: Client,
    path: str,
    schema: str | None = "MetricsResponse",
    status: int = 200,
    key: str = KEY,
) -> Any:
    """Return an answer that has the status and fits the schema, if one is given."""
    headers = {"Authorization": f"Bearer {key}"}
    async with client.get(path, headers=headers) as answer:
        body = await answer.json()
        assert answer.status == status, body
    if schema is None:
        return body
    validator(schema).validate(body)
    return body


async def all_of(client: Client, path: str, schema: str | None = None) -> list[Any]:
    """Return the items of all pages, 100 a page."""
    items: list[Any] = []
    page = 1
    while True:
        listed = await ask(client, f"{path}limit=100&page={page}", schema)
        items += listed["items"]
        if page >= listed["pagination"]["max_page"]:
            assert len(items) == listed["pagination"]["total_count"]
            return items
        page += 1


async def control(client: Client, what: str, **body: Any) -> int:
    """Set something and return the status."""
    async with client.post(f"/_control/polar/{what}", json=body) as answer:
        return answer.status


async def truth(client: Client) -> list[Any]:
    """Return the truth's days of the window."""
    path = "/_control/polar/truth?from=2026-08-26&to=2026-11-24"
    async with client.get(path) as answer:
        days: list[Any] = (await answer.json())["days"]
        return days


async def test_all_metrics_are_valid(client: Client) -> None:
    """55 slugs, each with its period's value, its total and its description."""
    answer = await ask(client, f"/polar/v1/metrics/?{WINDOW}")
    described = SCHEMAS["$defs"]["MetricPeriod"]["properties"]
    assert set(answer["periods"][0]) == set(described)
    assert set(answer["totals"]) == set(answer["metrics"]) == set(TYPES)
    revenue = [period["revenue"] for period in answer["periods"]]
    assert answer["totals"]["revenue"] == sum(revenue)
    last = answer["periods"][-1]["monthly_recurring_revenue"]
    assert answer["totals"]["monthly_recurring_revenue"] == last


async def test_only_the_slugs_asked_for_are_there(client: Client) -> None:
    """And one that has no value is absent."""
    await control(client, "settings", absent=["orders"])
    path = f"/polar/v1/metrics/?{WINDOW}&metrics=revenue&metrics=orders"
    answer = await ask(client, path)
    assert set(answer["periods"][0]) == {"timestamp", "revenue"}


async def test_periods_begin_at_the_zones_midnight(client: Client) -> None:
    """Said in UTC; after the clocks were set back an hour later."""
    path = "/polar/v1/metrics/?start_date=2026-10-24&end_date=2026-10-26&interval=day"
    answer = await ask(client, f"{path}&timezone=Europe/Berlin")
    assert [period["timestamp"] for period in answer["periods"]] == [
        "2026-10-23T22:00:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    ]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("start_date=2026-11-16&end_date=2026-11-24&interval=hour", "start_date"),
        ("start_date=2025-11-22&end_date=2026-11-24&interval=day", "start_date"),
        ("start_date=2022-12-31&end_date=2023-01-02&interval=day", "start_date"),
        ("start_date=2026-11-24&end_date=2026-11-23&interval=day", "end_date"),
        ("end_date=2026-11-23&interval=day", "start_date"),
        (f"{WINDOW}&metrics=mrr", "metrics"),
        (f"{WINDOW}&timezone=Mars", "timezone"),
        ("start_date=2026-11-24&end_date=2026-11-24&interval=minute", "interval"),
    ],
)
async def test_what_does_not_fit_is_a_422_with_a_list(
    client: Client, query: str, name: str
) -> None:
    """Too long, too early, reversed, missing, unknown: each names its parameter."""
    path = f"/polar/v1/metrics/?{query}"
    refused = await ask(client, path, "HTTPValidationError", 422)
    assert refused["detail"][0]["loc"] == ["query", name]


async def test_the_longest_windows_are_answered(client: Client) -> None:
    """8 days by the hour and 367 by the day are the most, as the limits say."""
    limits = (await ask(client, "/polar/v1/metrics/limits", "MetricsLimits"))[
        "intervals"
    ]
    assert (limits["hour"]["max_days"], limits["day"]["max_days"]) == (7, 366)
    path = "/polar/v1/metrics/?metrics=orders&end_date=2026-11-24"
    hours = await ask(client, f"{path}&start_date=2026-11-17&interval=hour")
    assert len(hours["periods"]) == 8 * 24
    days = await ask(client, f"{path}&start_date=2025-11-23&interval=day")
    assert len(days["periods"]) == 367


async def test_orders_and_refunds_are_valid_and_add_up(client: Client) -> None:
    """Revenue less refunds on their own day, from the lists alone, is the truth."""
    days = await truth(client)
    await ask(client, "/polar/v1/orders/?limit=40", "ListResource_Order_")
    orders = await all_of(client, "/polar/v1/orders/?")
    refunds = await all_of(client, "/polar/v1/refunds/?", "ListResource_Refund_")
    by_id = {order["id"]: order for order in orders}
    assert {r["status"] for r in refunds} >= {"succeeded", "failed"}
    assert any(r["dispute"] for r in refunds)
    assert {o["status"] for o in orders} >= {"paid", "refunded", "partially_refunded"}
    dollars: dict[str, int] = {}
    euros: dict[str, int] = {}
    for refund in refunds:
        assert refund["amount"] <= by_id[refund["order_id"]]["net_amount"]
        if refund["status"] == "succeeded":
            sums = dollars if refund["currency"] == "usd" else euros
            day = refund["created_at"][:10]
            sums[day] = sums.get(day, 0) + refund["amount"]
    for day in days:
        found = day["refunds_by_currency"]
        assert found.get("usd", 0) == dollars.get(day["date"], 0)
        assert found.get("eur", 0) == euros.get(day["date"], 0)
        assert day["revenue"] == day["gross_revenue"] - day["refunds_amount"]
        if not found.get("eur"):
            assert day["refunds_amount"] == found.get("usd", 0)


async def test_an_order_tells_its_rate_by_its_customers_revenue(client: Client) -> None:
    """The metrics of one customer's day are what the order in euros was worth."""
    orders = await all_of(client, "/polar/v1/orders/?")
    order = next(o for o in orders if o["currency"] == "eur" and o["paid"])
    day = order["created_at"][:10]
    path = f"/polar/v1/metrics/?start_date={day}&end_date={day}&interval=day"
    answer = await ask(client, f"{path}&customer_id={order['customer_id']}")
    rate = answer["totals"]["revenue"] / order["net_amount"]
    assert 1.05 < rate < 1.11


async def test_lists_are_sorted_and_filtered(client: Client) -> None:
    """Newest first; by instant, status and order; another order is refused."""
    path = "/polar/v1/orders/?"
    found = await all_of(client, path)
    created = [order["created_at"] for order in found]
    assert created == sorted(created, reverse=True)
    after = f"{path}created_after={created[9]}&"
    assert len(await all_of(client, after)) == 9
    refunded = await all_of(client, f"{path}status=refunded&")
    assert {order["status"] for order in refunded} == {"refunded"}
    refunds = f"/polar/v1/refunds/?order_id={refunded[0]['id']}&succeeded=true&"
    assert len(await all_of(client, refunds)) == 1
    await ask(client, f"{path}sorting=-luck", "HTTPValidationError", 422)
    await ask(client, f"{path}page=0", "HTTPValidationError", 422)


async def test_a_token_opens_one_environment(client: Client) -> None:
    """The sandbox is another organization with tokens of its own."""
    schema = "ListResource_Organization_"
    live = await ask(client, "/polar/v1/organizations/", schema)
    path = "/polar-sandbox/v1/organizations/"
    sandbox = await ask(client, path, schema, key=SANDBOX)
    assert live["items"][0]["id"] != sandbox["items"][0]["id"]
    for other, key in ((path, KEY), ("/polar/v1/organizations/", SANDBOX)):
        headers = {"Authorization": f"Bearer {key}"}
        async with client.get(other, headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"] == "Unauthorized"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_account_may_have_no_shop(client: Client) -> None:
    """Connected, with nothing to show."""
    await control(client, "settings", organizations=0)
    schema = "ListResource_Organization_"
    assert (await ask(client, "/polar/v1/organizations/", schema))["items"] == []


async def test_a_missing_scope_is_a_403_that_names_it(client: Client) -> None:
    """In the header and the body; the other scopes still do."""
    await control(client, "permissions", missing=["refunds:read"])
    headers = {"Authorization": f"Bearer {KEY}"}
    async with client.get("/polar/v1/refunds/", headers=headers) as answer:
        body = await answer.json()
        assert answer.status == 403
        assert 'scope="refunds:read"' in answer.headers["WWW-Authenticate"]
    assert (body["error"], body["scope"]) == ("insufficient_scope", "refunds:read")
    await ask(client, "/polar/v1/orders/?limit=1", "ListResource_Order_")


async def test_the_limit_is_by_the_minute(client: Client) -> None:
    """The one too many is told how many seconds to wait."""
    await control(client, "limits", domains={"api": 1}, window_seconds=7)
    headers = {"Authorization": f"Bearer {KEY}"}
    await ask(client, "/polar/v1/metrics/limits", "MetricsLimits")
    async with client.get("/polar/v1/metrics/limits", headers=headers) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "7"


async def test_calls_are_counted_and_what_is_not_there_is_a_404(
    client: Client,
) -> None:
    """By path, until they are forgotten."""
    path = "/polar/v1/benefits/"
    await ask(client, path, "ResourceNotFound", 404)
    async with client.get("/_control/polar/calls") as answer:
        assert await answer.json() == {"total": 1, "paths": {path: 1}}
    await client.delete("/_control/polar/calls")
    async with client.get("/_control/polar/calls") as answer:
        assert (await answer.json())["total"] == 0


async def test_time_goes_on_with_stripes(
    client: Client, simulation: Simulation
) -> None:
    """A day further on the same clock yesterday is complete and has not changed."""
    before = await truth(client)
    simulation.offset_seconds = 86_400
    try:
        after = await truth(client)
        async with client.get("/_control/polar/state") as answer:
            assert (await answer.json())["now"] == simulation.now()
    finally:
        simulation.offset_seconds = 0
    assert after[:-2] == before[:-2]
    assert (before[-1]["complete"], after[-1]["complete"]) == (False, True)
