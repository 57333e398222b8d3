"""Many payments without a record each: sums against rows, lists, the balance."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from opseer_simulator.bulk import SPAN, Bulk
from opseer_simulator.bulk_records import BulkLists
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation, truth_of

KEY = "rk_" + "test_" + "a1B2c3D4e5F6g7H8"
EPOCH = date(2026, 7, 27)
NOW = datetime(2026, 11, 24, 15, 7, tzinfo=UTC)


def _simulation(bulk: int, customers: int = 8) -> Simulation:
    return Simulation(3, EPOCH, customers, lambda: NOW, bulk=bulk)


async def _walk(simulation: Simulation, path: str) -> list[dict[str, Any]]:
    """Read a list to its end."""
    rows: list[dict[str, Any]] = []
    async with TestClient(TestServer(make_app(simulation, [KEY]))) as client:
        cursor, more = "", True
        while more:
            url = f"{path}{'&' if '?' in path else '?'}limit=100{cursor}"
            answer = await client.get(url, headers={"Authorization": f"Bearer {KEY}"})
            assert answer.status == 200, await answer.text()
            page = await answer.json()
            rows += page["data"]
            more = page["has_more"]
            cursor = f"&starting_after={rows[-1]['id']}" if rows else ""
    return rows


@pytest.mark.parametrize("bulk", [10, 999, 3_000])
async def test_the_truth_is_that_of_the_rows(bulk: int) -> None:
    """Counts and sums of each day, worked out row by row from the lists."""
    simulation = _simulation(bulk)
    moved = await _walk(simulation, "/v1/balance_transactions")
    charges = await _walk(simulation, "/v1/charges")
    days = truth_of(simulation, "UTC", EPOCH, NOW.date()).days
    for day in days:
        start = int(
            datetime(
                day.date.year, day.date.month, day.date.day, tzinfo=UTC
            ).timestamp()
        )
        rows = [r for r in moved if start <= r["created"] < start + 86_400]
        paid = [r["amount"] for r in rows if r["reporting_category"] == "charge"]
        back = [r["amount"] for r in rows if r["reporting_category"] == "refund"]
        failed = [
            c
            for c in charges
            if c["status"] == "failed"
            and not c["failure_balance_transaction"]
            and start <= c["created"] < start + 86_400
        ]
        bounced = [
            r["amount"] for r in rows if r["reporting_category"] == "charge_failure"
        ]
        assert (day.charges_count, day.charges_amount) == (
            len(paid),
            sum(paid) + sum(bounced),
        )
        assert (day.refunds_count, day.refunds_amount) == (len(back), -sum(back))
        assert day.failed_payments == len(failed) + len(bounced)
    assert sum(day.charges_count for day in days) >= bulk * 0.9


async def test_lists_mix_both_kinds_in_order() -> None:
    """Newest first, each id once, made ones and those on the shelf."""
    simulation = _simulation(500)
    for path in ("balance_transactions", "charges", "refunds", "payment_intents"):
        rows = await _walk(simulation, f"/v1/{path}")
        created = [row["created"] for row in rows]
        assert created == sorted(created, reverse=True)
        assert max(Counter(row["id"] for row in rows).values()) == 1
        kinds = {"Bu0000" in row["id"] for row in rows}
        assert kinds == {True, False}


async def test_windows_and_single_objects() -> None:
    """A window holds exactly its seconds; ids and expansion find the same object."""
    simulation = _simulation(2_000, customers=0)
    every = await _walk(simulation, "/v1/balance_transactions")
    low, high = every[1_500]["created"], every[300]["created"]
    url = f"/v1/balance_transactions?created[gte]={low}&created[lt]={high}"
    some = await _walk(simulation, url)
    assert [r["id"] for r in some] == [
        r["id"] for r in every if low <= r["created"] < high
    ]
    opened = await _walk(simulation, f"{url}&type=refund&expand[]=data.source.charge")
    assert opened
    for row in opened:
        refund = row["source"]
        assert refund["amount"] == -row["amount"] == refund["charge"]["amount_refunded"]
        assert refund["charge"]["refunded"] is True


async def test_the_balance_is_the_sum_of_what_moved() -> None:
    """Available and still clearing, without reading every row."""
    simulation = _simulation(1_000)
    moved = await _walk(simulation, "/v1/balance_transactions")
    async with TestClient(TestServer(make_app(simulation, [KEY]))) as client:
        answer = await client.get(
            "/v1/balance", headers={"Authorization": f"Bearer {KEY}"}
        )
        balance = await answer.json()
    for part, status in (("available", "available"), ("pending", "pending")):
        (row,) = balance[part]
        assert row["amount"] == sum(r["net"] for r in moved if r["status"] == status)


def test_time_goes_on() -> None:
    """After 120 days there are as many as were asked for; then more come."""
    bulk = Bulk(1, 1_000, 7_777)
    assert bulk.slots_before(1_000) == 0
    assert bulk.slots_before(1_000 + SPAN) == 7_777
    assert bulk.slots_before(1_000 + 2 * SPAN) == 2 * 7_777
    for slot in (0, 1, 49, 7_776, 7_777, 100_000):
        at = bulk.at(slot)
        assert bulk.slots_before(at) <= slot < bulk.slots_before(at + 1)


def test_a_million_cost_no_more_than_ten() -> None:
    """Making, counting and finding stay far below a second."""
    began = perf_counter()
    simulation = _simulation(1_000_000, 0)
    books = simulation.books()
    first = NOW.date() - timedelta(days=90)
    truth = truth_of(simulation, "Europe/Berlin", first, NOW.date())
    lists = BulkLists(books, simulation.bulk)
    lists.live_until(simulation.now())
    moved = lists.get("transactions")
    assert moved is not None
    middle = moved.first_from(simulation.now() - 40 * 86_400)
    for place in range(middle, middle + 100):
        assert moved.place(moved.at(place).id) == place
    assert perf_counter() - began < 1
    assert sum(day.charges_count for day in truth.days) > 700_000
