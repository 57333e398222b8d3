"""Reasons in words, for every reason that the engine has."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from opseer_gateway.domain.movement_changes import why_no_row

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("events", "first", "reason"),
    [
        ("ok", date(2026, 11, 21), "BEFORE_HISTORY"),
        ("ok", date(2026, 11, 19), "CRON_PENDING"),
        ("ok", None, "CRON_PENDING"),
        ("missing", date(2026, 11, 21), "EVENTS_PERMISSION"),
    ],
)
def test_why_a_day_has_no_movements(
    connect: Connect, events: str, first: date | None, reason: str
) -> None:
    """A missing permission explains it before the history's beginning does."""
    assert why_no_row(connect(events=events), DAY, first) == reason
