"""Figures as the pages write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from opseer_gateway.pages import formats


@pytest.mark.parametrize(
    ("now", "before", "text", "mood"),
    [
        (11_000, 10_000, "▲ $10.00 (+10.0%)", "good"),
        (9_000, 10_000, "▼ $10.00 (-10.0%)", "bad"),
        (10_000, 10_000, "= unchanged", "even"),
        (1_000, 0, "▲ $10.00", "good"),
        (1_000, 99, "▲ $9.01", "good"),
        (1_000_001, 1_000_000, "▲ $0.01", "good"),
        (-500, 500, "▼ $10.00 (-200.0%)", "bad"),
    ],
)
def test_how_an_amount_moved(now: int, before: int, text: str, mood: str) -> None:
    """An arrow and the size; a percentage only from a base of at least one dollar."""
    found = formats.money_delta(now, before, "usd", "vs yesterday")
    assert found == formats.Delta(text, mood, "vs yesterday")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [(6, 5, "▲ 1 (+20.0%)"), (5, 4, "▲ 1"), (0, 1_000, "▼ 1,000 (-100.0%)")],
)
def test_how_a_count_moved(now: int, before: int, text: str) -> None:
    """Counts below five have no percentage."""
    found = formats.count_delta(now, before, "")
    assert found is not None
    assert found.text == text


def test_nothing_to_compare() -> None:
    """What is not known did not move."""
    assert formats.money_delta(None, 1, "usd", "") is None
    assert formats.money_delta(1, None, "usd", "") is None
    assert formats.count_delta(1, None, "") is None


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ((2026, 11, 24), (2026, 11, 24), "24 Nov 2026"),
        ((2026, 11, 18), (2026, 11, 24), "18 \u2013 24 Nov 2026"),
        ((2026, 10, 27), (2026, 11, 24), "27 Oct \u2013 24 Nov 2026"),
        ((2026, 12, 30), (2027, 1, 2), "30 Dec 2026 \u2013 2 Jan 2027"),
    ],
)
def test_ranges_are_short(
    first: tuple[int, int, int], last: tuple[int, int, int], words: str
) -> None:
    """What two days share is said once."""
    assert formats.days(date(*first), date(*last)) == words


@pytest.mark.parametrize(
    ("parts", "text"),
    [(None, "—"), (0, "0.0%"), (1, "0.0%"), (5_737, "57.4%"), (-250, "-2.5%")],
)
def test_parts_per_ten_thousand(parts: int | None, text: str) -> None:
    """A share or rate has one decimal, and zero no sign."""
    assert formats.percent(parts) == text


def test_instants_are_utc() -> None:
    """An as-of time names its zone."""
    at = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
    assert formats.instant(at) == "24 Nov 2026, 02:05 UTC"
    assert formats.instant(None) == "—"
