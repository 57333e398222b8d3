"""RevenueCat's API: answers valid by its public description, refusals, controls."""

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
from opseer_simulator.revenuecat.charts import CHARTS
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation

KEY = "sk_" + "a1B2c3D4e5F6g7H8"
OAUTH = "atk_" + "a1B2c3D4e5F6g7H8"
LAST_DAYS = "start_date=2026-11-20&end_date=2026-11-24"
SCHEMAS = json.loads(
    (Path(__file__).parents[2] / "data" / "revenuecat_schemas.json").read_text()
)

Client = TestClient[Request, Application]


@pytest.fixture
async def client(simulation: Simulation) -> AsyncIterator[Client]:
    """Serve the small company's app."""
    app = make_app(simulation, [], ChannelKeys(revenuecat=(KEY, OAUTH)))
    async with TestClient(TestServer(app)) as client:
        yield client


@cache
def validator(schema: str) -> Any:
    """Return what checks answers, but not the schemas, which are well formed."""
    return Draft202012Validator(SCHEMAS | {"$ref": f"#/$defs/{schema}"})


async def ask(
    client: Client, path: str, schema: str, status: int = 200, key: str = KEY
) -> Any:
    """Return an answer that has the status and fits the schema."""
    headers = {"Authorization": f"Bearer {key}"}
    async with client.get(f"/revenuecat/v2{path}", headers=headers) as answer:
        body = await answer.json()
        assert answer.status == status, body
    validator(schema).validate(body)
    return body


async def project_of(client: Client) -> str:
    """Return the path of the first project."""
    listed = await ask(client, "/projects", "ListProjects")
    return f"/projects/{listed['items'][0]['id']}"


async def control(client: Client, what: str, **body: Any) -> int:
    """Set something and return the status."""
    async with client.post(f"/_control/revenuecat/{what}", json=body) as answer:
        return answer.status


async def truth(client: Client, query: str) -> Any:
    """Return the truth's days."""
    async with client.get(f"/_control/revenuecat/truth?{query}") as answer:
        return (await answer.json())["days"]


async def test_the_overview_and_every_chart_are_valid(client: Client) -> None:
    """The overview, 21 charts in both versions and their options fit the schemas."""
    await control(client, "limits", domains={})
    project = await project_of(client)
    await ask(client, f"{project}/metrics/overview?currency=EUR", "OverviewMetrics")
    for name in CHARTS:
        path = f"{project}/charts/{name}"
        await ask(client, f"{path}/options", "ChartOptions")
        await ask(client, f"{path}?{LAST_DAYS}", "ChartData")
        await ask(client, f"{path}?{LAST_DAYS}&realtime=false", "ChartData")


async def test_a_day_has_a_row_for_each_measure(client: Client) -> None:
    """v3: the start in seconds, the measure, whole dollars; today is incomplete."""
    project = await project_of(client)
    chart = await ask(client, f"{project}/charts/revenue?{LAST_DAYS}", "ChartData")
    days = await truth(client, "from=2026-11-20&to=2026-11-24")
    first = 1_795_132_800
    assert chart["values"] == [
        {
            "cohort": first + 86_400 * number,
            "incomplete": number == 4,
            "measure": measure,
            "value": value,
        }
        for number, day in enumerate(days)
        for measure, value in ((0, day["revenue"] / 100), (1, day["orders"]))
    ]
    names = [measure["display_name"] for measure in chart["measures"]]
    assert names == ["Revenue", "Transactions"]


async def test_rows_can_be_of_v2_and_in_milliseconds(client: Client) -> None:
    """Whatever is asked: one row a period, its start first."""
    await control(client, "shape", rows="v2", unit="ms")
    project = await project_of(client)
    chart = await ask(client, f"{project}/charts/mrr?{LAST_DAYS}", "ChartData")
    [day] = await truth(client, "from=2026-11-20&to=2026-11-20")
    assert chart["values"][0] == [1_795_132_800_000, day["mrr"] / 100]
    assert chart["measures"] is None


async def test_movements_can_be_told_apart(client: Client) -> None:
    """Six measures that add up to the last, losses below zero, as the ledger has it."""
    await control(client, "shape", movements="apart")
    project = await project_of(client)
    chart = await ask(client, f"{project}/charts/mrr_movement?{LAST_DAYS}", "ChartData")
    days = await truth(client, "from=2026-11-20&to=2026-11-24")
    rows = [row["value"] for row in chart["values"]]
    for number, day in enumerate(days):
        new, back, grown, lost, shrunk, movement = rows[6 * number : 6 * number + 6]
        assert (new, back) == (day["mrr_new"] / 100, day["mrr_back"] / 100)
        assert (grown, lost) == (day["mrr_expansion"] / 100, -day["mrr_ended"] / 100)
        assert shrunk == -day["mrr_contraction"] / 100
        assert abs(new + back + grown + lost + shrunk - movement) < 0.03


async def test_the_overview_can_be_in_whole_units(client: Client) -> None:
    """To the cent, or rounded as it has been seen; the charts stay exact."""
    project = await project_of(client)
    [today] = await truth(client, "from=2026-11-24&to=2026-11-24")
    for overview, value in (
        ("exact", today["mrr"] / 100),
        ("whole", round(today["mrr"] / 100)),
    ):
        await control(client, "shape", overview=overview)
        shown = await ask(client, f"{project}/metrics/overview", "OverviewMetrics")
        values = {metric["id"]: metric["value"] for metric in shown["metrics"]}
        assert values["mrr"] == value
        assert values["active_subscriptions"] == today["active_subscriptions"]


async def test_resolutions_are_ids(client: Client) -> None:
    """ "2" are months; a word is refused."""
    project = await project_of(client)
    path = f"{project}/charts/actives?start_date=2026-10-05&end_date=2026-11-24"
    chart = await ask(client, f"{path}&resolution=2", "ChartData")
    assert chart["resolution"] == "month"
    assert [row["incomplete"] for row in chart["values"]] == [False, True]
    refused = await ask(client, f"{path}&resolution=day", "Error", 400)
    assert (refused["type"], refused["param"]) == ("parameter_error", "resolution")


async def test_money_comes_in_the_currency_asked_for(client: Client) -> None:
    """Yen without decimals; another currency than the twelve is refused."""
    project = await project_of(client)
    path = f"{project}/charts/mrr?{LAST_DAYS}"
    chart = await ask(client, f"{path}&currency=JPY", "ChartData")
    days = await truth(client, "from=2026-11-20&to=2026-11-24&currency=JPY")
    assert [row["value"] for row in chart["values"]] == [day["mrr"] for day in days]
    assert chart["yaxis_currency"] == "JPY"
    refused = await ask(client, f"{path}&currency=CHF", "Error", 400)
    assert refused["param"] == "currency"


async def test_stripes_money_can_be_left_out(client: Client) -> None:
    """With Stripe linked a chart has both, filtered by store only the app's."""
    await control(client, "stores", stripe=True)
    project = await project_of(client)
    both = await truth(client, "from=2026-11-20&to=2026-11-24")
    own = await truth(client, "from=2026-11-20&to=2026-11-24&stores=app_store")
    options = await ask(client, f"{project}/charts/mrr/options", "ChartOptions")
    [stores] = [o["options"] for o in options["filters"] if o["id"] == "store"]
    others = [each["id"] for each in stores if each["id"] != "stripe"]
    assert len(others) == len(stores) - 1
    chosen = json.dumps([{"name": "store", "values": others}])
    path = f"{project}/charts/mrr?{LAST_DAYS}"
    for filters, days in (("[]", both), (chosen, own)):
        chart = await ask(client, f"{path}&filters={filters}", "ChartData")
        values = [row["value"] for row in chart["values"]]
        assert values == [day["mrr"] / 100 for day in days]
    assert both != own


async def test_what_is_not_supported_is_said_in_the_answer(client: Client) -> None:
    """An unknown filter and a segment change nothing."""
    project = await project_of(client)
    filters = json.dumps([{"name": "country", "values": ["US"]}])
    chart = await ask(
        client, f"{project}/charts/mrr?filters={filters}&segment=country", "ChartData"
    )
    assert chart["unsupported_params"] == {
        "filters": ["country"],
        "segment": "country",
    }


async def test_aggregates_come_without_values(client: Client) -> None:
    """Only the operations asked for, in the summary."""
    project = await project_of(client)
    path = f"{project}/charts/revenue?{LAST_DAYS}&aggregate=total"
    chart = await ask(client, path, "ChartData")
    days = await truth(client, "from=2026-11-20&to=2026-11-24")
    orders = sum(day["orders"] for day in days)
    assert chart["values"] == []
    assert list(chart["summary"]) == ["total"]
    assert chart["summary"]["total"]["Transactions"] == orders


async def test_proceeds_are_less_than_revenue(client: Client) -> None:
    """The selector changes the first measure; an unknown type is refused."""
    project = await project_of(client)
    path = f"{project}/charts/revenue?{LAST_DAYS}&selectors="
    chart = await ask(client, path + '{"revenue_type":"proceeds"}', "ChartData")
    assert chart["measures"][0]["display_name"] == "Proceeds"
    await ask(client, path + '{"revenue_type":"gift"}', "Error", 400)
    await ask(client, path + "{", "Error", 400)


async def test_an_answer_says_how_much_of_the_limit_is_used(client: Client) -> None:
    """Headers count; the one too many is told when to come back, in both units."""
    project = await project_of(client)
    await control(client, "limits", domains={"charts_metrics": 2}, window_seconds=9)
    headers = {"Authorization": f"Bearer {KEY}"}
    path = f"/revenuecat/v2{project}/charts/mrr"
    answers = [await client.get(path, headers=headers) for _ in range(3)]
    seen = [(answer.status, answer.headers) for answer in answers]
    body = await answers[-1].json()
    assert [status for status, _ in seen] == [200, 200, 429]
    used = [h["RevenueCat-Rate-Limit-Current-Usage"] for _, h in seen]
    assert used == ["1", "2", "2"]
    assert seen[0][1]["RevenueCat-Rate-Limit-Current-Limit"] == "2"
    assert seen[2][1]["Retry-After"] == "9"
    assert (body["type"], body["retryable"]) == ("rate_limit_error", True)
    assert body["backoff_ms"] == 9000
    # The other domain has a limit of its own.
    await ask(client, "/projects", "ListProjects")


async def test_what_a_key_may_not_is_a_403(client: Client) -> None:
    """A permission that is missing, and a project of somebody else."""
    project = await project_of(client)
    missing = ["charts_metrics:charts:read"]
    assert await control(client, "permissions", missing=missing) == 200
    refused = await ask(client, f"{project}/charts/mrr", "Error", 403)
    assert refused["type"] == "authorization_error"
    await ask(client, f"{project}/metrics/overview", "OverviewMetrics")
    await ask(client, "/projects/proj0/metrics/overview", "Error", 403)
    assert await control(client, "permissions", missing=["all"]) == 400


async def test_unknown_and_revoked_keys_are_a_401(client: Client) -> None:
    """Another key, none, and one that was revoked."""
    await ask(client, "/projects", "Error", 401, key="sk_" + "b" * 16)
    await control(client, "key", state="revoked")
    refused = await ask(client, "/projects", "Error", 401)
    assert refused["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ({"kind": "locked"}, 423, "resource_locked_error"),
        ({"kind": "server_error", "status": 503}, 503, "server_error"),
        ({"kind": "rate_limited", "seconds": 3}, 429, "rate_limit_error"),
    ],
)
async def test_faults_break_the_next_answer(
    client: Client, fault: dict[str, Any], status: int, kind: str
) -> None:
    """Once each, and only where the path fits."""
    project = await project_of(client)
    await control(client, "faults", path="/charts/", **fault)
    await ask(client, f"{project}/metrics/overview", "OverviewMetrics")
    refused = await ask(client, f"{project}/charts/mrr", "Error", status)
    assert (refused["type"], refused["retryable"]) == (kind, True)
    await ask(client, f"{project}/charts/mrr", "ChartData")


async def test_several_projects_are_paged(client: Client) -> None:
    """Three, one a page, each with figures of its own."""
    await control(client, "projects", count=3)
    found: list[str] = []
    path = "/projects?limit=1"
    while path:
        listed = await ask(client, path, "ListProjects", key=OAUTH)
        found += [each["id"] for each in listed["items"]]
        following = listed["next_page"]
        path = f"{following.removeprefix('/v2')}&limit=1" if following else ""
    assert len(set(found)) == 3
    figures = [await truth(client, f"project={each}") for each in found]
    assert figures[0] != figures[1] != figures[2]
    assert await control(client, "projects", count=9) == 400


async def test_what_does_not_exist(client: Client) -> None:
    """A chart's name, a date, a path."""
    project = await project_of(client)
    named = await ask(client, f"{project}/charts/subscribers", "Error", 400)
    assert "actives_new" in named["message"]
    path = f"{project}/charts/mrr?start_date=1795132800"
    assert (await ask(client, path, "Error", 400))["param"] == "start_date"
    await ask(client, "/customers", "Error", 404)
