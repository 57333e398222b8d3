"""The daily report of five metrics, from what the other services stored.

Order and labels are fixed. What is missing is None with a reason, never 0, and no
amounts of unlike currencies or sources are added: channels define them differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from opseer_common.channels import CHANNELS
from opseer_common.contracts.daily_report import (
    DailyReport,
    Environment,
    Metric,
    MetricKey,
    ReportChannel,
    Status,
)
from opseer_common.contracts.message import Source
from opseer_common.days import ONE_DAY, DayRange
from opseer_common.money import round_half_even

DAYS = 90
"""How many closed days have a report that follows the figures."""
TITLE = "📊 Opseer Revenue Daily Report"
SOURCES: tuple[Source, ...] = ("stripe", "revenuecat", "polar")
_WEEK = 7
_LEAST_FOR_AVERAGE = 4

# The day's end was not collected: what is there is not the day's figure. A row says
# ARRIVES_TOMORROW while its day is under way; of a day that is over only a provider
# that is a day behind can mean it.
_A_DAY_BEHIND = "revenuecat"
_OPEN = frozenset({"CRON_PENDING", "COLLECTING", "ARRIVES_TOMORROW"})
# These say that other columns of the day are unknown: failed payments, disputes.
_ELSEWHERE = frozenset({"CHARGES_AND_REFUNDS_PERMISSION", "DISPUTES_PERMISSION"})


@dataclass(frozen=True, slots=True)
class DailyRow:
    """A day of the collector's cache; money in minor units of `currency`.

    A figure that could not be read is None.
    """

    day: date
    currency: str
    net_revenue: int | None
    charges_count: int | None
    complete: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class MovementRow:
    """A day of movements; `snapshot` in minor units of `currency`, None is unknown."""

    day: date
    currency: str
    snapshot: int | None
    new_subs: int | None
    churned_subs: int | None
    complete: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Reported:
    """A figure of a day as the channel itself reports it; None is unknown."""

    value: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """What is known of a connected source.

    `currency` is what its money is shown in, None while that is not known.
    `collecting` says that nothing was published yet. `permissions` are ok, missing or
    unknown by name. `reported` are the figures of a channel that reports its own, by
    day and name, and `timezone` is the zone of its days.
    """

    source: Source
    currency: str | None
    environment: Environment
    collecting: bool
    permissions: Mapping[str, str]
    daily: Mapping[date, DailyRow]
    movements: Mapping[date, MovementRow]
    reported: Mapping[tuple[date, str], Reported] = field(default_factory=dict)
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class _Figure:
    """One value of one day."""

    value: int | None
    status: Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Of:
    """Where a metric comes from: our own rows, or a name that a channel reports."""

    key: MetricKey
    label: str
    computed: Callable[[Channel, date], _Figure]
    name: str

    def figure(self, channel: Channel, day: date) -> _Figure:
        """Return the metric of a day."""
        if not channel.reported:
            return self.computed(channel, day)
        found = channel.reported.get((day, self.name))
        if found is None:
            days = {day: None for day, name in channel.reported if name == self.name}
            return _missing(_why_absent(days, day, collecting=channel.collecting))
        if found.reason is None:
            return _Figure(found.value, "ok", None)
        return _withheld(channel, found.value, found.reason)


def report(day: date, timezone: str, channels: Sequence[Channel]) -> DailyReport:
    """Return the report of `day`, a day of the IANA zone `timezone`."""
    return titled(
        day,
        timezone,
        tuple(
            ReportChannel(
                source=channel.source,
                currency=channel.currency,
                environment=channel.environment,
                metrics=tuple(_metric(channel, day, of) for of in _METRICS),
                timezone=channel.timezone if channel.timezone != timezone else None,
            )
            for channel in sorted(channels, key=lambda one: SOURCES.index(one.source))
        ),
    )


def without(body: DailyReport, sources: frozenset[Source]) -> DailyReport:
    """Return the report without the channels of `sources`."""
    kept = tuple(one for one in body.channels if one.source not in sources)
    return titled(body.date, body.timezone, kept)


def titled(
    day: date,
    timezone: str,
    channels: tuple[ReportChannel, ...],
    title: str = TITLE,
) -> DailyReport:
    """Return a report whose title says what is not real money."""
    found = {channel.environment for channel in channels}
    marks = [
        f" · {words}"
        for environment, words in (("test", "TEST MODE"), ("demo", "DEMO"))
        if environment in found
    ]
    return DailyReport(
        date=day, timezone=timezone, title=title + "".join(marks), channels=channels
    )


def closed_days(channels: Sequence[Channel], today: date) -> DayRange:
    """Return the days to report: the oldest with rows, at most 90, to yesterday."""
    known = [
        day
        for one in channels
        for day in (*one.daily, *one.movements, *(day for day, _ in one.reported))
    ]
    first = max(min(known, default=today), today - timedelta(days=DAYS))
    return DayRange(first, today - ONE_DAY)


def _metric(channel: Channel, day: date, of: _Of) -> Metric:
    """Return one metric of `day` beside the day before and the week before."""
    figure = of.figure(channel, day)
    week = [
        value
        for back in range(1, _WEEK + 1)
        if (value := of.figure(channel, day - timedelta(days=back)).value) is not None
    ]
    enough = len(week) >= _LEAST_FOR_AVERAGE
    return Metric(
        key=of.key,
        label=of.label,
        value=figure.value,
        previous=of.figure(channel, day - ONE_DAY).value,
        average_7d=round_half_even(Fraction(sum(week), len(week))) if enough else None,
        status=figure.status,
        reason=figure.reason,
        caveats=CHANNELS[channel.source].caveats.get(of.key, ()),
    )


def _daily(
    channel: Channel, day: date, pick: Callable[[DailyRow], int | None]
) -> _Figure:
    """Return a figure of the daily cache."""
    row = channel.daily.get(day)
    if row is None:
        return _missing(_why_absent(channel.daily, day, collecting=channel.collecting))
    if row.reason in _ELSEWHERE and pick(row) is not None:
        return _Figure(pick(row), "ok", None)
    return _judged(channel, pick(row), row)


def _movement(
    channel: Channel, day: date, pick: Callable[[MovementRow], int | None]
) -> _Figure:
    """Return a figure of the movements."""
    row = channel.movements.get(day)
    if row is None:
        return _missing(_why_unmoved(channel, day))
    if row.reason is not None and (
        row.reason == "BEFORE_HISTORY" or row.reason.endswith("_PERMISSION")
    ):
        return _missing(row.reason)
    return _judged(channel, pick(row), row)


def _judged(
    channel: Channel, value: int | None, row: DailyRow | MovementRow
) -> _Figure:
    """Return a stored value, or None where it is not yet the day's."""
    if row.complete:
        return _Figure(value, "ok", None)
    return _withheld(channel, value, row.reason)


def _withheld(channel: Channel, value: int | None, reason: str | None) -> _Figure:
    """Return a figure that is not the day's for good, or only where it may be shown."""
    if reason not in _OPEN:
        return _Figure(value, "missing" if value is None else "partial", reason)
    waits = reason == "ARRIVES_TOMORROW" and channel.source != _A_DAY_BEHIND
    return _Figure(
        value=None,
        status="missing" if value is None else "stale",
        reason="CRON_PENDING" if waits else reason,
    )


def _missing(reason: str) -> _Figure:
    return _Figure(None, "missing", reason)


def _why_absent(rows: Mapping[date, object], day: date, *, collecting: bool) -> str:
    """Return why a day has no row."""
    if collecting or not rows:
        return "COLLECTING"
    return "BEFORE_HISTORY" if day < min(rows) else "CRON_PENDING"


def _why_unmoved(channel: Channel, day: date) -> str:
    """Return why a day has no movements."""
    for name in ("subscriptions", "events"):
        if channel.permissions.get(name) == "missing":
            return f"{name.upper()}_PERMISSION"
    return _why_absent(channel.movements, day, collecting=channel.collecting)


def _in_currency(
    channel: Channel, rows: Mapping[date, DailyRow | MovementRow], day: date
) -> bool:
    """Tell whether a day's money, if any, is in the channel's currency."""
    row = rows.get(day)
    return row is None or row.currency == channel.currency


def _mrr(channel: Channel, day: date) -> _Figure:
    if not _in_currency(channel, channel.movements, day):
        return _missing("NO_RATE")
    return _movement(channel, day, lambda row: row.snapshot)


def _revenue(channel: Channel, day: date) -> _Figure:
    if not _in_currency(channel, channel.daily, day):
        return _missing("NO_RATE")
    return _daily(channel, day, lambda row: row.net_revenue)


def _orders(channel: Channel, day: date) -> _Figure:
    return _daily(channel, day, lambda row: row.charges_count)


def _new_subs(channel: Channel, day: date) -> _Figure:
    return _movement(channel, day, lambda row: row.new_subs)


def _churned(channel: Channel, day: date) -> _Figure:
    return _movement(channel, day, lambda row: row.churned_subs)


_METRICS = (
    _Of("mrr", "MRR", _mrr, "mrr"),
    _Of("revenue", "Revenue", _revenue, "net_revenue"),
    _Of("orders", "Orders", _orders, "orders"),
    _Of("new_subs", "New Subs", _new_subs, "new_subs"),
    _Of("churned", "Churned", _churned, "churned_subs"),
)
