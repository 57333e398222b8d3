"""Demo data beside, in front of and behind a key of one's own."""

from __future__ import annotations

import pytest

from opseer_common.testing.gateway import Answer, Owner, RunningGateway

ROW = "/api/v1/integrations/stripe"
DEMO = f"{ROW}/demo"
TEST = "rk_" + "test_" + "A" * 24
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
async def gateway(start_gateway: object, provider_url: str) -> RunningGateway:
    """Return a gateway whose demo data come from the simulator, and Stripe nowhere."""
    assert callable(start_gateway)
    started: RunningGateway = await start_gateway(
        stripe_api_base=NOWHERE, demo_api_base=provider_url
    )
    return started


async def environment(gateway: RunningGateway, owner: Owner) -> str | None:
    """Return where the account's figures come from."""
    row = await gateway.call("GET", ROW, owner=owner)
    found: str | None = row.json["environment"]
    return found


async def put_key(gateway: RunningGateway, owner: Owner, **more: object) -> Answer:
    """Connect with a key of one's own."""
    body = {"api_key": TEST, **more}
    return await gateway.call("PUT", ROW, owner=owner, json=body)


async def test_demo_comes_and_goes(gateway: RunningGateway, owner: Owner) -> None:
    """Any account adds the demo, from the simulator alone, and removes it."""
    added = await gateway.call("PUT", DEMO, owner=owner)
    assert (added.status, added.json["environment"]) == (201, "demo")
    assert (await gateway.call("PUT", DEMO, owner=owner)).status == 200
    assert (await gateway.call("DELETE", ROW, owner=owner)).status == 204
    assert await environment(gateway, owner) is None
    # A key of one's own goes to Stripe, which is nowhere, and never to the simulator.
    assert (await put_key(gateway, owner)).code == "PROVIDER_UNAVAILABLE"


async def test_a_key_replaces_the_demo_when_told(
    gateway: RunningGateway, owner: Owner, start_gateway: object, provider_url: str
) -> None:
    """A key over demo data asks first, and takes their place when it is allowed to."""
    await gateway.call("PUT", DEMO, owner=owner)
    assert callable(start_gateway)
    second: RunningGateway = await start_gateway(demo_api_base=provider_url)
    asked = await put_key(second, owner)
    assert (asked.status, asked.code) == (409, "MODE_MISMATCH")
    assert await environment(second, owner) == "demo"
    told = await put_key(second, owner, replace=True)
    assert (told.status, told.json["environment"]) == (200, "test")
    back = await second.call("PUT", DEMO, owner=owner)
    assert (back.status, back.code) == (409, "ALREADY_CONNECTED")
    assert await environment(second, owner) == "test"


@pytest.mark.parametrize("source", ["revenuecat", "polar"])
async def test_there_is_a_demo_for_every_source(
    gateway: RunningGateway, owner: Owner, source: str
) -> None:
    """The simulator has made up the other channels too."""
    path = f"/api/v1/integrations/{source}/demo"
    answer = await gateway.call("PUT", path, owner=owner)
    assert (answer.status, answer.json["environment"]) == (201, "demo")


async def test_no_simulator_no_demo(start_gateway: object) -> None:
    """An installation without a simulator says that there is no demo data."""
    assert callable(start_gateway)
    gateway: RunningGateway = await start_gateway()
    owner = await gateway.sign_up()
    answer = await gateway.call("PUT", DEMO, owner=owner)
    assert (answer.status, answer.code) == (503, "PROVIDER_UNAVAILABLE")
    assert await environment(gateway, owner) is None
