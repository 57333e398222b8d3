"""The small pictures of the page one lands on, by hand arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from opseer_common.days import DayRange
from opseer_gateway.actions.reading import Overview
from opseer_gateway.domain import figures
from opseer_gateway.domain.figures import DailyRow, MovementRow, Mrr
from opseer_gateway.domain.integrations import describe
from opseer_gateway.pages.sparks import Spark, sparks

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)


def overview(
    connect: Connect, snapshots: list[int | None], revenue: list[int | None]
) -> Overview:
    """Return a channel whose last days are these; MRR now is $2.00."""
    known = connect()
    first = TODAY - timedelta(days=len(snapshots) - 1)
    days = DayRange(first, TODAY)
    return Overview(
        integration=describe(known, NOW),
        today=TODAY,
        mrr=Mrr("stripe", "usd", 200),
        daily=figures.daily_revenue(
            known,
            days,
            [
                DailyRow(day, "usd", value)
                for day, value in zip(days, revenue, strict=True)
            ],
            NOW,
        ),
        movements=figures.movements(
            known,
            days,
            [
                MovementRow(day, snapshot=value)
                for day, value in zip(days, snapshots, strict=True)
            ],
            "usd",
            NOW,
        ),
        why_unmoved="CRON_PENDING",
    )


def drawn(connect: Connect, *days: tuple[int | None, int | None]) -> list[Spark]:
    """Return the pictures of days of (MRR, Net Revenue)."""
    snapshots, revenue = zip(*days, strict=True)
    return sparks(overview(connect, list(snapshots), list(revenue)))


def test_mrr_is_a_line_from_the_lowest_to_the_highest(connect: Connect) -> None:
    """Rule: the lowest day is 30 above the bottom, the highest 30 below the top.

    Today has no snapshot yet: it is the MRR of now.
    """
    mrr, _ = drawn(connect, (100, 1), (150, 1), (None, 1))
    assert mrr.line == "M0 450L1500 240L3000 30"
    assert mrr.area == "M0 480L0 450L1500 240L3000 30L3000 480Z"
    assert mrr.words == "MRR rose by $1.00 to $2.00 in 3 days."
    assert (mrr.value, mrr.mood) == ("$2.00", "good")


def test_a_day_that_is_not_known_breaks_the_line(connect: Connect) -> None:
    """Rule: nothing is drawn across a gap."""
    mrr, _ = drawn(connect, (200, 1), (200, 1), (None, 1), (200, 1), (200, 1))
    assert mrr.line == "M0 240L750 240M2250 240L3000 240"
    assert mrr.words == "MRR stayed $2.00 in 5 days."


def test_revenue_hangs_below_zero_where_refunds_outweigh_it(connect: Connect) -> None:
    """Rule: bars share one scale; zero and unknown days have none."""
    _, revenue = drawn(connect, (1, 300), (1, -100), (1, 0), (1, None))
    assert [(bar.y, bar.height, bar.is_below) for bar in revenue.bars] == [
        (0, 360, False),
        (360, 120, True),
    ]
    assert [bar.x for bar in revenue.bars] == [0, 750]
    assert revenue.words == "Net Revenue $2.00 in 4 days, $3.00 on the best day."


@pytest.mark.parametrize("day", [(100, 1), (None, None)])
def test_one_day_is_no_picture(
    connect: Connect, day: tuple[int | None, int | None]
) -> None:
    """Rule: less than two known days are not drawn."""
    assert drawn(connect, day) == []
