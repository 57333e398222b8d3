"""What is behind the figures, over HTTP: pages of it, refusals, and who may read."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from opseer_common.clock import utc_now
from opseer_common.testing.gateway import Owner, RunningGateway
from opseer_common.testing.published import Connected, Publisher

ANSWERED = ("source", "date", "timezone", "currency", "as_of", "complete", "reason")


@pytest.fixture
def yesterday() -> date:
    """Return yesterday in UTC."""
    return utc_now().date() - timedelta(days=1)


@pytest.fixture
async def connected(world: Publisher, owner: Owner, yesterday: date) -> Connected:
    """Return a live connection with five charges yesterday, and one that moved MRR."""
    of = await world.connect(owner.account_id)
    await world.daily(of, yesterday, 1_500, 5)
    await world.publish(of, 1, utc_now(), permissions={"events": "ok"})
    midnight = datetime(yesterday.year, yesterday.month, yesterday.day, tzinfo=UTC)
    for n in range(1, 6):
        key = (of.account_id, of.connection_id)
        await world.fetch(
            """
            INSERT INTO collector.charge VALUES
                ($1, 'stripe', $2, $3, $4, $5, 'usd', 'succeeded', false, NULL,
                 'cus_1', 1)
            """,
            *(*key, f"ch_{n}", int(midnight.timestamp()) + n // 2, n * 100),
        )
        await world.fetch(
            """
            INSERT INTO collector.balance_transaction VALUES
                ($1, 'stripe', $2, $3, $4, $5::bigint, 30, $5::bigint - 30, 'usd',
                 NULL, 'charge', 'charge', $6, 1)
            """,
            *(*key, f"txn_{n}", int(midnight.timestamp()) + n // 2, n * 100, f"ch_{n}"),
        )
    await world.fetch(
        """
        INSERT INTO collector.name VALUES
            ($1, 'stripe', $2, 'customer', 'cus_1', '<Ada & Co>', 'ada@example.com', 1),
            ($1, 'stripe', $2, 'product', 'prod_1', 'Pro', NULL, 1)
        """,
        *(of.account_id, of.connection_id),
    )
    await moved(world, of, yesterday)
    return of


async def moved(world: Publisher, of: Connected, day: date) -> None:
    """Write a day on which one subscription started, and what MRR is made of."""
    await world.movement(of, day, 5_000)
    plans = (
        '[{"price_id": "price_1", "product_id": "prod_1", "nickname": null,'
        ' "interval": "month", "interval_count": 1}]'
    )
    await world.fetch(
        """
        INSERT INTO mrr.movement_change VALUES ($1, 'stripe', $2, $3, 'sub_1', 0,
            'cus_1', 'new', 'new', 'usd', 0, 5000, 5000, ARRAY['evt_1'],
            '{"before": [], "after": ["Pro: 1 x 50.00 USD per month"]}', $4, false,
            'new', false)
        """,
        *(of.account_id, of.connection_id, day, plans),
    )
    await world.fetch(
        """
        INSERT INTO mrr.plan VALUES ($1, 'stripe', $2, 'price_1', 'prod_1', NULL,
            'month', 1, 'usd', 5000, 5000, 1)
        """,
        *(of.account_id, of.connection_id),
    )
    await world.fetch(
        """
        INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
            mrr_minor, active_subscriptions, policy, policy_version, timezone,
            complete, as_of)
        VALUES ($1, 'stripe', $2, $3, 'usd', 5000, 1, '{}', 1, 'UTC', true, now())
        """,
        *(of.account_id, of.connection_id, day),
    )


def paths(day: object) -> list[str]:
    """Return the three questions about a day."""
    return [
        f"/api/v1/revenue/daily/{day}/entries?source=stripe",
        f"/api/v1/mrr/movements/{day}/changes?source=stripe",
        "/api/v1/mrr/plans?source=stripe",
    ]


async def get(gateway: RunningGateway, owner: Owner, path: str) -> Any:
    """Return a good answer's JSON."""
    answer = await gateway.call("GET", path, owner=owner)
    assert answer.status == 200, answer.text
    return answer.json


async def test_entries(
    gateway: RunningGateway, owner: Owner, connected: Connected, yesterday: date
) -> None:
    """An entry says what it is, what it adds to which column, whose, and where."""
    found = await get(gateway, owner, paths(yesterday)[0])
    assert [found[name] for name in ANSWERED if name != "as_of"] == [
        *("stripe", yesterday.isoformat(), "UTC", "usd", True, None)
    ]
    assert (found["total"], found["next_cursor"]) == (5, None)
    assert found["entries"][0] == {
        "kind": "balance_transaction",
        "id": "txn_4",
        "created": f"{yesterday}T00:00:02Z",
        "category": "charge",
        "detail": "charge",
        "amount": 400,
        "currency": "usd",
        "fee": 30,
        "net": 370,
        "converted_amount": None,
        "rate": None,
        "original_amount": None,
        "original_currency": None,
        "exchange_rate": None,
        "source_id": "ch_4",
        "customer": {"id": "cus_1", "name": "<Ada & Co>", "email": "ada@example.com"},
        "counts_in": "charges",
        "adds": {"charges_count": 1, "charges_amount": 400, "net_revenue": 400},
        "link": "https://dashboard.stripe.com/payments/ch_4",
    }


async def test_pages_of_entries(
    gateway: RunningGateway, owner: Owner, connected: Connected, yesterday: date
) -> None:
    """Newest first; those of one second by id; the cursor ends with the last page."""
    path = f"{paths(yesterday)[0]}&limit=2"
    seen, cursor = [], ""
    for _ in range(3):
        found = await get(gateway, owner, path + cursor)
        seen += [entry["id"] for entry in found["entries"]]
        cursor = f"&cursor={found['next_cursor']}"
    assert seen == ["txn_4", "txn_5", "txn_2", "txn_3", "txn_1"]
    assert cursor == "&cursor=None"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("revenue/daily/2026-02-30/entries?source=stripe", "INVALID_DATE"),
        ("revenue/daily/yesterday/entries?source=stripe", "INVALID_DATE"),
        ("revenue/daily/2026-11-20/entries", "INVALID_SOURCE"),
        ("revenue/daily/2026-11-20/entries?source=stripe&limit=0", "INVALID_LIMIT"),
        ("revenue/daily/2026-11-20/entries?source=stripe&limit=101", "INVALID_LIMIT"),
        ("revenue/daily/2026-11-20/entries?source=stripe&cursor=", "INVALID_CURSOR"),
        (
            "revenue/daily/2026-11-20/entries?source=stripe&cursor=MDAwMFsiMjAyNi0x",
            "INVALID_CURSOR",
        ),
        ("mrr/movements/20261120/changes?source=stripe", "INVALID_DATE"),
        ("mrr/movements/2026-11-20/changes?source=stripe&grain=x", "INVALID_GRAIN"),
        ("mrr/plans?source=paypal", "INVALID_SOURCE"),
    ],
)
async def test_impossible_questions(
    gateway: RunningGateway, owner: Owner, path: str, code: str
) -> None:
    """A question that makes no sense is 422, whether or not anything is connected."""
    answer = await gateway.call("GET", f"/api/v1/{path}", owner=owner)
    assert (answer.status, answer.code) == (422, code)


async def test_changes(
    gateway: RunningGateway, owner: Owner, connected: Connected, yesterday: date
) -> None:
    """A change names its subscription, customer, plan and events, and is explained."""
    found = await get(gateway, owner, paths(yesterday)[1])
    assert [found[name] for name in ANSWERED if name != "as_of"] == [
        *("stripe", yesterday.isoformat(), "UTC", "usd", True, None)
    ]
    assert found["changes"] == [
        {
            "subscription_id": "sub_1",
            "customer": {
                "id": "cus_1",
                "name": "<Ada & Co>",
                "email": "ada@example.com",
            },
            "plan": "Pro",
            "price_ids": ["price_1"],
            "event_ids": ["evt_1"],
            "category": "new",
            "reactivation": False,
            "reason": "new",
            "reason_text": "started a paid subscription",
            "currency": "usd",
            "before": 0,
            "after": 5_000,
            "amount": 5_000,
            "arithmetic": {"before": [], "after": ["Pro: 1 x 50.00 USD per month"]},
            "text": "<Ada & Co> started a paid subscription: 0.00 → 50.00 USD a month",
            "link": "https://dashboard.stripe.com/subscriptions/sub_1",
            "customer_link": "https://dashboard.stripe.com/customers/cus_1",
            "event_links": ["https://dashboard.stripe.com/events/evt_1"],
        }
    ]


async def test_plans(
    gateway: RunningGateway, owner: Owner, connected: Connected
) -> None:
    """A plan has its product's name, its MRR and its share."""
    found = await get(gateway, owner, paths("")[2])
    assert (found["mrr"], found["currency"], found["complete"]) == (5_000, "usd", True)
    assert found["plans"] == [
        {
            "price_id": "price_1",
            "product_id": "prod_1",
            "name": "Pro",
            "interval": "month",
            "interval_count": 1,
            "currency": "usd",
            "native_mrr": 5_000,
            "mrr": 5_000,
            "subscriptions": 1,
            "share": 10_000,
        }
    ]


@pytest.mark.parametrize(
    ("back", "reasons"),
    [
        (0, ("CRON_PENDING", "CRON_PENDING")),
        (-30, ("CRON_PENDING", "CRON_PENDING")),
        (89, ("BEFORE_HISTORY", "BEFORE_HISTORY")),
        (2000, ("BEFORE_HISTORY", "BEFORE_HISTORY")),
    ],
)
async def test_days_without_rows(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    back: int,
    reasons: tuple[str, str],
) -> None:
    """A day before the history or still to come is empty and says why."""
    day = utc_now().date() - timedelta(days=back)
    entries, changes = [await get(gateway, owner, path) for path in paths(day)[:2]]
    assert (entries["reason"], changes["reason"]) == reasons
    assert (entries["entries"], entries["total"], changes["changes"]) == ([], None, [])


async def test_who_reads_nothing(
    gateway: RunningGateway,
    owner: Owner,
    connected: Connected,
    world: Publisher,
    yesterday: date,
) -> None:
    """A stranger, and the owner after a reconnect and a DELETE, read no row."""
    other = await gateway.sign_up("other@example.com")
    await nothing(gateway, other, yesterday)
    await world.connect(owner.account_id)
    await nothing(gateway, owner, yesterday)
    path = "/api/v1/integrations/stripe"
    assert (await gateway.call("DELETE", path, owner=owner)).status == 204
    await nothing(gateway, owner, yesterday)
    for path in paths(yesterday):
        assert (await gateway.call("GET", path)).status == 401


async def nothing(gateway: RunningGateway, owner: Owner, day: date) -> None:
    """Look into the three answers: no list has a row, and no number is there."""
    for path in paths(day):
        found = await get(gateway, owner, path)
        [rows] = [value for value in found.values() if isinstance(value, list)]
        assert rows == [], path
        numbers = [v for v in found.values() if isinstance(v, int) and v is not False]
        assert (numbers, found["reason"]) == ([], "COLLECTING"), path


async def test_the_description_has_them(gateway: RunningGateway) -> None:
    """The three routes stand in the API's description with what they answer."""
    document = (await gateway.call("GET", "/api/v1/openapi.json")).json
    for path, shape in (
        ("/api/v1/revenue/daily/{date}/entries", "DayEntries"),
        ("/api/v1/mrr/movements/{date}/changes", "DayChanges"),
        ("/api/v1/mrr/plans", "Plans"),
    ):
        good = document["paths"][path]["get"]["responses"]["200"]
        said = msgspec.json.encode(good["content"]).decode()
        assert f"#/components/schemas/{shape}" in said
        assert shape in document["components"]["schemas"]


async def page(gateway: RunningGateway, owner: Owner, path: str) -> tuple[int, str]:
    """Return the status and text of a page of a signed-in owner."""
    session = await gateway.sign_in(owner)
    answer = await gateway.call("GET", path, headers=session)
    return answer.status, answer.text


async def test_the_page_of_a_day(
    gateway: RunningGateway, owner: Owner, connected: Connected, yesterday: date
) -> None:
    """The dashboard leads to a page with both lists, reasons and arithmetic."""
    of_day = f"/dashboard/revenue/stripe/{yesterday}"
    _, dashboard = await page(gateway, owner, "/dashboard/revenue/stripe")
    assert f'href="{of_day}#revenue"' in dashboard
    status, text = await page(gateway, owner, of_day)
    assert status == 200
    for words in (
        'href="/dashboard/revenue/stripe"',
        "https://dashboard.stripe.com/payments/ch_4",
        "$4.00",
        "&lt;Ada &amp; Co&gt;",
        "Started a paid subscription: $0.00 → $50.00",
        "Pro: 1 x 50.00 USD per month",
        "New MRR",
        "evt_1",
    ):
        assert words in text, words
    for forbidden in (r"<script(?![^>]* src=)", " style=", "<style"):
        assert not re.search(forbidden, text)


async def test_the_page_of_a_day_without_figures(
    gateway: RunningGateway, owner: Owner, connected: Connected, yesterday: date
) -> None:
    """What is missing is "—" with its reason in words; a wrong day is said."""
    early = yesterday - timedelta(days=40)
    status, text = await page(gateway, owner, f"/dashboard/revenue/stripe/{early}")
    assert status == 200
    assert text.count("— before the history begins") == 2
    assert "$" not in text
    stripe = "/dashboard/revenue/stripe"
    assert (await page(gateway, owner, f"{stripe}/2026-13-01"))[0] == 422
    for edge in ("0001-01-01", "9999-12-31"):
        assert (await page(gateway, owner, f"{stripe}/{edge}"))[0] == 200
        assert (await gateway.call("GET", paths(edge)[0], owner=owner)).status == 200
    stranger = await gateway.call("GET", f"/dashboard/revenue/stripe/{yesterday}")
    assert (stranger.status, stranger.headers["Location"]) == (303, "/login")
