"""The published figures of a provider that reports its own: sums over its projects.

A pure function: the same stored rows give the same figures, however they came. What is
not known is None with a reason, and a sum is unknown where the part of a project is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from opseer_collector.domain.daily import DailyRow
from opseer_collector.domain.records import ProjectMetric, Reported
from opseer_collector.domain.windows import is_over

MONEY: Final = frozenset(
    {
        *("mrr", "committed_mrr", "trial_mrr", "net_revenue"),
        *("charges_amount", "refunds_amount", "new_mrr", "resubscription_mrr"),
        *("expansion_mrr", "contraction_mrr", "churned_mrr"),
    }
)
COUNTS: Final = frozenset(
    {
        *("orders", "refunds_count", "new_subs", "churned_subs"),
        *("active_subscriptions",),
    }
)
"""Every name that a provider may report a figure under, money and counts."""

_PARTS: Final = ("charges_amount", "refunds_amount")
"""What net revenue is made of where the provider does not report it."""


@dataclass(frozen=True, slots=True)
class MetricDay:
    """One published figure of a day, in minor units of `currency` or a count."""

    day: date
    name: str
    currency: str | None
    value: int | None
    reason: str | None

    @property
    def complete(self) -> bool:
        """Tell whether it is the day's figure for good."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a connection. `starts` are unix seconds as in `windows.bounds`.

    `aside` are endpoint and day of what could not be read. `missing` are missing
    permissions.
    """

    days: Sequence[date]
    starts: Sequence[int]
    metrics: Iterable[ProjectMetric]
    aside: frozenset[tuple[str, date]] = frozenset()
    missing: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Found:
    """The parts of one day and name, by project; other currencies' apart."""

    values: dict[str, int] = field(default_factory=dict)
    partial: bool = False
    unconverted: bool = False

    def total(self, projects: Sequence[str]) -> int | None:
        """Return the sum; None where a project's part is not known."""
        if not projects or any(project not in self.values for project in projects):
            return None
        return sum(self.values[project] for project in projects)

    def reason(self, end: int, as_of: datetime) -> str | None:
        """Return why a day that ends at `end` is not complete; None when it is."""
        if self.unconverted:
            return "NO_RATE"
        if self.partial or _under_way(end, as_of):
            return "ARRIVES_TOMORROW"
        return None if is_over(end, as_of) else "CRON_PENDING"


def metric_days(stored: Stored, reported: Reported, as_of: datetime) -> list[MetricDay]:
    """Return a figure for each day and name, ascending by day, as known at `as_of`.

    With them comes `net_revenue` where it follows from the others.
    """
    found, known = _found(stored.metrics, reported.currency)
    names = {
        name: told
        for name, told in reported.names.items()
        if name in known or name not in reported.optional
    }
    figures: list[MetricDay] = []
    for index, day in enumerate(stored.days):
        end = stored.starts[index + 1]
        last = day == stored.days[-1]
        of_day = {}
        for name, told in names.items():
            if name in reported.now and not last:
                continue
            part = found.get((day, name), _Found())
            value = part.total(reported.projects)
            if part.partial and not _under_way(end, as_of):
                value = None
            if told.permission in stored.missing and value is None:
                reason: str | None = f"{told.permission.upper()}_PERMISSION"
            elif (told.endpoint, day) in stored.aside:
                reason = "QUARANTINE"
            else:
                reason = part.reason(end, as_of)
                if value is None and reason is None:
                    reason = _why_absent(day, known.get(name))
            unit = reported.currency if name in MONEY else None
            of_day[name] = MetricDay(day, name, unit, value, reason)
        _add_net(of_day, day)
        figures.extend(of_day.values())
    return figures


def _found(
    metrics: Iterable[ProjectMetric], currency: str
) -> tuple[dict[tuple[date, str], _Found], dict[str, tuple[date, date]]]:
    """Return what is there by day and name, and each name's first and last day."""
    found: dict[tuple[date, str], _Found] = defaultdict(_Found)
    known: dict[str, tuple[date, date]] = {}
    for row in metrics:
        part = found[row.day, row.name]
        if row.currency not in ("", currency):
            part.unconverted |= bool(row.value)
            continue
        part.partial |= row.partial
        if row.value is None:
            continue
        part.values[row.project] = row.value
        first, last = known.get(row.name, (row.day, row.day))
        known[row.name] = (min(first, row.day), max(last, row.day))
    return found, known


def _under_way(end: int, as_of: datetime) -> bool:
    return int(as_of.timestamp()) < end


def _why_absent(day: date, known: tuple[date, date] | None) -> str:
    """Return why a day that is over has no figure, given the days that have one."""
    if known is None or day < known[0]:
        return "BEFORE_HISTORY"
    return "ARRIVES_TOMORROW" if day > known[1] else "QUARANTINE"


def _add_net(of_day: dict[str, MetricDay], day: date) -> None:
    """Add charges minus refunds, each on its own day, where there is no net yet."""
    if "net_revenue" in of_day or not all(name in of_day for name in _PARTS):
        return
    charges, refunds = (of_day[name] for name in _PARTS)
    value = None
    if charges.value is not None and refunds.value is not None:
        value = charges.value - refunds.value
    of_day["net_revenue"] = MetricDay(
        day,
        "net_revenue",
        charges.currency,
        value,
        charges.reason or refunds.reason,
    )


def daily_rows(figures: Iterable[MetricDay]) -> list[DailyRow]:
    """Return the rows of the daily cache that the figures make up, ascending.

    What the provider does not report stays None; the reason is that of net revenue,
    else that of the orders.
    """
    by_day: dict[date, dict[str, MetricDay]] = defaultdict(dict)
    for one in figures:
        by_day[one.day][one.name] = one
    return [_daily(day, by_day[day]) for day in sorted(by_day)]


def _daily(day: date, of_day: Mapping[str, MetricDay]) -> DailyRow:
    def value(name: str) -> int | None:
        return of_day[name].value if name in of_day else None

    reasons = (
        of_day[name].reason for name in ("net_revenue", "orders") if name in of_day
    )
    return DailyRow(
        day=day,
        net_revenue=value("net_revenue"),
        charges_count=value("orders"),
        charges_amount=value("charges_amount"),
        refunds_count=value("refunds_count"),
        refunds_amount=value("refunds_amount"),
        failed_payments=None,
        disputes=None,
        unconverted={},
        reason=next((reason for reason in reasons if reason is not None), None),
    )
