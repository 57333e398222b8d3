"""The revenue pages over HTTP: their figures, periods, search, and what they cost."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from opseer_common.clock import utc_now
from opseer_common.testing.gateway import Answer, Owner, RunningGateway
from opseer_common.testing.published import Connected, Publisher, publisher
from opseer_common.testing.servers import FreshDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = "/dashboard/revenue/stripe"


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_database: FreshDatabase) -> AsyncIterator[Publisher]:
    """Return what writes as the other services."""
    async with publisher(module_database) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def connected(world: Publisher, owner_of_own: Owner) -> Connected:
    """Return a connection with ten days of figures, and a customer with a charge."""
    today = utc_now().date()
    of = await world.connect(owner_of_own.account_id)
    for back in range(10):
        day = today - timedelta(days=back)
        await world.daily(of, day, 1_000 + back, 1)
        await world.movement(of, day, 50_000 - back)
    await world.publish(of, 1, utc_now(), permissions={"events": "ok"})
    await world.computed(of, 1)
    await charge(world, of, today - timedelta(days=1))
    return of


async def charge(world: Publisher, of: Connected, day: date) -> None:
    """Write a charge of a customer at noon."""
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
    key = (of.account_id, of.connection_id)
    await world.fetch(
        "INSERT INTO collector.charge VALUES ($1, 'stripe', $2, 'ch_1', $3, 700, 'usd',"
        " 'succeeded', false, NULL, 'cus_1', 1)",
        *(*key, noon),
    )
    await world.fetch(
        "INSERT INTO collector.balance_transaction VALUES ($1, 'stripe', $2, 'txn_1',"
        " $3, 700, 30, 670, 'usd', NULL, 'charge', 'charge', 'ch_1', 1)",
        *(*key, noon),
    )
    await world.fetch(
        "INSERT INTO collector.name VALUES ($1, 'stripe', $2, 'customer', 'cus_1',"
        " '<Ada & Co>', 'ada@example.com', 1)",
        *key,
    )


@pytest_asyncio.fixture(loop_scope="module")
async def session(shared_gateway: RunningGateway, owner_of_own: Owner) -> Any:
    """Return the headers of a signed-in browser."""
    return await shared_gateway.sign_in(owner_of_own)


async def see(
    gateway: RunningGateway, session: Mapping[str, str], path: str, **more: str
) -> Answer:
    """Open a page."""
    return await gateway.call("GET", path, headers={**session, **more})


def series(page: str) -> Any:
    """Return the figures that the page's charts draw."""
    found = re.search(
        r'<script type="application/json" id="series">(.*?)</script>', page
    )
    assert found is not None
    return msgspec.json.decode(found.group(1))


async def test_the_charts_draw_what_the_api_answers(
    shared_gateway: RunningGateway, owner_of_own: Owner, connected: Connected,
    session: Any,
) -> None:  # fmt: skip
    """The page, its charts and the API have the same figures."""
    drawn = series((await see(shared_gateway, session, PAGE)).text)
    days = f"from={drawn['days'][0]}&to={drawn['days'][-1]}&source=stripe"
    for path, field, shown in (
        ("revenue/daily", "net_revenue", drawn["revenue"]),
        ("mrr/movements", "snapshot", drawn["mrr"]),
    ):
        answer = await shared_gateway.call(
            "GET", f"/api/v1/{path}?{days}", owner=owner_of_own
        )
        assert [row[field] for row in answer.json["rows"]] == shown
    assert len(drawn["days"]) == 7


async def test_periods(
    shared_gateway: RunningGateway, connected: Connected, session: Any
) -> None:
    """Each preset has its link; one day has no charts; no period is refused."""
    page = (await see(shared_gateway, session, PAGE)).text
    for words in ("Today", "Yesterday", "7 days", "This month", "Last month", "Custom"):
        assert f">{words}<" in page
    assert f'href="{PAGE}" aria-current="true">7 days' in page
    for preset in ("today", "yesterday"):
        page = (await see(shared_gateway, session, f"{PAGE}?period={preset}")).text
        assert 'id="series"' not in page
        assert "data-chart" not in page
    today = utc_now().date()
    path = f"{PAGE}?period=custom&from={today - timedelta(days=90)}&to={today}"
    assert len(series((await see(shared_gateway, session, path)).text)["days"]) == 91
    refused = await see(shared_gateway, session, f"{PAGE}?period=year")
    assert (refused.status, "INVALID_PERIOD" in refused.text) == (422, True)


async def test_every_figure_says_how_it_is_computed(
    shared_gateway: RunningGateway, connected: Connected, session: Any
) -> None:
    """Each card has a note that opens without a script, with an as-of time."""
    page = (await see(shared_gateway, session, PAGE)).text
    for key in ("mrr", "yesterday_mrr", "net_revenue", "charges", "active", "trend"):
        assert f'popovertarget="how-{key}"' in page
        assert f'id="how-{key}" popover' in page
    assert page.count(">As of ") >= 6


async def test_active_subscriptions_are_compared_from_the_first_day_on(
    shared_gateway: RunningGateway, world: Publisher, connected: Connected, session: Any
) -> None:
    """One snapshot was taken; the days before it follow from the movements."""
    of, today = (connected.account_id, connected.connection_id), utc_now().date()
    await world.fetch(
        """
        INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency,
            mrr_minor, active_subscriptions, policy, policy_version, timezone,
            complete, as_of)
        VALUES ($1, 'stripe', $2, $3, 'usd', 5000, 40, '{}', 1, 'UTC', true, now())
        """,
        *(*of, today),
    )
    await world.fetch(
        """
        INSERT INTO mrr.day_basis
        SELECT $1, 'stripe', $2, $3::date - n, '{}', 'UTC', 9, 0, 0, 38 - n, 0, 0
        FROM generate_series(0, 7) n
        """,
        *(*of, today),
    )
    page = (await see(shared_gateway, session, PAGE)).text
    card = page[page.index('popovertarget="how-active"') :]
    assert "▲ 3" in card[:1500]  # 40 against 37
    assert "7-day average 34" in card[:1500]  # of 37 down to 31


async def test_search_by_customer(
    shared_gateway: RunningGateway, connected: Connected, session: Any
) -> None:
    """A customer is found by name, address or id, with links to the days."""
    yesterday = utc_now().date() - timedelta(days=1)
    for words in ("ada", "EXAMPLE.com", "cus_1"):
        page = (await see(shared_gateway, session, f"{PAGE}/customers?q={words}")).text
        assert "&lt;Ada &amp; Co&gt;" in page
        assert f'href="{PAGE}/{yesterday}#revenue"' in page
        assert "$7.00" in page
    for words in ("nobody", "a", "%25", ""):
        page = (await see(shared_gateway, session, f"{PAGE}/customers?q={words}")).text
        assert "Ada" not in page


async def test_pages_call_no_provider(
    shared_gateway: RunningGateway, connected: Connected, session: Any
) -> None:
    """Opening a page reads what is stored: the provider is asked nothing."""
    before = await shared_gateway.provider_calls()
    yesterday = utc_now().date() - timedelta(days=1)
    for path in (
        "/dashboard",
        PAGE,
        f"{PAGE}?period=last_month",
        f"{PAGE}/{yesterday}",
        f"{PAGE}/customers?q=ada",
        "/dashboard/revenue/revenuecat",
        "/dashboard/revenue/polar",
        "/dashboard/integrations",
        "/dashboard/integrations/stripe",
        "/dashboard/account",
        "/dashboard/alert",
    ):
        assert (await see(shared_gateway, session, path)).status == 200, path
    assert await shared_gateway.provider_calls() == before


async def test_what_one_has_is_not_sent_again(
    shared_gateway: RunningGateway, world: Publisher, connected: Connected,
    session: Any,
) -> None:  # fmt: skip
    """Pages and JSON have an ETag that goes with what was published."""
    path, etag = "/api/v1/revenue/daily?source=stripe", ""
    for shown in (PAGE, path):
        etag = (await see(shared_gateway, session, shown)).headers["ETag"]
        again = await see(shared_gateway, session, shown, **{"If-None-Match": etag})
        assert (again.status, again.body) == (304, b"")
    await world.daily(connected, utc_now().date(), 77_777, 1)
    await world.publish(connected, 2, utc_now(), permissions={"events": "ok"})
    await see(shared_gateway, session, "/api/v1/integrations/stripe")
    answer = await see(shared_gateway, session, path, **{"If-None-Match": etag})
    assert (answer.status, answer.json["rows"][-1]["net_revenue"]) == (200, 77_777)


async def test_nothing_is_connected(
    shared_gateway: RunningGateway, session: Any
) -> None:
    """A channel without a connection says how to connect it."""
    for source, words in (("stripe", "Look around with demo data"), ("polar", "")):
        page = (await see(shared_gateway, session, f"/dashboard/revenue/{source}")).text
        assert f'href="/dashboard/integrations/{source}"' in page
        assert words in page
        assert "data-chart" not in page
    assert (await see(shared_gateway, session, "/dashboard/revenue/x")).status == 404


async def test_older_history_is_asked_for_by_a_form(
    shared_gateway: RunningGateway, connected: Connected, session: Any
) -> None:
    """The page of twelve months offers the estimate where none was made."""
    page = (await see(shared_gateway, session, PAGE)).text
    assert f'href="{PAGE}/history"' in page
    empty = (await see(shared_gateway, session, f"{PAGE}/history")).text
    assert "Older history was not estimated yet." in empty
    assert f'<form method="post" action="{PAGE}/history">' in empty
    assert "data-chart" not in empty
    begun = (await see(shared_gateway, session, f"{PAGE}/history?asked=1")).text
    assert "It begins in a moment." in begun
    other = await see(shared_gateway, session, "/dashboard/revenue/polar/history")
    assert "SOURCE_NOT_SUPPORTED" in other.text


async def test_the_landing_page_draws_the_month(
    shared_gateway: RunningGateway, connected: Connected, session: Any
) -> None:
    """Each connected channel has its MRR and Net Revenue of 30 days, and the report."""
    page = (await see(shared_gateway, session, "/dashboard")).text
    assert 'aria-label="MRR ' in page
    assert 'aria-label="Net Revenue ' in page
    assert "in 30 days" in page
    assert 'id="report">Your daily report<' in page
    assert "No report will be sent" in page
    assert "<script" not in page.split("<main", 1)[1]
