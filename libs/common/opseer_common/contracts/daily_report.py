"""The daily report as it is stored, answered by the API and rendered.

Money is in minor units of the channel's currency; the other metrics are counts.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from opseer_common.contracts.message import Source

MetricKey = Literal["mrr", "revenue", "orders", "new_subs", "churned"]
Environment = Literal["live", "test", "demo"]
Status = Literal["ok", "missing", "partial", "stale"]
"""ok and partial have a value. missing has none; stale has one of before the day's
end alone, which is not shown."""


class Metric(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the five figures of a day, beside the day before and an average.

    `average_7d` is of the seven days before, None where fewer than four are known.
    `reason` says why a value is missing, stale or partial; None where it is ok.
    `caveats` are codes of channels.CAVEATS: how the channel's definition differs.
    """

    key: MetricKey
    label: str
    value: int | None
    previous: int | None
    average_7d: int | None
    status: Status
    reason: str | None
    caveats: tuple[str, ...] = ()


class ReportChannel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source's five metrics, always in the same order.

    `currency` is a lower-case ISO code, None while nothing was collected. `timezone` is
    the zone of its days where that is not the report's.
    """

    source: Source
    currency: str | None
    environment: Environment
    metrics: tuple[Metric, ...]
    timezone: str | None = None


class DailyReport(msgspec.Struct, frozen=True):
    """The report of `date`, a day of the IANA zone `timezone`."""

    date: date
    timezone: str
    title: str
    channels: tuple[ReportChannel, ...]
