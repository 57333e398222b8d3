"""Connecting, refreshing, changing and disconnecting, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from opseer_common.testing.gateway import Answer, Owner, RunningGateway

PATH = "/api/v1/integrations/stripe"
LIVE = "rk_" + "live_" + "A" * 24
OTHER_LIVE = "rk_" + "live_" + "b" * 24
TEST = "rk_" + "test_" + "A" * 24


async def connect(
    gateway: RunningGateway, owner: Owner, key: str = LIVE, **more: object
) -> Answer:
    """Connect and return the answer."""
    return await gateway.call("PUT", PATH, owner=owner, json={"api_key": key, **more})


async def stored(gateway: RunningGateway) -> Sequence[asyncpg.Record]:
    """Return the stored connections."""
    return await gateway.fetch("SELECT * FROM gateway.opseer_user_integration")


async def said(gateway: RunningGateway, owner: Owner) -> list[str]:
    """Return what was written down about the owner's Stripe, in order."""
    rows = await gateway.fetch(
        """
        SELECT what FROM gateway.audit
        WHERE account_id = $1 AND source = 'stripe' ORDER BY id
        """,
        owner.account_id,
    )
    return [row["what"] for row in rows]


async def collector_has(
    gateway: RunningGateway, row: dict[str, Any], run_state: str, kind: str = "first"
) -> None:
    """Write what the collector would have of the row's run."""
    connection_id = (await stored(gateway))[0]["connection_id"]
    account_id = (await stored(gateway))[0]["account_id"]
    await gateway.fetch(
        """
        INSERT INTO collector.connection (account_id, source, connection_id, state)
        VALUES ($1, 'stripe', $2, 'connected') ON CONFLICT DO NOTHING
        """,
        account_id,
        connection_id,
    )
    await gateway.fetch(
        """
        INSERT INTO collector.run (run_id, account_id, source, connection_id, kind,
            state, stage, done, total, not_before, created_at)
        VALUES ($1, $2, 'stripe', $3, $4, $5, 'charges', 3, 9, now(), now())
        """,
        UUID(row["run_id"]),
        account_id,
        connection_id,
        kind,
        run_state,
    )


async def test_first_connect(gateway: RunningGateway, owner: Owner) -> None:
    """A key that Stripe takes is connected at once: 201, collecting, queued."""
    answer = await connect(gateway, owner, f" {LIVE}\n")
    assert answer.status == 201
    row = answer.json
    found = (row["state"], row["environment"], row["livemode"], row["key_hint"])
    assert found == ("collecting", "live", True, "rk_live_…AAAA")
    assert row["progress"] == {"stage": "queued", "done": 0, "total": 0, "eta_s": None}
    assert row["policy"] == {"preset": "opseer", "version": 1}
    assert len(row["permissions"]) == 12
    assert set(row["permissions"].values()) == {"unknown"}
    assert (await gateway.call("GET", PATH, owner=owner)).json == row


async def test_row_has_the_contract_s_fields(
    gateway: RunningGateway, owner: Owner
) -> None:
    """The row has exactly the fields of the contract, connected or not."""
    answer = await gateway.call("GET", PATH, owner=owner)
    fields = (
        "source state flags environment livemode key_hint settlement_currency timezone "
        "policy connected_at last_collected_at next_collection_at last_error "
        "permissions progress run_id"
    )
    assert list(answer.json) == fields.split()
    assert answer.json["state"] == "disconnected"


async def test_news_reaches_the_bus(gateway: RunningGateway, owner: Owner) -> None:
    """What was said leaves the outbox for the bus within seconds."""
    await connect(gateway, owner)
    for _ in range(100):
        if not await gateway.fetch("SELECT 1 FROM gateway.outbox"):
            return
        await asyncio.sleep(0.05)
    pytest.fail("still in the outbox")


async def test_key_is_sealed(gateway: RunningGateway, owner: Owner) -> None:
    """The key's text is nowhere in the row; the record has the sealed form."""
    await connect(gateway, owner)
    (row,) = await stored(gateway)
    assert len(row["config"]) == 310
    assert LIVE.encode() not in row["config"]
    assert LIVE not in str(dict(row))


async def test_same_key_again(gateway: RunningGateway, owner: Owner) -> None:
    """The same key again is 200, a new connection and run, and one row."""
    first = (await connect(gateway, owner)).json
    before = (await stored(gateway))[0]["connection_id"]
    again = await connect(gateway, owner)
    assert again.status == 200
    assert again.json["run_id"] != first["run_id"]
    (row,) = await stored(gateway)
    assert row["connection_id"] != before
    assert row["key_version"] == 2


async def test_other_mode_asks_first(gateway: RunningGateway, owner: Owner) -> None:
    """A test key over live data is 409 and changes nothing, unless told to."""
    await connect(gateway, owner)
    refused = await connect(gateway, owner, TEST)
    assert (refused.status, refused.code) == (409, "MODE_MISMATCH")
    (row,) = await stored(gateway)
    assert (row["livemode"], row["key_version"]) == (True, 1)
    replaced = await connect(gateway, owner, TEST, replace=True)
    assert (replaced.status, replaced.json["environment"]) == (200, "test")


async def test_settings_outlive_a_reconnect(
    gateway: RunningGateway, owner: Owner
) -> None:
    """A new key keeps the zone and the policy that were chosen."""
    await connect(gateway, owner)
    change = {"timezone": "Asia/Seoul", "policy": "stripe"}
    await gateway.call("PATCH", PATH, owner=owner, json=change)
    row = (await connect(gateway, owner, OTHER_LIVE)).json
    assert row["timezone"] == "Asia/Seoul"
    assert row["policy"]["preset"] == "stripe"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("sk_" + "live_" + "A" * 24, "INVALID_PREFIX"),
        ("rk_" + "prod_x", "INVALID_FORMAT"),
        ("", "REQUIRED"),
    ],
)
async def test_unfit_key_goes_nowhere(
    gateway: RunningGateway, owner: Owner, key: str, code: str
) -> None:
    """A key that does not fit: 422, no call out, no row, and it is not repeated."""
    answer = await connect(gateway, owner, key)
    assert (answer.status, answer.code) == (422, code)
    assert key == "" or key not in answer.text
    assert await gateway.provider_calls() == 0
    assert not await stored(gateway)


@pytest.mark.parametrize(
    ("state", "words"), [("expired", "expired"), ("revoked", "refused this key")]
)
async def test_dead_key(
    gateway: RunningGateway, owner: Owner, state: str, words: str
) -> None:
    """A key that Stripe refuses is 422 AUTH_FAILED in words, and nothing is stored."""
    await gateway.control("key", {"state": state})
    answer = await connect(gateway, owner)
    assert (answer.status, answer.code) == (422, "AUTH_FAILED")
    assert words in answer.json["detail"]
    assert not await stored(gateway)


async def test_balance_permission(gateway: RunningGateway, owner: Owner) -> None:
    """A key without Balance is AUTH_FAILED and the permission is named."""
    await gateway.control("permissions", {"missing": ["balance"]})
    answer = await connect(gateway, owner)
    assert answer.code == "AUTH_FAILED"
    assert "Balance → Read" in answer.json["detail"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "server_error", "status": 503},
        {"kind": "rate_limited"},
        {"kind": "html"},
        {"kind": "truncated"},
    ],
)
async def test_provider_in_trouble(
    gateway: RunningGateway, owner: Owner, fault: dict[str, Any]
) -> None:
    """Whatever else Stripe answers is 503 PROVIDER_UNAVAILABLE; nothing is stored."""
    await gateway.control("faults", fault)
    answer = await connect(gateway, owner)
    assert (answer.status, answer.code) == (503, "PROVIDER_UNAVAILABLE")
    assert not await stored(gateway)


async def test_provider_away(start_gateway: Any) -> None:
    """A provider that cannot be reached is 503 PROVIDER_UNAVAILABLE."""
    gateway = await start_gateway(stripe_api_base="http://127.0.0.1:9")
    answer = await connect(gateway, await gateway.sign_up())
    assert (answer.status, answer.code) == (503, "PROVIDER_UNAVAILABLE")


async def test_concurrent_connects(gateway: RunningGateway, owner: Owner) -> None:
    """Connects at one time come one by one: one 201, one row, versions counted."""
    answers = await asyncio.gather(*(connect(gateway, owner) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200] * 4 + [201]
    (row,) = await stored(gateway)
    assert row["key_version"] == 5


async def test_connect_attempts_are_limited(
    gateway: RunningGateway, owner: Owner
) -> None:
    """60 attempts a minute are fine; the 61st is 429 and says when to come again."""
    for _ in range(60):
        assert (await connect(gateway, owner, "x")).status == 422
    answer = await connect(gateway, owner, "x")
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_disconnect(gateway: RunningGateway, owner: Owner) -> None:
    """DELETE leaves a tombstone and no row; again, or with nothing there, is 204."""
    assert (await gateway.call("DELETE", PATH, owner=owner)).status == 204
    await connect(gateway, owner)
    assert (await gateway.call("DELETE", PATH, owner=owner)).status == 204
    assert (await gateway.call("DELETE", PATH, owner=owner)).status == 204
    assert not await stored(gateway)
    assert await said(gateway, owner) == ["connected", "disconnected"]
    row = (await gateway.call("GET", PATH, owner=owner)).json
    assert (row["state"], row["key_hint"], row["run_id"]) == (
        "disconnected",
        None,
        None,
    )


async def test_key_versions_are_not_reused(
    gateway: RunningGateway, owner: Owner
) -> None:
    """A key after a disconnect is sealed under a version of its own."""
    await connect(gateway, owner)
    await gateway.call("DELETE", PATH, owner=owner)
    assert (await connect(gateway, owner)).status == 201
    assert (await stored(gateway))[0]["key_version"] == 2


async def test_refresh_of_a_first_run(gateway: RunningGateway, owner: Owner) -> None:
    """While the first run is under way Refresh answers with that run."""
    row = (await connect(gateway, owner)).json
    answers = await asyncio.gather(
        *(gateway.call("POST", f"{PATH}/refresh", owner=owner) for _ in range(5))
    )
    assert {answer.status for answer in answers} == {202}
    assert {answer.json["run_id"] for answer in answers} == {row["run_id"]}


async def test_refresh_is_single_flight(gateway: RunningGateway, owner: Owner) -> None:
    """After the first run, Refreshes at one time are one new run, which is shown."""
    row = (await connect(gateway, owner)).json
    await collector_has(gateway, row, "done")
    assert (await gateway.call("GET", PATH, owner=owner)).json["progress"] is None
    answers = await asyncio.gather(
        *(gateway.call("POST", f"{PATH}/refresh", owner=owner) for _ in range(5))
    )
    (run_id,) = {answer.json["run_id"] for answer in answers}
    assert run_id != row["run_id"]
    shown = (await gateway.call("GET", PATH, owner=owner)).json
    assert (shown["run_id"], shown["progress"]["stage"]) == (run_id, "queued")
    assert (await said(gateway, owner)).count("refresh requested") == 1


async def test_refresh_of_nothing(gateway: RunningGateway, owner: Owner) -> None:
    """Refresh and changes need a connection: 409 NOT_CONNECTED."""
    refresh = await gateway.call("POST", f"{PATH}/refresh", owner=owner)
    change = await gateway.call("PATCH", PATH, owner=owner, json={"timezone": "UTC"})
    assert (refresh.status, refresh.code) == (409, "NOT_CONNECTED")
    assert (change.status, change.code) == (409, "NOT_CONNECTED")


async def test_progress_of_a_run(gateway: RunningGateway, owner: Owner) -> None:
    """The row shows how far the collector's run is; a daily run is shown as well."""
    row = (await connect(gateway, owner)).json
    await collector_has(gateway, row, "done")
    daily = str(uuid4())
    await collector_has(gateway, {"run_id": daily}, "running", "daily")
    shown = (await gateway.call("GET", PATH, owner=owner)).json
    assert shown["run_id"] == daily
    progress = {"stage": "charges", "done": 3, "total": 9, "eta_s": None}
    assert shown["progress"] == progress


async def test_change_asks_for_a_recompute(
    gateway: RunningGateway, owner: Owner
) -> None:
    """PATCH is 202 with a run, counts the settings' revision up, and is shown."""
    row = (await connect(gateway, owner)).json
    await collector_has(gateway, row, "done")
    change = {"timezone": "Europe/Berlin", "settlement_currency": "eur"}
    answer = await gateway.call("PATCH", PATH, owner=owner, json=change)
    assert answer.status == 202
    shown = (await gateway.call("GET", PATH, owner=owner)).json
    assert (shown["timezone"], shown["settlement_currency"]) == ("Europe/Berlin", "eur")
    assert shown["run_id"] == answer.json["run_id"]
    (kept,) = await stored(gateway)
    assert (kept["settings_revision"], kept["run_kind"]) == (2, "recompute")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "REQUIRED"),
        ({"timezone": "../../etc/passwd"}, "INVALID_TIMEZONE"),
        ({"settlement_currency": "EUR"}, "INVALID_CURRENCY"),
        ({"policy": "generous"}, "INVALID_POLICY"),
        ({"colour": "red"}, "UNKNOWN_FIELD"),
    ],
)
async def test_impossible_changes(
    gateway: RunningGateway, owner: Owner, change: dict[str, object], code: str
) -> None:
    """A change that says something impossible is 422 and changes nothing."""
    await connect(gateway, owner)
    answer = await gateway.call("PATCH", PATH, owner=owner, json=change)
    assert (answer.status, answer.code) == (422, code)
    assert (await stored(gateway))[0]["settings_revision"] == 1


async def test_events_end_with_the_run(gateway: RunningGateway, owner: Owner) -> None:
    """The progress stream sends rows and ends when the run is over."""
    row = (await connect(gateway, owner)).json
    headers = {"Authorization": f"Bearer {owner.token}"}
    url = f"{gateway.url}{PATH}/progress"
    async with asyncio.timeout(10), gateway.session.get(url, headers=headers) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        first = await stream.content.readuntil(b"\n\n")
        await collector_has(gateway, row, "done")
        rest = (await stream.text()).strip().split("\n\n")
    assert b'"stage":"queued"' in first
    assert '"progress":null' in rest[-1]


async def test_tenants_are_apart(gateway: RunningGateway, owner: Owner) -> None:
    """One account's connection is invisible to another, and safe from it."""
    await connect(gateway, owner)
    other = await gateway.sign_up("other@example.com")
    assert (await gateway.call("GET", PATH, owner=other)).json["state"] == (
        "disconnected"
    )
    assert (await gateway.call("DELETE", PATH, owner=other)).status == 204
    assert len(await stored(gateway)) == 1
