"""The notifier on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from opseer_common.contracts import IntegrationDisconnected, ReportBuilt
from opseer_common.contracts.daily_report import DailyReport, Metric
from opseer_common.database import Database
from opseer_common.errors import TryLaterError
from opseer_common.testing.published import Connected, Publisher
from opseer_common.testing.servers import FreshDatabase
from opseer_notifier import schedule
from opseer_notifier.actions.building import Building
from opseer_notifier.domain.building import build
from opseer_notifier.store.reports import PostgresStore

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
YESTERDAY = date(2026, 11, 23)


@pytest.fixture
async def store(database: FreshDatabase) -> AsyncIterator[PostgresStore]:
    """Return the store with the service's own login."""
    own = await Database.connect(database.login_url("notifier"), size=2)
    yield PostgresStore(own)
    await own.close()


@pytest.fixture
def building(store: PostgresStore) -> Building:
    """Return the building of reports at a fixed instant."""
    return Building(store, lambda: NOW)


@pytest.fixture
async def connected(world: Publisher) -> Connected:
    """Return a connection with ten days of figures, published as revision 1."""
    found = await world.connect(uuid4())
    await collect(world, found)
    return found


async def collect(world: Publisher, of: Connected, net_minor: int = 500) -> None:
    """Publish ten days up to yesterday, with two orders each."""
    for back in range(10):
        day = YESTERDAY - timedelta(days=back)
        await world.daily(of, day, net_minor, 2)
        await world.movement(of, day, 9_000)
    await world.publish(of, 1, NOW)
    await world.computed(of, 1)


async def reports(world: Publisher, account_id: UUID) -> dict[date, DailyReport]:
    """Return the stored reports by day."""
    rows = await world.fetch(
        "SELECT day, body FROM notifier.report WHERE account_id = $1", account_id
    )
    return {
        row["day"]: msgspec.json.decode(row["body"], type=DailyReport) for row in rows
    }


async def revisions(world: Publisher, account_id: UUID) -> dict[date, int]:
    """Return the revisions of the stored reports by day."""
    rows = await world.fetch(
        "SELECT day, revision FROM notifier.report WHERE account_id = $1", account_id
    )
    return {row["day"]: row["revision"] for row in rows}


async def said(world: Publisher) -> list[tuple[date, int]]:
    """Return (day, revision) of each report.built that waits for the bus."""
    rows = await world.fetch("SELECT payload FROM notifier.outbox ORDER BY id")
    messages = [ReportBuilt.model_validate_json(row["payload"]) for row in rows]
    return [(message.day, message.revision) for message in messages]


def metrics(body: DailyReport, place: int = 0) -> dict[str, Metric]:
    """Return a channel's metrics by key."""
    return {metric.key: metric for metric in body.channels[place].metrics}


def ended(of: Connected) -> IntegrationDisconnected:
    """Return the message that a connection ended."""
    return IntegrationDisconnected.of(of.account_id, of.source, of.connection_id)


async def test_every_closed_day_has_a_report(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """Ten days of rows are ten reports with the rows' figures; yesterday's is said."""
    await building.build(connected.account_id, connected.collected(1))
    stored = await reports(world, connected.account_id)
    assert sorted(stored) == [
        YESTERDAY - timedelta(days=back) for back in range(9, -1, -1)
    ]
    found = metrics(stored[YESTERDAY])
    assert {key: metric.value for key, metric in found.items()} == {
        "mrr": 9_000,
        "revenue": 500,
        "orders": 2,
        "new_subs": 1,
        "churned": 1,
    }
    assert found["revenue"].average_7d == 500
    assert await said(world) == [(YESTERDAY, 1)]


async def test_a_message_twice_has_one_effect(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """The second delivery writes no row and says nothing."""
    message = connected.collected(1)
    await building.build(connected.account_id, message)
    before = await world.fetch("SELECT xmin, * FROM notifier.report ORDER BY day")
    await building.build(connected.account_id, message)
    assert before == await world.fetch(
        "SELECT xmin, * FROM notifier.report ORDER BY day"
    )
    assert await said(world) == [(YESTERDAY, 1)]


async def test_only_a_changed_report_gets_a_revision(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """A new figure of one day changes that day, the one after and their averages."""
    account = connected.account_id
    await building.build(account, connected.collected(1))
    day = YESTERDAY - timedelta(days=8)
    await world.daily(connected, day, 501, 2)
    await world.publish(connected, 2, NOW)
    await building.build(account, connected.collected(2))
    grown = {
        day
        for day, revision in (await revisions(world, account)).items()
        if revision > 1
    }
    # The day itself and its next; no mean of seven moves by a whole cent.
    assert grown == {day, day + timedelta(days=1)}
    assert await said(world) == [(YESTERDAY, 1)]


async def test_news_of_yesterday_is_said_again(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """report.built is said once per changed body of yesterday."""
    account = connected.account_id
    await building.build(account, connected.collected(1))
    await world.daily(connected, YESTERDAY, 700, 3)
    await world.publish(connected, 2, NOW)
    await building.build(account, connected.collected(2))
    await building.build(account)
    assert await said(world) == [(YESTERDAY, 1), (YESTERDAY, 2)]


async def test_the_newer_revision_wins(
    world: Publisher, store: PostgresStore, building: Building, connected: Connected
) -> None:
    """A report of an older reading is not written over a newer one."""
    slow = await store.read(connected.account_id)
    await world.daily(connected, YESTERDAY, 700, 3)
    await world.publish(connected, 2, NOW)
    await building.build(connected.account_id)
    assert not await store.write(slow, build(slow, NOW), None)
    stored = await reports(world, connected.account_id)
    assert metrics(stored[YESTERDAY])["revenue"].value == 700
    assert await said(world) == [(YESTERDAY, 1)]


async def test_two_builds_of_the_same_are_one(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Who comes second with the same figures changes nothing."""
    first = await store.read(connected.account_id)
    second = await store.read(connected.account_id)
    for inputs in (first, second):
        await store.write(inputs, build(inputs, NOW), None)
    assert set((await revisions(world, connected.account_id)).values()) == {1}
    assert await said(world) == [(YESTERDAY, 1)]


async def test_a_disconnect_takes_the_numbers_out_of_every_report(
    world: Publisher, store: PostgresStore, building: Building, connected: Connected
) -> None:
    """Days that are not rebuilt lose the source too; other sources stay."""
    account = connected.account_id
    polar = await world.connect(account, "polar", environment="test")
    await collect(world, polar, net_minor=777)
    await building.build(account)
    # Much later, when the days above are no longer rebuilt.
    later = Building(store, lambda: NOW + timedelta(days=200))
    await world.disconnect(polar)
    await later.build(account, ended(polar))
    stored = await reports(world, account)
    assert stored
    for body in stored.values():
        assert [channel.source for channel in body.channels] == ["stripe"]
        assert "TEST MODE" not in body.title
    assert metrics(stored[YESTERDAY])["revenue"].value == 500
    assert await world.rows_of("notifier", polar) == 0
    assert await world.rows_of("notifier", connected) == 1


async def test_the_last_disconnect_leaves_no_number(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """Without a source the reports have no channel, not even zeros."""
    await building.build(connected.account_id)
    await world.disconnect(connected)
    await building.build(connected.account_id, ended(connected))
    stored = await reports(world, connected.account_id)
    assert {body.channels for body in stored.values()} == {()}
    assert await world.rows_of("notifier", connected) == 0


async def test_a_reconnect_shows_no_number_of_the_old_key(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """Before the new connection's first rows every value is null with a reason."""
    account = connected.account_id
    polar = await world.connect(account, "polar")
    await collect(world, polar)
    await building.build(account)
    await world.connect(account)
    await building.build(account, ended(connected))
    for body in (await reports(world, account)).values():
        assert [channel.source for channel in body.channels] == ["stripe", "polar"]
        assert {m.value for m in metrics(body).values()} == {None}
        assert {m.reason for m in metrics(body).values()} == {"COLLECTING"}


async def test_equal_figures_of_a_new_key_are_built_anew(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """Readers trust a report that was built after the connection was made."""
    account = connected.account_id
    query = "SELECT min(built_at) AS at, max(revision) AS revision FROM notifier.report"
    await building.build(account)
    await collect(world, await world.connect(account))
    [of] = await world.fetch("SELECT connected_at FROM gateway.v1_integration")
    [before] = await world.fetch(query)
    await building.build(account, ended(connected))
    [after] = await world.fetch(query)
    assert before["at"] < of["connected_at"] < after["at"]
    assert (before["revision"], after["revision"]) == (1, 1)


async def test_a_late_build_does_not_bring_numbers_back(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """Who read before a disconnect and writes after it has to read again."""
    inputs = await store.read(connected.account_id)
    await world.disconnect(connected)
    with pytest.raises(TryLaterError):
        await store.write(inputs, build(inputs, NOW), connected.collected(1))
    assert await reports(world, connected.account_id) == {}
    assert await world.fetch("SELECT FROM notifier.inbox") == []


async def test_an_account_never_sees_anothers_figures(
    world: Publisher, building: Building, connected: Connected
) -> None:
    """A build touches its own account alone."""
    other = await world.connect(uuid4())
    await collect(world, other, net_minor=111)
    await building.build(connected.account_id)
    assert await reports(world, other.account_id) == {}
    await building.build(other.account_id)
    stored = await reports(world, other.account_id)
    assert metrics(stored[YESTERDAY])["revenue"].value == 111


async def test_the_zone_is_that_of_stripe(world: Publisher, building: Building) -> None:
    """Which day is over is decided in the zone of the Stripe connection."""
    account = uuid4()
    await world.connect(account, "polar", timezone="UTC")
    stripe = await world.connect(account, timezone="Pacific/Kiritimati")
    await collect(world, stripe)
    await building.build(account)
    stored = await reports(world, account)
    # 10:00 UTC is 00:00 of the next day at UTC+14: the 24th is over there.
    assert max(stored) == date(2026, 11, 24)
    assert {body.timezone for body in stored.values()} == {"Pacific/Kiritimati"}


@pytest.mark.parametrize("news", ["collected", "mrr"])
async def test_the_sweep_finds_what_no_message_told(
    world: Publisher,
    store: PostgresStore,
    building: Building,
    connected: Connected,
    news: str,
) -> None:
    """Either owner's newer revision is found; a second look finds nothing."""
    await schedule.sweep(store, building, lambda: NOW)
    assert await store.behind(NOW) == []
    if news == "collected":
        await world.publish(connected, 2, NOW)
    else:
        await world.computed(connected, 2)
    assert await store.behind(NOW) == [connected.account_id]
    await schedule.sweep(store, building, lambda: NOW)
    assert await store.behind(NOW) == []


async def test_the_sweep_finds_a_lost_disconnect(
    world: Publisher, store: PostgresStore, building: Building, connected: Connected
) -> None:
    """Reports lose a source that is gone, heard or not."""
    await building.build(connected.account_id)
    await world.disconnect(connected)
    await schedule.sweep(store, building, lambda: NOW)
    stored = await reports(world, connected.account_id)
    assert {body.channels for body in stored.values()} == {()}
    assert await store.behind(NOW) == []


async def test_the_sweep_reports_a_day_when_it_is_over(
    world: Publisher, store: PostgresStore, connected: Connected
) -> None:
    """At midnight the new closed day has a report that waits for its figures."""
    await Building(store, lambda: NOW).build(connected.account_id)
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    assert await store.behind(midnight - timedelta(seconds=1)) == []
    await schedule.sweep(store, Building(store, lambda: midnight), lambda: midnight)
    found = metrics((await reports(world, connected.account_id))[date(2026, 11, 24)])
    assert {metric.reason for metric in found.values()} == {"CRON_PENDING"}
    assert await store.behind(midnight) == []
