"""Connecting RevenueCat and Polar, and what can be chosen of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.servers.conftest import CHANNEL_KEYS, PROVIDER_KEYS

from opseer_common.testing.gateway import Owner, RunningGateway

REVENUECAT = CHANNEL_KEYS.revenuecat[0]
POLAR = CHANNEL_KEYS.polar[0]
SANDBOX = CHANNEL_KEYS.polar_sandbox[0]
STRIPE = PROVIDER_KEYS[0]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared_gateway: RunningGateway) -> AsyncIterator[RunningGateway]:
    """Return the module's gateway; what a test changes at providers ends with it."""
    yield shared_gateway
    await shared_gateway.control("revenuecat/projects", {"count": 1})
    for name in ("revenuecat", "polar"):
        await shared_gateway.control(f"{name}/key", {"state": "valid"})
        await shared_gateway.control(f"{name}/permissions", {"missing": []})


@pytest_asyncio.fixture(loop_scope="module")
async def owner(owner_of_own: Owner) -> Owner:
    """Return an account."""
    return owner_of_own


def path(source: str) -> str:
    """Return a source's address."""
    return f"/api/v1/integrations/{source}"


async def connect(
    gateway: RunningGateway, owner: Owner, source: str, key: str
) -> tuple[int, dict[str, object]]:
    """Connect; return status and body."""
    answer = await gateway.call("PUT", path(source), owner=owner, json={"api_key": key})
    return answer.status, answer.json


async def all_calls(gateway: RunningGateway) -> int:
    """Return how many requests any provider got."""
    total = await gateway.provider_calls()
    for name in ("revenuecat", "polar", "polar-sandbox"):
        url = f"{gateway.provider_url}/_control/{name}/calls"
        async with gateway.session.get(url) as answer:
            total += int((await answer.json())["total"])
    return total


async def test_revenuecat_connects_with_its_projects(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Rule: the key is live, and the row names every project that it sees."""
    await gateway.control("revenuecat/projects", {"count": 2})
    status, row = await connect(gateway, owner, "revenuecat", REVENUECAT)
    assert status == 201
    assert (row["state"], row["environment"]) == ("collecting", "live")
    assert (row["timezone"], row["key_hint"]) == ("UTC", "sk_…CCCC")
    assert row["permissions"] == dict.fromkeys(
        ("projects", "overview", "charts"), "unknown"
    )
    projects = row["projects"]
    assert isinstance(projects, list)
    assert [project["included"] for project in projects] == [True, True]


async def test_polar_finds_where_the_token_works(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Rule: production is tried first, then the sandbox, whose data is test data."""
    status, row = await connect(gateway, owner, "polar", SANDBOX)
    assert status == 201
    assert (row["environment"], row["livemode"]) == ("test", False)
    status, row = await connect(gateway, owner, "polar", POLAR)
    assert (status, row["code"]) == (409, "MODE_MISMATCH")
    await gateway.call("DELETE", path("polar"), owner=owner)
    status, row = await connect(gateway, owner, "polar", POLAR)
    assert status == 201
    assert (row["environment"], row["livemode"]) == ("live", True)
    projects = row["projects"]
    assert isinstance(projects, list)
    assert len(projects) == 1


async def test_a_key_of_another_family_goes_nowhere(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Rule: a key pasted into another channel is refused and sent to nobody."""
    calls = await all_calls(gateway)
    for source, key in (
        ("revenuecat", STRIPE),
        ("revenuecat", "sk_" + "live_" + "A" * 24),
        ("revenuecat", POLAR),
        ("polar", STRIPE),
        ("polar", REVENUECAT),
        ("stripe", REVENUECAT),
        ("stripe", POLAR),
    ):
        status, body = await connect(gateway, owner, source, key)
        assert (status, body["code"]) == (422, "INVALID_PREFIX"), (source, key[:8])
    assert await all_calls(gateway) == calls


async def test_the_longest_keys(gateway: RunningGateway, owner: Owner) -> None:
    """Rule: a key that does not fit the sealed record is refused before it is sent."""
    longest = "polar_" + "oat_" + "A" * 247
    status, body = await connect(gateway, owner, "polar", longest)
    assert (status, body["code"]) == (422, "AUTH_FAILED")  # sent, and not known there
    calls = await all_calls(gateway)
    status, body = await connect(gateway, owner, "polar", longest + "A")
    assert (status, body["code"]) == (422, "INVALID_FORMAT")
    assert await all_calls(gateway) == calls


@pytest.mark.parametrize(
    ("source", "key"), [("revenuecat", REVENUECAT), ("polar", POLAR)]
)
async def test_a_refused_key(
    gateway: RunningGateway, owner: Owner, source: str, key: str
) -> None:
    """Rule: a revoked key is AUTH_FAILED, a failing provider PROVIDER_UNAVAILABLE."""
    await gateway.control(f"{source}/key", {"state": "revoked"})
    status, body = await connect(gateway, owner, source, key)
    assert (status, body["code"]) == (422, "AUTH_FAILED")
    await gateway.control(f"{source}/key", {"state": "valid"})
    fault = {"kind": "server_error", "status": 500}
    await gateway.control(f"{source}/faults", fault)
    status, body = await connect(gateway, owner, source, key)
    assert (status, body["code"]) == (503, "PROVIDER_UNAVAILABLE")
    stored = await gateway.fetch(
        "SELECT FROM gateway.opseer_user_integration WHERE account_id = $1",
        owner.account_id,
    )
    assert stored == []


@pytest.mark.parametrize(
    ("source", "key", "right"),
    [
        ("revenuecat", REVENUECAT, "project_configuration:projects:read"),
        ("polar", POLAR, "metrics:read"),
    ],
)
async def test_the_right_that_is_needed_to_connect(
    gateway: RunningGateway, owner: Owner, source: str, key: str, right: str
) -> None:
    """Rule: without the right to look at all, the refusal names it."""
    await gateway.control(f"{source}/permissions", {"missing": [right]})
    status, body = await connect(gateway, owner, source, key)
    assert (status, body["code"]) == (422, "AUTH_FAILED")
    assert right in str(body["detail"])


async def test_projects_can_be_chosen(gateway: RunningGateway, owner: Owner) -> None:
    """Rule: a choice is kept and shown, null is all, an unknown id is refused."""
    await gateway.control("revenuecat/projects", {"count": 2})
    _, row = await connect(gateway, owner, "revenuecat", REVENUECAT)
    projects = row["projects"]
    assert isinstance(projects, list)
    first = projects[0]["id"]

    async def choose(value: object) -> tuple[int, list[bool]]:
        answer = await gateway.call(
            "PATCH", path("revenuecat"), owner=owner, json={"projects": value}
        )
        found = await gateway.call("GET", path("revenuecat"), owner=owner)
        return answer.status, [one["included"] for one in found.json["projects"]]

    assert await choose([first]) == (202, [True, False])
    assert await choose(["proj_unknown"]) == (422, [True, False])
    assert await choose(None) == (202, [True, True])


async def test_what_the_provider_decides(gateway: RunningGateway, owner: Owner) -> None:
    """Rule: a setting that the provider decides is refused, and says so."""
    for source, key in (
        ("revenuecat", REVENUECAT),
        ("polar", POLAR),
        ("stripe", STRIPE),
    ):
        await connect(gateway, owner, source, key)
    refused: list[tuple[str, dict[str, object], str]] = [
        ("revenuecat", {"timezone": "Asia/Seoul"}, "INVALID_TIMEZONE"),
        ("revenuecat", {"settlement_currency": "kwd"}, "INVALID_CURRENCY"),
        ("revenuecat", {"policy": "stripe"}, "INVALID_POLICY"),
        ("revenuecat", {"excluded_stores": ["x"]}, "INVALID_STORE"),
        ("polar", {"settlement_currency": "eur"}, "INVALID_CURRENCY"),
        ("polar", {"excluded_stores": ["stripe"]}, "INVALID_STORE"),
        ("stripe", {"projects": None}, "INVALID_PROJECT"),
    ]
    for source, change, code in refused:
        answer = await gateway.call("PATCH", path(source), owner=owner, json=change)
        assert (answer.status, answer.code) == (422, code), change


async def test_demo_data_of_every_channel(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Rule: each channel has demo data, which is told apart from a key's."""
    for source in ("revenuecat", "polar"):
        answer = await gateway.call("PUT", f"{path(source)}/demo", owner=owner)
        assert answer.status == 201, answer.text
        assert answer.json["environment"] == "demo"
        assert answer.json["livemode"] is False


async def test_what_each_figure_means(gateway: RunningGateway, owner: Owner) -> None:
    """Rule: the definitions of all channels stand side by side."""
    answer = await gateway.call("GET", "/api/v1/definitions", owner=owner)
    channels = answer.json["channels"]
    assert [one["source"] for one in channels] == ["stripe", "revenuecat", "polar"]
    for channel in channels:
        keys = [metric["key"] for metric in channel["metrics"]]
        assert keys == ["mrr", "revenue", "orders", "new_subs", "churned"]
    [_, revenuecat, polar] = channels
    assert revenuecat["timezone"] == "UTC"
    assert "trials count, too" in polar["metrics"][3]["caveats"]
    sums = await gateway.call("GET", "/api/v1/mrr/plans?source=polar", owner=owner)
    assert (sums.status, sums.code) == (422, "SOURCE_NOT_SUPPORTED")


async def test_a_new_channel_has_the_days_of_stripe(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Rule: Polar's days begin where Stripe's do; RevenueCat's are UTC."""
    await connect(gateway, owner, "stripe", STRIPE)
    zone = {"timezone": "Europe/Berlin"}
    await gateway.call("PATCH", path("stripe"), owner=owner, json=zone)
    _, polar = await connect(gateway, owner, "polar", POLAR)
    _, revenuecat = await connect(gateway, owner, "revenuecat", REVENUECAT)
    assert (polar["timezone"], revenuecat["timezone"]) == ("Europe/Berlin", "UTC")


async def test_money_in_both_is_told_and_can_be_left_out(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Rule: sales of Stripe in RevenueCat are told while both are connected."""
    await connect(gateway, owner, "revenuecat", REVENUECAT)
    [row] = await gateway.fetch(
        "SELECT * FROM gateway.opseer_user_integration WHERE account_id = $1",
        owner.account_id,
    )
    await gateway.fetch(
        """
        INSERT INTO collector.connection (account_id, source, connection_id, notices)
        VALUES ($1, 'revenuecat', $2, '{stripe_store}')
        """,
        *(row["account_id"], row["connection_id"]),
    )

    async def told() -> list[str]:
        found = await gateway.call("GET", path("revenuecat"), owner=owner)
        return [one["code"] for one in found.json.get("notices", [])]

    assert await told() == []
    await connect(gateway, owner, "stripe", STRIPE)
    assert await told() == ["COUNTED_TWICE"]
    change = {"excluded_stores": ["stripe"]}
    answer = await gateway.call("PATCH", path("revenuecat"), owner=owner, json=change)
    assert answer.status == 202
    assert await told() == []
