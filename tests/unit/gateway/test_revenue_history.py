"""Twelve months of MRR as their page shows them."""

from __future__ import annotations

from datetime import date

import pytest

from opseer_gateway.domain.figures import MovementRow
from opseer_gateway.domain.history import Checked, EstimatedRow, History
from opseer_gateway.pages.revenue import history


def guess(day: date, snapshot: int) -> EstimatedRow:
    """Return an estimated day on which $1.00 was new."""
    return EstimatedRow(
        date=day,
        new=100,
        expansion=0,
        contraction=0,
        churned=0,
        net=100,
        fx=0,
        snapshot=snapshot,
        active_subscriptions=1,
    )


LONG_AGO = guess(date(2025, 11, 1), 900)
FOUND = History(
    source="stripe",
    timezone="UTC",
    currency="usd",
    complete=True,
    exact_from=date(2026, 11, 3),
    checked=Checked(29, 5, 1_000),
    rows=(LONG_AGO, guess(date(2026, 11, 1), 1_000), guess(date(2026, 11, 2), 1_100)),
)
EXACT = [MovementRow(date(2026, 11, 3), net=-300, snapshot=800, complete=True)]


def test_estimated_and_exact_days_are_series_of_their_own() -> None:
    """Rule: no estimated day is in the exact series, and none is older than a year."""
    drawn = history.figures(FOUND, EXACT, "usd")
    assert drawn is not None
    assert drawn["days"] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert drawn["mrr"] == [None, None, 800]
    assert drawn["estimated"] == [1_000, 1_100, None]
    assert drawn["series"] == {"net": [100, 100, -300]}


def test_the_table_marks_what_is_estimated() -> None:
    """Rule: the newest day comes first, and each says which kind it is."""
    assert [
        (one.day, one.snapshot, one.net, one.is_estimated)
        for one in history.lines(FOUND, EXACT)
    ] == [
        ("2026-11-03", "$8.00", "-$3.00", False),
        ("2026-11-02", "$11.00", "+$1.00", True),
        ("2026-11-01", "$10.00", "+$1.00", True),
    ]


def test_words_say_that_it_is_an_estimate() -> None:
    """Rule: who hears the chart hears where the estimate ends, and how good it is."""
    assert history.words(FOUND, EXACT) == (
        "MRR: from an estimated $10.00 on 1 Nov 2026 to $8.00 now; "
        "estimated before 3 Nov 2026, exact since."
    )
    assert history.accuracy(FOUND) == (
        "On 29 days that are known exactly, too, the estimate is off by $0.05 of "
        "$10.00 at most."
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("BEFORE_HISTORY", "Older history was not estimated yet."),
        ("INVOICES_PERMISSION", "Invoices → Read is missing"),
        (None, "still being collected"),
    ],
)
def test_without_an_estimate_the_page_says_why(reason: str | None, words: str) -> None:
    """Rule: no estimate has no chart and no table, but a reason."""
    none = History(source="stripe", timezone="UTC", reason=reason)
    assert history.note(none) == words
    assert history.figures(none, EXACT, "usd") is None
    assert history.lines(none, EXACT) == []
