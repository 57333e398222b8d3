"""What mrr sees of the collector's rows: published states, never a run half done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from opseer_collector.domain.records import Batch, Fetched, Quarantined
from opseer_collector.domain.windows import span
from opseer_collector.domain.work import Reading
from opseer_common.contracts.subscription import Subscription, SubscriptionChange
from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers.collector.conftest import Collector

    from opseer_collector.domain.work import Claim
    from opseer_common.testing.sealed import SealedConnection

SEEN = {
    "subscription": "SELECT id, body->>'status' FROM collector.v1_subscription",
    "ended": "SELECT id, customer FROM collector.v1_ended_subscription",
    "change": "SELECT event_id, body->>'kind' FROM collector.v1_subscription_change",
}


def batch(status: str, *names: str) -> Batch:
    """Return a subscription, an ended one and an event of each name."""
    live = [Subscription(f"sub_{n}", "cus", status, "usd", 1) for n in names]
    ended = [Subscription(f"end_{n}", status, "canceled", "usd", 1) for n in names]
    changes = [
        SubscriptionChange(f"evt_{n}", f"sub_{n}", 2**31, 0, status, None, one)
        for n, one in zip(names, live, strict=True)
    ]
    return Batch(subscriptions=live, ended=ended, changes=changes)


class Reader:
    """What the login of mrr sees."""

    def __init__(self, database: Database) -> None:
        """Read with `database`."""
        self._database = database

    async def seen(self, of: SealedConnection) -> dict[str, dict[str, str]]:
        """Return each view's ids with the word that `batch` put there."""
        async with self._database.snapshot(of.account_id) as connection:
            return {
                name: dict([tuple(row) for row in await connection.fetch(query)])
                for name, query in SEEN.items()
            }


@pytest.fixture
async def mrr(database: FreshDatabase) -> AsyncIterator[Reader]:
    """Return a reader with the login of mrr."""
    own = await Database.connect(database.login_url("mrr"), size=1)
    yield Reader(own)
    await own.close()


def shown(status: str, *names: str) -> dict[str, dict[str, str]]:
    """Return what is seen of `batch`."""
    return {
        "subscription": {f"sub_{name}": status for name in names},
        "ended": {f"end_{name}": status for name in names},
        "change": {f"evt_{name}": status for name in names},
    }


async def begin(collector: Collector, of: SealedConnection) -> Claim:
    """Return the claim of a refresh."""
    await collector.request(of, uuid4(), "refresh")
    claim = await collector.claim()
    assert claim is not None
    return claim


async def publish(collector: Collector, claim: Claim) -> None:
    """End the run with all subscriptions read."""
    now = collector.company.now
    reading = Reading(now, span(now, None, whole=True))
    found = Fetched({}, frozenset({"usd"}), frozenset({"subscriptions"}))
    await collector.publisher.publish(claim, now, reading, found)


async def first(collector: Collector) -> SealedConnection:
    """Return a connection whose first run published the names a and b."""
    made = await collector.connect()
    claim = await collector.claim()
    assert claim is not None
    await collector.rows.store(claim, batch("old", "a", "b"))
    await publish(collector, claim)
    return made


async def test_rows_are_seen_when_they_are_published(
    collector: Collector, mrr: Reader
) -> None:
    """Of a first run nothing is seen before its end, then everything."""
    made = await collector.connect()
    claim = await collector.claim()
    assert claim is not None
    await collector.rows.store(claim, batch("old", "a", "b"))
    assert await mrr.seen(made) == shown("old")
    await publish(collector, claim)
    assert await mrr.seen(made) == shown("old", "a", "b")


async def test_a_run_under_way_changes_nothing_that_is_seen(
    collector: Collector, mrr: Reader
) -> None:
    """Neither new rows nor new states of old ones; its end replaces them."""
    made = await first(collector)
    claim = await begin(collector, made)
    await collector.rows.store(claim, batch("new", "b", "c"))
    assert await mrr.seen(made) == shown("old", "a", "b")
    await publish(collector, claim)
    expected = shown("new", "b", "c")
    # Events and ends stay; a subscription that is not listed any more is gone.
    expected["ended"]["end_a"] = expected["change"]["evt_a"] = "old"
    assert await mrr.seen(made) == expected


async def test_a_run_that_broke_off_is_never_seen(
    collector: Collector, mrr: Reader
) -> None:
    """Its rows go when another run publishes, and settings do not show them."""
    made = await first(collector)
    broken = await begin(collector, made)
    await collector.rows.store(broken, batch("half", "b", "c"))
    later = collector.company.now + timedelta(minutes=1)
    await collector.runs.put_back(broken, later, "PROVIDER_UNAVAILABLE", "away")
    await collector.request(made, uuid4(), "recompute")
    assert await collector.drive_all() == 1
    assert await mrr.seen(made) == shown("old", "a", "b")
    collector.company.now = later
    last = await collector.claim()
    assert last is not None
    await collector.rows.store(last, batch("new", "b"))
    await publish(collector, last)
    found = await mrr.seen(made)
    assert found["subscription"] == {"sub_b": "new"}
    assert found["change"] == {"evt_a": "old", "evt_b": "new"}
    [left] = await collector.sealed.fetch(
        "SELECT count(*) AS rows FROM collector.subscription_change"
    )
    assert left["rows"] == 2


async def test_an_unreadable_subscription_is_told(collector: Collector) -> None:
    """The connection says so until a later run reads it; an ended one is no matter."""
    made = await first(collector)
    for endpoint, unread in (
        ("ended_subscriptions", False),
        ("subscriptions", True),
        ("charges", False),
    ):
        claim = await begin(collector, made)
        aside = Quarantined(endpoint, "sub_x", "$.items", b"x" * 32)
        await collector.rows.store(claim, Batch(quarantined=[aside]))
        await publish(collector, claim)
        found = await collector.connection(made)
        assert found["subscriptions_unread"] is unread
        assert found["flags"] == ["quarantine"]


async def test_ended_subscriptions_are_stored_as_the_ledger_has_them(
    collector: Collector,
) -> None:
    """Every cancelled subscription of all time, once, with its customer and end."""
    made = await collector.collect()
    await collector.request(made, uuid4(), "refresh")
    assert await collector.drive_all() == 1
    rows = await collector.sealed.fetch("SELECT body FROM collector.ended_subscription")
    found = [msgspec.json.decode(row["body"], type=Subscription) for row in rows]
    on_record = collector.company.simulation.books().subscriptions.all()
    assert sorted((one.id, one.customer, one.ended_at) for one in found) == sorted(
        (one.id, one.customer, one.ended_at)
        for one in on_record
        if one.status == "canceled"
    )
