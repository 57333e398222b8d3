"""The daily report on its way: at the user's time, once, by the channel's own rules."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest

from opseer_common.contracts import ReportDelivered
from opseer_common.contracts.destination import TelegramAddress
from opseer_common.database import Database
from opseer_common.sealing import generate
from opseer_common.testing.alerts import NINE, YESTERDAY
from opseer_notifier.domain.outcome import Verdict
from opseer_notifier.senders import outbound
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


async def test_what_is_refused_for_now_is_sent_later(world: World) -> None:
    """429 with Retry-After is waited for; the id is the same, the time is new."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    world.receivers.answers("webhook", 429, headers={"Retry-After": "90"})
    await world.at(NINE)
    assert await world.states() == ["retrying"]
    await world.at(NINE + 89 * SECOND)
    assert len(world.receivers.requests) == 1
    await world.at(NINE + 90 * SECOND)
    first, second = world.receivers.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) == 90 + int(
        first.headers["webhook-timestamp"]
    )
    assert await world.states() == ["sent"]
    [row] = await world.log()
    assert (row["attempts"], row["error_code"]) == (2, None)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("slack", 404, "no_service"),
        ("slack", 400, "channel_not_found"),
        ("discord", 404, {"code": 10015, "message": "Unknown Webhook"}),
        (
            "telegram",
            403,
            {"ok": False, "error_code": 403, "description": "Forbidden: blocked"},
        ),
        ("webhook", 410, ""),
    ],
)
async def test_what_is_gone_is_disabled_and_told(
    world: World, kind: str, status: int, body: object
) -> None:
    """The other destination says so at once; the next day only that one is used."""
    made = await world.connected()
    other = "webhook" if kind == "slack" else "slack"
    await world.subscriber(made.account_id, kind, other)  # type: ignore[arg-type]
    world.receivers.answers(kind, status, body)
    await world.at(NINE)
    await world.at(NINE + SECOND)
    told = [one for one in world.receivers.taken if one.kind == other]
    assert len(told) == 2
    assert f"My {kind} gets no messages any more" in str(told[-1].body)
    [row] = [one for one in await world.log() if one["channel"] == kind]
    assert (row["state"], row["error_code"]) == ("disabled", "GONE")
    world.clock.now = NINE + DAY - SECOND
    await world.collect(made, YESTERDAY + DAY, 2)
    await world.at(NINE + DAY)
    assert len([one for one in world.receivers.requests if one.kind == kind]) == 1


async def test_telegrams_new_chat_is_kept(world: World) -> None:
    """A group that became a supergroup gets it at its new id, at once and later."""
    made = await world.connected()
    await world.subscriber(made.account_id, "telegram")
    moved = {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": -1001234567890},
    }
    world.receivers.answers("telegram", 400, moved)
    await world.at(NINE)
    await world.at(NINE)
    world.clock.now = NINE + DAY - SECOND
    await world.collect(made, YESTERDAY + DAY, 2)
    await world.at(NINE + DAY)
    chats = [one.body["chat_id"] for one in world.receivers.requests]
    assert chats == ["42", "-1001234567890", "-1001234567890"]


async def test_the_services_own_delay_is_kept(world: World) -> None:
    """Telegram's and Discord's retry_after are in the body."""
    made = await world.connected()
    await world.subscriber(made.account_id, "telegram", "discord")
    limited = {"ok": False, "error_code": 429, "parameters": {"retry_after": 70}}
    world.receivers.answers("telegram", 429, limited)
    world.receivers.answers("discord", 429, {"retry_after": 64.57, "global": False})
    await world.at(NINE)
    rows = {row["channel"]: row["not_before"] - NINE for row in await world.log()}
    assert rows == {"telegram": 70 * SECOND, "discord": 65 * SECOND}


async def test_without_an_answer_nobody_knows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook is sent again with its id; a channel that would show it twice isn't."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook", "slack")
    monkeypatch.setattr(outbound, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    world.receivers.slow = 0.5
    await world.at(NINE)
    assert {row["channel"]: row["state"] for row in await world.log()} == {
        "webhook": "retrying",
        "slack": "perhaps_sent",
    }
    world.receivers.slow = 0
    await world.at(NINE + MINUTE)
    await world.at(NINE + 2 * MINUTE)
    kinds = [one.kind for one in world.receivers.requests]
    assert (kinds.count("webhook"), kinds.count("slack")) == (2, 1)


async def test_a_message_that_is_given_up_is_told(world: World) -> None:
    """After the last try it failed; the destination stays, and another one tells."""
    made = await world.connected()
    of = await world.subscriber(made.account_id, "telegram")
    when = NINE
    for _ in range(8):
        world.receivers.answers("telegram", 502, "bad gateway")
        await world.at(when)
        [row] = await world.log()
        when = row["not_before"]
    assert (row["state"], row["attempts"]) == ("failed", 8)
    [destination] = await world.published.fetch("SELECT * FROM notifier.destination")
    assert destination["state"] == "active"
    again = await world.alerts.ask(of, "resend", row["delivery_id"], when)
    assert again == row["delivery_id"]
    await world.at(when)
    assert await world.states() == ["sent"]


async def test_a_test_message_turns_a_destination_on_again(world: World) -> None:
    """A destination that was disabled works again when a test got through."""
    made = await world.connected()
    of = await world.subscriber(made.account_id, "slack")
    world.receivers.answers("slack", 410, "gone")
    await world.at(NINE)
    [destination] = await world.published.fetch("SELECT * FROM notifier.destination")
    assert destination["state"] == "disabled"
    await world.alerts.ask(of, "test", destination["destination_id"], NINE)
    await world.at(NINE + SECOND)
    [destination] = await world.published.fetch("SELECT * FROM notifier.destination")
    assert (destination["state"], destination["error_code"]) == ("active", None)
    assert "This is a test" in str(world.receivers.taken[-1].body)


async def test_a_free_account_gets_nothing(world: World) -> None:
    """Settings that were made on another plan stay, and rest."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await world.published.fetch("UPDATE gateway.account SET plan = 'free'")
    await world.at(NINE)
    assert await world.states() == []


async def test_another_key_opens_nothing(world: World) -> None:
    """A destination that was sealed to a lost key says so and is disabled."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    world.delivering._opener = generate()
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


async def test_killed_between_sending_and_writing_it_down(world: World) -> None:
    """The lease runs out: a webhook goes again by its id, the others are perhaps sent.

    Nobody gets a second message of another id; a resend sends it.
    """
    made = await world.connected()
    of = await world.subscriber(
        made.account_id, "slack", "discord", "telegram", "webhook"
    )
    record = world.delivering._store.record

    async def killed(*_: object) -> bool:
        raise asyncio.CancelledError

    world.delivering._store.record = killed  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await world.at(NINE)
    await world.delivering.close()
    world.delivering._store.record = record  # type: ignore[method-assign]
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
        [(account, delivery)] = await store.due(NINE, 10)
        first = await store.claim(account, delivery, NINE)
        assert first is not None
        assert await store.claim(account, delivery, NINE + 59 * SECOND) is None
        second = await store.claim(account, delivery, NINE + 60 * SECOND)
        assert second is not None
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
