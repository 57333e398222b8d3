"""The weekly digest, with holes in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import (
    DailyReport,
    Metric,
    MetricKey,
    ReportChannel,
)
from opseer_notifier.domain.weekly import weekly_letter

LAST = date(2026, 11, 22)
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
STRIPE: frozenset[Source] = frozenset({"stripe"})
LABELS: dict[MetricKey, str] = {"mrr": "MRR", "revenue": "Revenue", "orders": "Orders"}


def report(day: date, value: int | None, currency: str = "usd") -> DailyReport:
    """Return a report whose metrics all have one value."""
    metrics = tuple(
        Metric(
            key=key,
            label=label,
            value=value,
            previous=None,
            average_7d=None,
            status="missing" if value is None else "ok",
            reason="CRON_PENDING" if value is None else None,
        )
        for key, label in LABELS.items()
    )
    channel = ReportChannel("stripe", currency, "test", metrics)
    return DailyReport(day, "UTC", "Title", (channel,))


def digest(values: Sequence[tuple[int | None, str]]) -> list[tuple[str, str]]:
    """Return (value, note) of each metric; `values` go back from the last day."""
    reports = {
        LAST - timedelta(days=back): report(LAST - timedelta(days=back), *one)
        for back, one in enumerate(values)
    }
    letter = weekly_letter(reports, LAST, STRIPE, AT)
    assert letter is not None
    assert letter.title == "📊 Opseer Revenue Weekly Digest · TEST MODE"
    [section] = letter.sections
    return [(row.value, row.note) for row in section.rows]


def test_two_whole_weeks() -> None:
    """MRR is the last day's, the others are sums; each beside the week before."""
    found = digest([(1_000, "usd")] * 7 + [(500, "usd")] * 7)
    assert found == [
        ("$10.00", "▲ $5.00 (+100.0%)"),
        ("$70.00", "▲ $35.00 (+100.0%)"),
        ("7,000", "▲ 3,500 (+100.0%)"),
    ]


def test_a_missing_day_is_said_and_not_compared() -> None:
    """A sum of six days is not held against one of seven."""
    found = digest([(1_000, "usd"), (None, "usd"), *[(1_000, "usd")] * 12])
    assert found[1] == ("$60.00", "6 of 7 days")


def test_currencies_are_not_added() -> None:
    """Days of another currency are not in the sum."""
    found = digest([(1_000, "usd")] * 3 + [(1_000, "eur")] * 11)
    assert found[1] == ("$30.00", "3 of 7 days")


def test_nothing_known_is_no_zero() -> None:
    """A week without a value has none, with the newest reason."""
    found = digest([(None, "usd")] * 14)
    assert found[1] == ("—", "waits for the next collection")


def test_without_a_report_there_is_no_digest() -> None:
    """Nothing is made up for an account that has none."""
    assert weekly_letter({}, LAST, STRIPE, AT) is None
