"""What a service says no to: tried again, given up, or disabled and told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from opseer_common.testing.alerts import NINE, YESTERDAY
from opseer_notifier.senders import outbound

if TYPE_CHECKING:
    from tests.servers.notifier.conftest import World

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


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
    when, row = NINE, dict[str, Any]()
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
