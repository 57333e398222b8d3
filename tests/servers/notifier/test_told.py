"""What is told at once: dead keys, silence, drift, and movements over a threshold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from opseer_common.testing.alerts import EIGHT, YESTERDAY

if TYPE_CHECKING:
    from tests.servers.notifier.conftest import World

    from opseer_common.testing.published import Connected

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECOND = timedelta(seconds=1)
TODAY = date(2026, 11, 24)


async def change(world: World, of: Connected, setting: str) -> None:
    """Change the collector's row of a connection."""
    await world.published.fetch(
        f"UPDATE collector.connection SET {setting} WHERE connection_id = $1",  # noqa: S608
        of.connection_id,
    )


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("state = 'auth_failed'", "AUTH_FAILED", "Stripe refuses the key"),
        ("flags = '{drift,partial}'", "DRIFT", "Stripe's figures drifted"),
        (
            "last_collected_at = '2026-11-23 08:00:01+00'",
            "STALE",
            "Nothing collected from Stripe for a day",
        ),
    ],
)
async def test_a_trouble_is_told_once(
    world: World, setting: str, code: str, words: str
) -> None:
    """Within a look, by every destination of everyone who follows the source."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook", "slack")
    await world.subscriber(made.account_id, "webhook", sources=["polar"])
    await world.at(EIGHT)
    assert world.receivers.requests == []
    await change(world, made, setting)
    await world.at(EIGHT + SECOND)
    await world.at(EIGHT + 2 * SECOND)
    slack, webhook = sorted(world.receivers.taken, key=lambda one: one.kind)
    assert webhook.body["type"] == "notice"
    assert webhook.body["data"]["code"] == code
    assert words in slack.body["text"]


async def test_a_key_opened_too_often_is_told_once_a_day(world: World) -> None:
    """More than 30 openings in an hour; those of the next hours are not told again."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")

    async def opened(times: int) -> None:
        await world.published.fetch(
            """
            INSERT INTO gateway.key_access_log (who, account_id, source, key_version)
            SELECT 'opseer_collector', $1, $2, 1 FROM generate_series(1, $3)
            """,
            *(made.account_id, made.source, times),
        )

    await opened(30)
    await world.at(EIGHT)
    assert world.receivers.requests == []
    await opened(1)
    await world.at(EIGHT + SECOND)
    await opened(31)
    await world.at(EIGHT + 2 * SECOND)
    [taken] = world.receivers.taken
    assert taken.body["data"]["code"] == "KEY_OPENINGS"


# Rounds of a source in Berlin, at 00:20 there, by UTC.
@pytest.mark.parametrize(
    ("last", "next_round", "begun", "told_at"),
    [
        pytest.param(
            *("2026-10-24 22:20:30", "2026-10-25 23:20:00", None),
            "2026-10-25 23:50:00",
            id="25 hours, and the next round does not begin",
        ),
        pytest.param(
            *("2026-10-24 22:20:30", "2026-10-26 23:20:00", "2026-10-25 23:20:00"),
            "2026-10-25 23:50:00",
            id="25 hours, and the next round does not end",
        ),
        pytest.param(
            *("2026-03-28 23:20:30", "2026-03-30 22:20:00", "2026-03-29 22:20:00"),
            "2026-03-29 23:20:30",
            id="23 hours: late by one before the last is 24 old",
        ),
        pytest.param(
            *("2026-10-20 12:00:00", "2026-10-21 22:20:00", "2026-10-20 22:20:00"),
            "2026-10-21 12:00:00",
            id="collected by hand, and no round after that ends",
        ),
    ],
)
async def test_silence_is_24_hours_and_a_late_round(
    world: World, last: str, next_round: str, begun: str | None, told_at: str
) -> None:
    """Told when both hold: the last is 24 hours old, the next late by half an hour."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    times = f"last_collected_at = '{last}+00', next_run_at = '{next_round}+00'"
    await change(world, made, times)
    if begun is not None:
        at = datetime.fromisoformat(begun).replace(tzinfo=UTC)
        await world.published.fetch(
            """
            INSERT INTO collector.run (run_id, account_id, source, connection_id, kind,
                not_before, created_at)
            VALUES (gen_random_uuid(), $1, $2, $3, 'daily', $4, $4)
            """,
            *(made.account_id, made.source, made.connection_id, at),
        )
    instant = datetime.fromisoformat(told_at).replace(tzinfo=UTC)
    await world.at(instant - SECOND)
    assert world.receivers.requests == []
    await world.at(instant)
    [taken] = world.receivers.taken
    assert taken.body["data"]["code"] == "STALE"


async def test_the_next_dead_key_is_told_again(world: World) -> None:
    """A new connection that fails is another trouble than the last one."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await change(world, made, "state = 'auth_failed'")
    await world.at(EIGHT)
    again = await world.published.connect(made.account_id)
    await world.published.publish(again, 1, EIGHT)
    await world.at(EIGHT + SECOND)
    assert len(world.receivers.taken) == 1
    await change(world, again, "state = 'auth_failed'")
    await world.at(EIGHT + 2 * SECOND)
    assert len(world.receivers.taken) == 2


async def test_a_free_account_is_not_told(world: World) -> None:
    """Alerts of every kind are for paid plans."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await world.published.fetch("UPDATE gateway.account SET plan = 'free'")
    await change(world, made, "state = 'auth_failed'")
    await world.at(EIGHT)
    assert world.receivers.requests == []


async def moved(
    world: World, of: Connected, revision: int, *changes: tuple[str, str, int]
) -> None:
    """Add (subscription, category, amount) of today and publish them."""
    for subscription, category, amount in changes:
        await world.published.fetch(
            """
            INSERT INTO mrr.movement_change VALUES ($1, $2, $3, $4, $5, 0, 'cus_1', $6,
                'new', 'usd', 0, 0, $7, '{}', '{}', $8, false, $6, false)
            """,
            *(of.account_id, of.source, of.connection_id, TODAY, subscription),
            *(category, amount, '[{"price_id": "price_1", "nickname": "Pro <&>"}]'),
        )
    await world.collect(of, YESTERDAY, revision)


async def test_movements_over_the_threshold_are_told(world: World) -> None:
    """New, churned and contracted ones, each once, the largest first; no others."""
    made = await world.connected()
    await moved(world, made, 2, ("sub_old", "new", 99_000))
    await world.subscriber(made.account_id, "webhook", threshold=5_000)
    await world.subscriber(made.account_id, "discord", threshold=100_000)
    await world.subscriber(made.account_id, "slack")
    await moved(world, made, 3)
    await moved(
        world,
        made,
        4,
        ("sub_small", "new", 4_999),
        ("sub_new", "new", 5_000),
        ("sub_grown", "expansion", 50_000),
        ("sub_gone", "churned", -7_000),
        ("sub_less", "contraction", -6_000),
    )
    await world.at(EIGHT)
    await world.collect(made, YESTERDAY, 5)
    await world.at(EIGHT + SECOND)
    [taken] = world.receivers.taken
    assert taken.body["type"] == "movement.alert"
    data = taken.body["data"]
    assert [one["subscription_id"] for one in data["changes"]] == [
        *("sub_gone", "sub_less", "sub_new")
    ]
    assert (data["currency"], data["count"]) == ("usd", 3)


@pytest.mark.parametrize(
    ("name", "email", "told"),
    [
        ("Ada <&> Co", "ada@example.com", "Ada <&> Co"),
        ("", "ada@example.com", "ada@example.com"),
        (None, None, "cus_1"),
    ],
)
async def test_a_movement_alert_names_the_customer(
    world: World, name: str | None, email: str | None, told: str
) -> None:
    """By name, else by e-mail address, else by id."""
    made = await world.connected()
    await world.published.fetch(
        "INSERT INTO collector.name (account_id, source, connection_id, kind, id, name,"
        " email, fence) VALUES ($1, $2, $3, 'customer', 'cus_1', $4, $5, 1)",
        *(made.account_id, made.source, made.connection_id, name, email),
    )
    await world.subscriber(made.account_id, "webhook", "slack", threshold=0)
    await moved(world, made, 2)
    await moved(world, made, 3, ("sub_1", "churned", -5_000))
    await world.at(EIGHT)
    [webhook, slack] = sorted(
        world.receivers.taken, key=lambda one: one.kind != "webhook"
    )
    [change] = webhook.body["data"]["changes"]
    assert change["customer"] == told
    shown = told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"{shown} · Pro &lt;&amp;&gt; · sub_1" in str(slack.body)


async def test_every_channel_takes_a_movement_alert(world: World) -> None:
    """Twenty of a thousand are shown, names are escaped, the rest is counted."""
    made = await world.connected()
    account = made.account_id
    await world.subscriber(
        account, "webhook", "slack", "discord", "telegram", threshold=0
    )
    many = [(f"sub_<b>&_{n}", "churned", -1_000 - n) for n in range(60)]
    await moved(world, made, 2, *many)
    await world.at(EIGHT)
    assert len(world.receivers.taken) == 4
    assert await world.states() == ["sent"] * 4
    [slack] = [one for one in world.receivers.taken if one.kind == "slack"]
    assert "and 40 more" in str(slack.body)


async def test_a_disconnect_takes_the_alerts_with_it(world: World) -> None:
    """An alert that was not sent yet holds numbers: it goes with its connection."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook", threshold=0)
    await moved(world, made, 2, ("sub_1", "new", 5_000))
    assert await world.states() == ["pending"]
    await world.published.disconnect(made)
    await world.building.build(made.account_id)
    await world.at(EIGHT)
    assert world.receivers.requests == []
    assert await world.published.rows_of("notifier", made) == 0
