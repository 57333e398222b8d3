"""The daily report on its way: at the user's time, once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from opseer_common.testing.alerts import NINE

if TYPE_CHECKING:
    from tests.servers.notifier.conftest import World

SECOND = timedelta(seconds=1)


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
