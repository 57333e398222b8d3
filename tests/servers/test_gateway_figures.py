"""Reading figures: current rows alone, each day with its completeness."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from opseer_common.clock import utc_now
from opseer_common.contracts.daily_report import DailyReport, Metric, ReportChannel
from opseer_common.testing.gateway import Owner, RunningGateway
from opseer_common.testing.published import Connected, Publisher

REVENUE = "/api/v1/revenue/daily?source=stripe"
MRR = "/api/v1/mrr?source=stripe"
MOVEMENTS = "/api/v1/mrr/movements?source=stripe"
REPORT = "/api/v1/reports/daily"


@pytest.fixture
def today() -> date:
    """Return today in UTC; a test that runs over midnight is not worth more care."""
    return utc_now().date()


@pytest.fixture
async def connected(world: Publisher, owner: Owner, today: date) -> Connected:
    """Return a connection with five closed days of figures."""
    of = await world.connect(owner.account_id)
    for back in range(1, 6):
        day = today - timedelta(days=back)
        await world.daily(of, day, 1_000 * back, back)
        await world.movement(of, day, 50_000 + back)
    await world.publish(of, 1, utc_now(), permissions={"events": "ok"})
    await snapshot(world, of, today)
    return of


async def snapshot(world: Publisher, of: Connected, day: date, **other: Any) -> None:
    """Write an MRR snapshot: 50,002 cents over three subscriptions."""
    values = {"mrr": 50_002, "active": 3, "complete": True, "reason": None} | other
    await world.fetch(
        """
        INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
            mrr_minor, active_subscriptions, usage_mrr_minor, at_risk_mrr_minor,
            trial_mrr_minor, committed_mrr_minor, mrr_stripe_comparable_minor,
            unconverted, policy, policy_version, timezone, complete, reason, as_of)
        VALUES ($1, 'stripe', $2, $3, 'usd', $4, $5, 1, 2, 3, 4, 5, '{"krw": 990}',
            '{"preset": "opseer", "version": 1}', 1, 'UTC', $6, $7, now())
        """,
        of.account_id,
        of.connection_id,
        day,
        values["mrr"],
        values["active"],
        values["complete"],
        values["reason"],
    )


async def get(gateway: RunningGateway, owner: Owner, path: str) -> Any:
    """Return a good answer's JSON."""
    answer = await gateway.call("GET", path, owner=owner)
    assert answer.status == 200, answer.text
    return answer.json


def numbers_in(value: object) -> list[object]:
    """Return every number in a JSON value; true and false are none."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return [value]
    if isinstance(value, dict):
        return [n for inner in value.values() for n in numbers_in(inner)]
    return (
        [n for inner in value for n in numbers_in(inner)]
        if isinstance(value, list)
        else []
    )


async def test_daily_window(
    gateway: RunningGateway, owner: Owner, connected: Connected, today: date
) -> None:
    """91 days with today, ascending; days without a row are null and say why."""
    found = await get(gateway, owner, REVENUE)
    rows = found["rows"]
    days = [(today - timedelta(days=90 - n)).isoformat() for n in range(91)]
    assert [row["date"] for row in rows] == days
    assert (found["currency"], found["complete"]) == ("usd", False)
    assert rows[89] == {
        "date": days[89],
        "currency": "usd",
        "net_revenue": 1_000,
        "charges_count": 1,
        "charges_amount": 1_000,
        "refunds_count": 0,
        "refunds_amount": 0,
        "failed_payments": None,
        "disputes": 0,
        "complete": True,
        "reason": None,
    }
    assert (rows[90]["net_revenue"], rows[90]["reason"]) == (None, "CRON_PENDING")
    assert (rows[0]["net_revenue"], rows[0]["reason"]) == (None, "BEFORE_HISTORY")
    assert found["as_of"] is not None


async def test_daily_range(
    gateway: RunningGateway, owner: Owner, connected: Connected, today: date
) -> None:
    """A range is answered as asked, clipped to 90 days back and to today."""
    first, last = today - timedelta(days=3), today - timedelta(days=2)
    found = await get(gateway, owner, f"{REVENUE}&from={first}&to={last}")
    assert [row["net_revenue"] for row in found["rows"]] == [3_000, 2_000]
    assert found["complete"] is True
    long_ago, soon = today - timedelta(days=2000), today + timedelta(days=9)
    clipped = await get(gateway, owner, f"{REVENUE}&from={long_ago}&to={soon}")
    assert len(clipped["rows"]) == 91


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("source=stripe&from=2026-02-30", "INVALID_DATE"),
        ("source=stripe&from=20260201", "INVALID_DATE"),
        ("source=stripe&to=２０２６-01-01", "INVALID_DATE"),
        ("source=stripe&from=2026-02-02&to=2026-02-01", "INVALID_RANGE"),
        ("source=stripe&format=xml", "INVALID_FORMAT"),
        ("source=paypal", "INVALID_SOURCE"),
        ("", "INVALID_SOURCE"),
    ],
)
async def test_impossible_questions(
    gateway: RunningGateway, owner: Owner, query: str, code: str
) -> None:
    """A question that makes no sense is 422."""
    path = f"/api/v1/revenue/daily?{query}"
    answer = await gateway.call("GET", path, owner=owner)
    assert (answer.status, answer.code) == (422, code)


async def test_nothing_collected_yet(
    gateway: RunningGateway, owner: Owner, world: Publisher
) -> None:
    """While nothing is collected every figure is null, and COLLECTING."""
    await world.connect(owner.account_id)
    daily = await get(gateway, owner, REVENUE)
    assert {row["reason"] for row in daily["rows"]} == {"COLLECTING"}
    assert not numbers_in(daily)
    assert daily["as_of"] is None
    mrr = await get(gateway, owner, MRR)
    assert (mrr["mrr"], mrr["complete"], mrr["reason"]) == (None, False, "COLLECTING")
    moved = await get(gateway, owner, MOVEMENTS)
    assert len(moved["rows"]) == 30
    assert not numbers_in(moved)


async def test_after_a_disconnect(
    gateway: RunningGateway, owner: Owner, connected: Connected, today: date
) -> None:
    """After DELETE no read has a number, though rows may still be there."""
    yesterday = today - timedelta(days=1)
    path = "/api/v1/integrations/stripe"
    assert (await gateway.call("DELETE", path, owner=owner)).status == 204
    daily = await get(gateway, owner, REVENUE)
    assert (daily["rows"], daily["complete"], daily["as_of"]) == ([], False, None)
    for url in (REVENUE, MRR, MOVEMENTS, f"{REPORT}?date={yesterday}"):
        assert not numbers_in(await get(gateway, owner, url)), url


async def test_after_a_reconnect(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    world: Publisher,
) -> None:
    """Rows of an earlier connection are not shown under the new one."""
    await world.connect(owner.account_id)
    for url in (REVENUE, MRR, MOVEMENTS):
        answer = await get(gateway, owner, url)
        answer.pop("policy", None)  # has a version
        assert not numbers_in(answer), url


async def test_mrr(gateway: RunningGateway, owner: Owner, connected: Connected) -> None:
    """ARR is 12 times MRR; ARPA is MRR per active subscription, half-even."""
    found = await get(gateway, owner, MRR)
    assert (found["mrr"], found["active_subscriptions"]) == (50_002, 3)
    assert (found["arr"], found["arpa"]) == (600_024, 16_667)
    assert (found["complete"], found["reason"]) == (True, None)
    assert found["unconverted"] == {"krw": 990}
    assert found["policy"] == {"preset": "opseer", "version": 1}
    parts = ("usage_mrr", "at_risk_mrr", "trial_mrr", "committed_mrr")
    assert [found[part] for part in parts] == [1, 2, 3, 4]
    assert found["mrr_stripe_comparable"] == 5


async def test_mrr_without_subscriptions(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    world: Publisher,
    today: date,
) -> None:
    """Where Subscriptions can't be read MRR is null with that reason, never 0."""
    await snapshot(
        world,
        connected,
        today + timedelta(days=1),
        mrr=None,
        active=None,
        complete=False,
        reason="SUBSCRIPTIONS_PERMISSION",
    )
    found = await get(gateway, owner, MRR)
    assert (found["mrr"], found["arr"], found["arpa"]) == (None, None, None)
    assert found["reason"] == "SUBSCRIPTIONS_PERMISSION"


async def test_movements(
    gateway: RunningGateway, owner: Owner, connected: Connected, today: date
) -> None:
    """Movements are the stored days of the grain, ascending."""
    found = await get(gateway, owner, MOVEMENTS)
    assert [row["snapshot"] for row in found["rows"]] == [
        50_005,
        50_004,
        50_003,
        50_002,
        50_001,
    ]
    assert found["rows"][-1] == {
        "date": (today - timedelta(days=1)).isoformat(),
        "new": 0,
        "expansion": 0,
        "contraction": 0,
        "churned": 0,
        "net": 0,
        "of_which_reactivation": 0,
        "fx": 0,
        "snapshot": 50_001,
        "complete": True,
        "reason": None,
    }
    assert (found["currency"], found["as_of"] is None) == ("usd", False)


async def test_csv(
    gateway: RunningGateway, owner: Owner, connected: Connected, today: date
) -> None:
    """CSV has the rows' fields as columns and nothing for null."""
    day = today - timedelta(days=2)
    path = f"{REVENUE}&from={day}&to={day}&format=csv"
    answer = await gateway.call("GET", path, owner=owner)
    assert answer.headers["Content-Type"].startswith("text/csv")
    head, row = answer.text.splitlines()
    assert head == (
        "date,currency,net_revenue,charges_count,charges_amount,refunds_count,"
        "refunds_amount,failed_payments,disputes,complete,reason"
    )
    assert row == f"{day},usd,2000,2,2000,0,0,,0,true,"
    moved = await gateway.call("GET", f"{MOVEMENTS}&format=csv", owner=owner)
    assert moved.text.splitlines()[0].startswith("date,new,expansion,contraction")


async def put_report(
    world: Publisher, owner: Owner, day: date, built_at: datetime
) -> None:
    """Store a report with an MRR of 123,456 cents for Stripe and one for Polar."""
    metric = Metric("mrr", "MRR", 123_456, 123_000, None, "ok", None)
    body = DailyReport(
        day,
        "UTC",
        "📊 Opseer Revenue Daily Report",
        (
            ReportChannel("stripe", "usd", "live", (metric,)),
            ReportChannel("polar", "usd", "live", (metric,)),
        ),
    )
    await world.fetch(
        "INSERT INTO notifier.report VALUES ($1, $2, 'UTC', 1, $3, $4)",
        owner.account_id,
        day,
        msgspec.json.encode(body).decode(),
        built_at,
    )


async def test_report(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    world: Publisher,
    today: date,
) -> None:
    """The report is yesterday's as it was stored, without what is not connected."""
    yesterday = today - timedelta(days=1)
    await put_report(world, owner, yesterday, utc_now())
    found = await get(gateway, owner, REPORT)
    assert found["date"] == yesterday.isoformat()
    assert [channel["source"] for channel in found["channels"]] == ["stripe"]
    assert found["channels"][0]["metrics"][0]["value"] == 123_456
    text = await gateway.call("GET", f"{REPORT}?format=text", owner=owner)
    assert "$1,234.56" in text.text
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    page = await gateway.call("GET", f"{REPORT}?format=html", owner=owner)
    assert page.text.startswith("<!doctype html>")


async def test_report_of_an_earlier_connection(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    world: Publisher,
    today: date,
) -> None:
    """A report from before the connection has null values, all five, COLLECTING."""
    old = utc_now() - timedelta(days=1)
    await put_report(world, owner, today - timedelta(days=1), old)
    (channel,) = (await get(gateway, owner, REPORT))["channels"]
    assert [metric["label"] for metric in channel["metrics"]] == [
        "MRR",
        "Revenue",
        "Orders",
        "New Subs",
        "Churned",
    ]
    assert {m["value"] for m in channel["metrics"]} == {None}
    assert {m["reason"] for m in channel["metrics"]} == {"COLLECTING"}


@pytest.mark.parametrize(
    ("back", "reason"), [(0, "ARRIVES_TOMORROW"), (91, "BEFORE_HISTORY")]
)
async def test_a_day_that_has_no_report(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    today: date,
    back: int,
    reason: str,
) -> None:
    """Rule: a day that is not over, or is older than the cache, says so."""
    day = today - timedelta(days=back)
    (channel,) = (await get(gateway, owner, f"{REPORT}?date={day}"))["channels"]
    assert {m["value"] for m in channel["metrics"]} == {None}
    assert {m["reason"] for m in channel["metrics"]} == {reason}


async def test_another_account_reads_nothing(
    gateway: RunningGateway, owner: Owner, connected: Connected
) -> None:
    """No figure of one account is in another's answers."""
    other = await gateway.sign_up("other@example.com")
    for url in (REVENUE, MRR, MOVEMENTS, REPORT):
        assert not numbers_in(await get(gateway, other, url)), url
