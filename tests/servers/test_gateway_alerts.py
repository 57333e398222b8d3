"""Alert settings, destinations and the delivery log over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from opseer_common.testing.gateway import Answer, Owner, RunningGateway

ALERTS = "/api/v1/alerts"
SLACK = "https://hooks.slack.com/" + "services/T00000000/B00000000/XXXXXXXXXXXX"


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"time": "9:00"}, "INVALID_TIME"),
    ({"time": "24:00"}, "INVALID_TIME"),
    ({"timezone": "../etc/passwd"}, "INVALID_TIMEZONE"),
    ({"weekdays": [0]}, "INVALID_WEEKDAYS"),
    ({"movement_threshold": -1}, "INVALID_VALUE"),
    ({"sources": {"paypal": True}}, "INVALID_VALUE"),
    ({"nonsense": 1}, "UNKNOWN_FIELD"),
    ({"destinations": [{"kind": "slack", "url": "https://example.com/x"}]}, ""),
    ({"destinations": [{"kind": "webhook", "url": "http://example.com/x"}]}, ""),
    ({"destinations": [{"kind": "webhook", "url": "https://127.0.0.1/x"}]}, ""),
    ({"destinations": [{"kind": "webhook", "url": "https://[::1]/x"}]}, ""),
    ({"destinations": [{"kind": "webhook", "url": "https://0x7f000001/"}]}, ""),
    ({"destinations": [{"kind": "webhook", "url": "https://u:p@a.example/"}]}, ""),
    ({"destinations": [{"kind": "webhook", "url": "https://a.example:22/"}]}, ""),
    ({"destinations": [{"kind": "apprise", "url": "ntfy://topic"}]}, ""),
    ({"destinations": [{"kind": "telegram", "bot_token": "x"}]}, ""),
    ({"destinations": [{"kind": "email", "address": "x"}]}, "INVALID_EMAIL"),
    ({"destinations": [{}]}, "REQUIRED"),
)
"""What is put, and the code of the refusal; an address's own where there is none."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared_gateway: RunningGateway) -> RunningGateway:
    """Return the gateway of this module."""
    return shared_gateway


@pytest_asyncio.fixture(loop_scope="module")
async def owner(owner_of_own: Owner) -> Owner:
    """Return a new account."""
    return owner_of_own


async def put(gateway: RunningGateway, owner: Owner, body: object) -> Answer:
    """Change the settings."""
    return await gateway.call("PUT", ALERTS, owner=owner, json=body)


async def test_before_the_first_change_there_are_defaults(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Every source at nine, nowhere to go to, so nothing is coming."""
    answer = await gateway.call("GET", ALERTS, owner=owner)
    assert answer.status == 200
    assert answer.json == {
        "sources": {"stripe": True, "revenuecat": True, "polar": True},
        "time": "09:00",
        "timezone": "UTC",
        "weekdays": [1, 2, 3, 4, 5, 6, 7],
        "weekly_digest": False,
        "movement_threshold": None,
        "destinations": [],
        "next_report_at": None,
        "next_report_day": None,
    }


async def test_what_is_put_is_there(gateway: RunningGateway, owner: Owner) -> None:
    """Settings and a masked destination; what a later change leaves out stays."""
    settings = {
        "sources": {"polar": False},
        "time": "07:45",
        "timezone": "Asia/Seoul",
        "weekdays": [1, 5],
        "weekly_digest": True,
        "movement_threshold": 5_000,
        "destinations": [{"kind": "slack", "name": "Team", "url": SLACK}],
    }
    first = await put(gateway, owner, settings)
    assert first.status == 200
    [destination] = first.json["destinations"]
    assert destination["hint"] == "…/B0…/****"
    assert SLACK not in first.text
    assert first.json["next_report_at"].endswith("T22:45:00Z")
    await put(gateway, owner, {"time": "08:00"})
    after = (await gateway.call("GET", ALERTS, owner=owner)).json
    assert after["sources"] == {"stripe": True, "revenuecat": True, "polar": False}
    assert (after["time"], after["timezone"], after["weekdays"]) == (
        *("08:00", "Asia/Seoul"),
        [1, 5],
    )
    assert (after["weekly_digest"], after["movement_threshold"]) == (True, 5_000)
    assert after["destinations"] == [destination]


async def test_the_list_of_destinations_is_the_whole_list(
    gateway: RunningGateway, owner: Owner
) -> None:
    """One named by its id stays, another comes, one left out goes."""
    both = [
        {"kind": "slack", "url": SLACK},
        {"kind": "email", "address": "me@example.com"},
    ]
    first = await put(gateway, owner, {"destinations": both})
    [slack, mail] = first.json["destinations"]
    assert mail["hint"] == "m…@example.com"
    changed = [
        {"destination_id": mail["destination_id"]},
        {"kind": "telegram", "bot_token": "123:" + "a" * 35, "chat_id": -100123},
    ]
    after = (await put(gateway, owner, {"destinations": changed})).json
    assert [one["kind"] for one in after["destinations"]] == ["email", "telegram"]
    assert after["destinations"][0]["destination_id"] == mail["destination_id"]
    gone = [{"destination_id": slack["destination_id"]}]
    answer = await put(gateway, owner, {"destinations": gone})
    assert answer.status == 404


async def test_a_secret_is_shown_once(gateway: RunningGateway, owner: Owner) -> None:
    """A webhook's secret is in the answer that made it and in none after."""
    body = {"kind": "webhook", "url": "https://example.com/hook"}
    path = f"{ALERTS}/destinations"
    made = await gateway.call("POST", path, owner=owner, json=body)
    assert made.status == 201
    assert made.json["secret"].startswith("whsec_")
    listed = await gateway.call("GET", ALERTS, owner=owner)
    [shown] = listed.json["destinations"]
    assert shown["secret"] is None
    name = shown["destination_id"]
    assert (await gateway.call("DELETE", f"{path}/{name}", owner=owner)).status == 204
    assert (await gateway.call("DELETE", f"{path}/{name}", owner=owner)).status == 404


async def test_what_does_not_fit_changes_nothing(
    gateway: RunningGateway, owner: Owner
) -> None:
    """A refusal has a code, repeats nothing of an address, and stores nothing."""
    before = (await gateway.call("GET", ALERTS, owner=owner)).json
    for body, code in REFUSED:
        answer = await put(gateway, owner, {"time": "10:00", **body})
        found = (answer.status, answer.code)
        assert found == (422, code or "INVALID_DESTINATION"), body
        for one in body.get("destinations", []):
            assert not one.get("url") or one["url"] not in answer.text
    assert (await gateway.call("GET", ALERTS, owner=owner)).json == before


async def test_the_free_plan_gets_words(gateway: RunningGateway, owner: Owner) -> None:
    """Alerts are for paid plans, and nothing else is."""
    change = "UPDATE gateway.account SET plan = 'free' WHERE account_id = $1"
    await gateway.fetch(change, owner.account_id)
    for method, path in (
        ("GET", ALERTS),
        ("PUT", ALERTS),
        ("POST", f"{ALERTS}/test"),
        ("GET", "/api/v1/deliveries"),
        ("POST", f"/api/v1/deliveries/{uuid4()}/resend"),
    ):
        body: object = {} if method != "GET" else None
        answer = await gateway.call(method, path, owner=owner, json=body)
        assert (answer.status, answer.code) == (403, "PLAN_REQUIRED")
        assert "Starter, Plus and Max" in answer.json["detail"]
    integrations = await gateway.call("GET", "/api/v1/integrations", owner=owner)
    assert integrations.status == 200


async def test_another_account_finds_nothing(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Destinations and deliveries of others are not there."""
    first = await put(
        gateway, owner, {"destinations": [{"kind": "slack", "url": SLACK}]}
    )
    [destination] = first.json["destinations"]
    tested = await gateway.call("POST", f"{ALERTS}/test", owner=owner, json={})
    assert tested.status == 202
    other = await gateway.sign_up("other@example.com")
    of = {"destination_id": destination["destination_id"]}
    answer = await gateway.call("POST", f"{ALERTS}/test", owner=other, json=of)
    assert answer.status == 404
    delivery = f"/api/v1/deliveries/{tested.json['delivery_id']}"
    assert (await gateway.call("GET", delivery, owner=other)).status == 404
    resend = await gateway.call("POST", f"{delivery}/resend", owner=other)
    assert resend.status == 404
    assert (await gateway.call("GET", delivery, owner=owner)).status == 200
    unknown = f"/api/v1/deliveries/{uuid4()}"
    assert (await gateway.call("GET", unknown, owner=owner)).status == 404


async def test_the_log_is_read_page_by_page(
    gateway: RunningGateway, owner: Owner
) -> None:
    """Each delivery once, the newest first, to a page without a cursor."""
    log = "/api/v1/deliveries"
    await put(gateway, owner, {"destinations": [{"kind": "slack", "url": SLACK}]})
    asked = []
    for _ in range(5):
        tested = await gateway.call("POST", f"{ALERTS}/test", owner=owner, json={})
        asked.append(tested.json["delivery_id"])
    found, path = [], f"{log}?limit=2"
    while path:
        page = (await gateway.call("GET", path, owner=owner)).json
        found.append([one["delivery_id"] for one in page["deliveries"]])
        rest = page["next_cursor"]
        path = f"{log}?limit=2&cursor={rest}" if rest else ""
    assert [len(page) for page in found] == [2, 2, 1]
    assert [one for page in found for one in page] == asked[::-1]
    other = await gateway.sign_up("third@example.com")
    for cursor, who in (("none-such", owner), (uuid4(), owner), (asked[0], other)):
        path = f"{log}?cursor={cursor}"
        assert (await gateway.call("GET", path, owner=who)).status == 422
