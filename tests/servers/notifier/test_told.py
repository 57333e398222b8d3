"""What is told at once: dead keys, silence, drift, and movements over a threshold."""

from __future__ import annotations

from datetime import date, timedelta
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
            "last_collected_at = '2026-11-23 05:59:59+00'",
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


async def test_a_round_that_is_an_hour_late_is_no_silence(world: World) -> None:
    """A day with a change of the clocks has 25 hours: that is not told."""
    made = await world.connected()
    await world.subscriber(made.account_id, "webhook")
    await change(world, made, "last_collected_at = '2026-11-23 06:00:01+00'")
    await world.at(EIGHT)
    assert world.receivers.requests == []


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
