"""What changes in an account's reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from opseer_common.contracts.message import Source
from opseer_notifier.domain.building import Connected, Inputs, build, timezone_of
from opseer_notifier.domain.report import Channel, DailyRow

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
DAY = date(2026, 11, 23)
ACCOUNT = UUID(int=1)


def connected(source: Source, timezone: str = "UTC", net: int = 500) -> Connected:
    """Return a connection whose yesterday is known."""
    row = DailyRow(DAY, "usd", net, 1, complete=True, reason=None)
    channel = Channel(source, "usd", "live", False, {}, {DAY: row}, {})  # noqa: FBT003
    return Connected(UUID(int=2), 1, 1, timezone, channel)


def test_the_zone_is_stripes_else_the_first_sources() -> None:
    """The report has one zone, whatever the order in which sources were connected."""
    polar, stripe = connected("polar", "Asia/Seoul"), connected("stripe", "Asia/Tokyo")
    assert timezone_of([polar, stripe]) == "Asia/Tokyo"
    assert timezone_of([polar]) == "Asia/Seoul"
    assert timezone_of([]) == "UTC"


def test_an_unchanged_report_is_not_written_again() -> None:
    """A build of the same figures changes nothing."""
    inputs = Inputs(ACCOUNT, [connected("stripe")], frozenset(), {})
    first = build(inputs, NOW)
    assert [body.date for body in first.changed] == [DAY]
    again = replace(inputs, reports={body.date: body for body in first.changed})
    assert build(again, NOW).changed == ()


def test_the_next_day_begins_at_the_zones_midnight() -> None:
    """In New York the 24th lasts until 05:00 UTC of the 25th."""
    inputs = Inputs(ACCOUNT, [connected("stripe", "America/New_York")], frozenset(), {})
    built = build(inputs, NOW)
    assert built.days.last == DAY
    assert built.next_day_at == datetime(2026, 11, 25, 5, tzinfo=UTC)


def test_an_old_report_keeps_what_is_still_connected() -> None:
    """Only a source that is gone leaves reports that are not built anew."""
    both = Inputs(ACCOUNT, [connected("stripe"), connected("polar")], frozenset(), {})
    stored = {body.date: body for body in build(both, NOW).changed}
    much_later = datetime(2027, 11, 24, 10, tzinfo=UTC)
    kept = Inputs(ACCOUNT, [], frozenset(), stored)
    assert build(kept, much_later).changed == ()
    left = Inputs(ACCOUNT, [], frozenset({"polar"}), stored)
    [body] = build(left, much_later).changed
    assert [channel.source for channel in body.channels] == ["stripe"]
