"""How long a billed period is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opseer_collector.domain.history import interval_of


def at(day: str) -> int:
    """Return nine o'clock of a day in unix seconds."""
    return int(
        datetime.fromisoformat(f"{day}T09:00:00").replace(tzinfo=UTC).timestamp()
    )


@pytest.mark.parametrize(
    ("starts", "ends", "interval"),
    [
        ("2026-10-15", "2026-11-15", ("month", 1)),
        ("2026-08-31", "2026-09-30", ("month", 1)),  # its own day is not there
        ("2027-02-28", "2027-03-31", ("month", 1)),  # and is again
        ("2027-02-28", "2027-03-30", ("month", 1)),
        ("2028-01-31", "2028-02-29", ("month", 1)),
        ("2026-11-30", "2027-02-28", ("month", 3)),
        ("2026-12-31", "2027-06-30", ("month", 6)),
        ("2027-03-01", "2028-03-01", ("year", 1)),
        ("2028-02-29", "2029-02-28", ("year", 1)),
        ("2026-03-01", "2028-03-01", ("year", 2)),
        ("2026-11-02", "2026-11-09", ("week", 1)),
        ("2026-11-02", "2026-11-30", ("week", 4)),
        ("2026-11-30", "2026-12-01", ("day", 1)),
        ("2026-11-02", "2026-11-12", ("day", 10)),
    ],
)
def test_a_period_is_what_was_paid_for(
    starts: str, ends: str, interval: tuple[str, int]
) -> None:
    """Rule: months by their days, as the provider bills them; else weeks or days."""
    assert interval_of(at(starts), at(ends)) == interval
