"""The daily report on its way: at the user's time, once, by the channel's own rules."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from opseer_common.contracts import ReportDelivered
from opseer_common.contracts.destination import TelegramAddress
from opseer_common.database import Database
from opseer_common.sealing import generate
from opseer_common.testing.alerts import NINE, YESTERDAY
from opseer_notifier.domain.outcome import Verdict
from opseer_notifier.store.deliveries import DeliveryStore
from opseer_notifier.store.planning import PlanningStore

if TYPE_CHECKING:
    from tests.servers.notifier.conftest import World

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def test_a_report_arrives_at_the_users_time(world: World) -> None:
    """Not a second before nine, and then once, signed, with yesterday's figures."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook", at="09:00")
    await world.at(NINE - SECOND)
    assert world.receivers.requests == []
    await world.at(NINE)
    await world.at(NINE + SECOND)
    [taken] = world.receivers.taken
    assert taken.body["type"] == "report.daily"
    assert taken.body["timestamp"] == "2026-11-24T09:00:00Z"
    assert taken.body["data"]["date"] == "2026-11-23"
    [channel] = taken.body["data"]["channels"]
    assert [one["value"] for one in channel["metrics"]] == [1_231_725, 48_527, 17, 1, 1]
    assert await world.states() == ["sent"]


async def test_every_channel_takes_the_report(world: World) -> None:
    """Each service's own rules hold for what it gets; report.delivered is said."""
    made = await world.connected()
    of = await world.subscriber(
        made.account_id, "slack", "discord", "telegram", "webhook"
    )
    await world.at(NINE)
    assert sorted(one.kind for one in world.receivers.taken) == [
        *("discord", "slack", "telegram", "webhook")
    ]
    assert await world.states() == ["sent"] * 4
    rows = await world.published.fetch(
        "SELECT payload FROM notifier.outbox WHERE subject = 'report.delivered'"
    )
    said = [ReportDelivered.model_validate_json(row["payload"]) for row in rows]
    assert {one.delivery_id for one in said} == {
        row["delivery_id"] for row in await world.log()
    }
    assert {(one.account_id, one.day) for one in said} == {(of[0], YESTERDAY)}


async def test_the_zone_and_the_weekdays_are_the_users(world: World) -> None:
    """18:00 in Seoul is nine in UTC; on a day that is left out nothing is sent."""
    made = await world.connected()
    await world.subscriber(
        made.account_id, "webhook", at="18:00", timezone="Asia/Seoul", weekdays=[3]
    )
    await world.at(NINE)  # a Tuesday
    assert world.receivers.requests == []
    world.clock.now = NINE + DAY - SECOND
    await world.collect(made, YESTERDAY + DAY, 2)
    await world.at(NINE + DAY)
    [taken] = world.receivers.taken
    assert taken.body["data"]["date"] == "2026-11-24"


async def test_only_the_chosen_sources_are_in_it(world: World) -> None:
    """A toggle takes a channel out; without any that is connected nothing is sent."""
    made = await world.connected()
    polar = await world.published.connect(made.account_id, "polar")
    await world.collect(polar, YESTERDAY)
    await world.subscriber(made.account_id, "webhook", sources=["polar"])
    await world.subscriber(made.account_id, "slack", sources=["revenuecat"])
    await world.at(NINE)
    [taken] = world.receivers.taken
    assert [one["source"] for one in taken.body["data"]["channels"]] == ["polar"]


async def test_a_day_that_is_not_collected_is_waited_for(world: World) -> None:
    """It is sent when the figures come, whole, and not at nine with holes."""
    made = await world.connected(until=YESTERDAY - DAY)
    await world.subscriber(made.account_id, "webhook")
    await world.at(NINE)
    await world.at(NINE + 10 * MINUTE)
    assert world.receivers.requests == []
    await world.collect(made, YESTERDAY, 2)
    await world.at(NINE + 11 * MINUTE)
    [taken] = world.receivers.taken
    [channel] = taken.body["data"]["channels"]
    assert [one["value"] for one in channel["metrics"]] == [1_231_725, 48_527, 17, 1, 1]


async def test_after_half_an_hour_it_is_sent_with_reasons(world: World) -> None:
    """What is missing is null with its reason, and it is not sent again later."""
    made = await world.connected(until=YESTERDAY - DAY)
    await world.subscriber(made.account_id, "webhook", "slack")
    await world.at(NINE)
    await world.at(NINE + 30 * MINUTE - SECOND)
    assert world.receivers.requests == []
    await world.at(NINE + 30 * MINUTE)
    await world.collect(made, YESTERDAY, 2)
    await world.at(NINE + 40 * MINUTE)
    slack, webhook = sorted(world.receivers.taken, key=lambda one: one.kind)
    [channel] = webhook.body["data"]["channels"]
    assert {(one["value"], one["reason"]) for one in channel["metrics"]} == {
        (None, "CRON_PENDING")
    }
    fields = slack.body["blocks"][2]["fields"]
    assert {one["text"].split("\n")[1] for one in fields} == {"*—*"}


async def test_an_account_that_never_collected_is_told_so(world: World) -> None:
    """There is no report yet: it is made of what is known, which is reasons."""
    made = await world.published.connect((await world.connected()).account_id, "stripe")
    await world.published.fetch("DELETE FROM notifier.report")
    await world.subscriber(made.account_id, "webhook")
    await world.at(NINE + 30 * MINUTE)
    [taken] = world.receivers.taken
    [channel] = taken.body["data"]["channels"]
    assert {one["reason"] for one in channel["metrics"]} == {"COLLECTING"}


async def test_once_a_day_whatever_starts_again(world: World) -> None:
    """Two notifiers that do everything twice send one message per destination."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook", "slack", "discord")
    second = await Database.connect(world.database.login_url("notifier"), size=4)
    try:
        world.clock.now = NINE
        other = type(world.planning)(PlanningStore(second), world.clock)
        for _ in range(2):
            await asyncio.gather(world.planning.plan(), other.plan())
            await asyncio.gather(world.delivering.deliver(), world.delivering.deliver())
            await world.delivering.settled()
    finally:
        await second.close()
    assert sorted(one.kind for one in world.receivers.requests) == [
        *("discord", "slack", "webhook")
    ]


async def test_after_an_outage_the_newest_day_is_sent(world: World) -> None:
    """Whoever was down for two mornings sends one report, late."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await world.at(NINE - SECOND)
    world.clock.now = NINE + 2 * DAY + 3 * timedelta(hours=1)
    await world.collect(made, YESTERDAY + 2 * DAY, 2)
    await world.at(world.clock.now)
    [taken] = world.receivers.taken
    assert taken.body["data"]["date"] == "2026-11-25"
    assert taken.body["timestamp"] == "2026-11-26T09:00:00Z"


async def test_a_free_account_gets_nothing(world: World) -> None:
    """Settings that were made on another plan stay, and rest."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await world.published.fetch("UPDATE gateway.account SET plan = 'free'")
    await world.at(NINE)
    assert await world.states() == []


async def test_another_key_opens_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A destination that was sealed to a lost key says so and is disabled."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    monkeypatch.setattr(world.delivering, "_opener", generate())
    await world.at(NINE)
    [row] = await world.log()
    assert (row["state"], row["error_code"]) == ("disabled", "NO_KEY")


async def test_a_record_of_another_row_does_not_open(world: World) -> None:
    """A sealed address that is moved to another user's row is of no use there."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    of = await world.subscriber(made.account_id)
    chat = TelegramAddress("1:token", "42")
    mine = await world.alerts.destination(of, "telegram", chat)
    await world.published.fetch(
        """
        UPDATE notifier.destination SET sealed = (SELECT sealed
            FROM notifier.destination WHERE kind = 'webhook'), kind = 'webhook'
        WHERE destination_id = $1
        """,
        mine,
    )
    await world.at(NINE)
    states = {row["destination_id"]: row["state"] for row in await world.log()}
    assert states[mine] == "disabled"
    assert len(world.receivers.taken) == 1


async def test_a_disconnect_leaves_no_number_to_send(world: World) -> None:
    """A report that waited when its only source went is not sent."""
    made = await world.connected(until=YESTERDAY - DAY)
    await world.subscriber(made.account_id, "webhook")
    await world.at(NINE)
    await world.published.disconnect(made)
    await world.building.build(made.account_id)
    await world.at(NINE + 31 * MINUTE)
    for taken in world.receivers.taken:
        assert taken.body["data"]["channels"] == []


async def test_killed_between_sending_and_writing_it_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease runs out: a webhook goes again by its id, the others are perhaps sent.

    Nobody gets a second message of another id; a resend sends it.
    """
    made = await world.connected()
    of = await world.subscriber(
        made.account_id, "slack", "discord", "telegram", "webhook"
    )

    async def killed(*_: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(world.delivering._store, "record", killed)
        await world.at(NINE)
    assert len(world.receivers.taken) == 4
    await world.at(NINE + 59 * SECOND)
    assert len(world.receivers.taken) == 4
    await world.at(NINE + 60 * SECOND)
    assert {row["channel"]: row["state"] for row in await world.log()} == {
        "slack": "perhaps_sent",
        "discord": "perhaps_sent",
        "telegram": "perhaps_sent",
        "webhook": "sent",
    }
    assert [one.kind for one in world.receivers.taken[4:]] == ["webhook"]
    ids = {
        one.headers["webhook-id"]
        for one in world.receivers.taken
        if one.kind == "webhook"
    }
    assert len(ids) == 1
    [slack] = [row for row in await world.log() if row["channel"] == "slack"]
    await world.alerts.ask(of, "resend", slack["delivery_id"], world.clock.now)
    await world.at(NINE + 61 * SECOND)
    assert world.receivers.taken[-1].kind == "slack"


async def test_a_late_writer_changes_nothing(world: World) -> None:
    """Whoever lost the lease may not write over what was found out since."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    world.clock.now = NINE
    await world.planning.plan()
    own = await Database.connect(world.database.login_url("notifier"), size=2)
    try:
        store = DeliveryStore(own)
        due = await store.due(NINE, 10)
        [first] = await store.claim(due, NINE)
        assert await store.claim(due, NINE + 59 * SECOND) == []
        [second] = await store.claim(due, NINE + 60 * SECOND)
        assert second.delivery_id == first.delivery_id
        assert not await store.record(first, Verdict("failed", "X", "x"), NINE)
        assert await store.record(second, Verdict("sent"), NINE)
    finally:
        await own.close()
    assert await world.states() == ["sent"]


async def test_the_weekly_digest_comes_on_monday(world: World) -> None:
    """Sums over the week with the week before, beside the daily report."""
    made = await world.connected(until=date(2026, 11, 22))
    for back in range(10, 14):
        day = date(2026, 11, 22) - back * DAY
        await world.published.daily(made, day, 48_527, 17)
        await world.published.movement(made, day, 1_231_725)
    await world.building.build(made.account_id)
    await world.subscriber(made.account_id, "webhook", "slack", weekly=True)
    monday = datetime(2026, 11, 30, 9, tzinfo=NINE.tzinfo)
    world.clock.now = monday - SECOND
    await world.collect(made, date(2026, 11, 29), 2)
    await world.at(monday)
    found = [one for one in world.receivers.taken if one.kind == "webhook"]
    digests = [one.body for one in found if one.body["type"] == "report.weekly"]
    [digest] = digests
    assert digest["data"]["first_day"] == "2026-11-23"
    [channel] = digest["data"]["channels"]
    values = {one["key"]: one["value"] for one in channel["metrics"]}
    assert values == {
        "mrr": 1_231_725,
        "revenue": 7 * 48_527,
        "orders": 7 * 17,
        "new_subs": 7,
        "churned": 7,
    }
    assert {row["state"] for row in await world.log()} == {"sent"}


async def test_the_log_goes_back_90_days(world: World) -> None:
    """What is older goes when the next report is planned."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await world.at(NINE)
    old = "UPDATE notifier.delivery SET created_at = $1, day = day - 91"
    await world.published.fetch(old, NINE - 90 * DAY)
    world.clock.now = NINE + DAY - SECOND
    await world.collect(made, YESTERDAY + DAY, 2)
    await world.at(NINE + DAY)
    assert [row["day"] for row in await world.log()] == [YESTERDAY + DAY]
