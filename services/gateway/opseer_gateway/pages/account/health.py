"""Whether each service has done its part for a channel: the end of the first run.

Told by what a service last wrote, which says more than that its process answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opseer_common.contracts.daily_report import DailyReport
from opseer_gateway.domain.figures import Mrr
from opseer_gateway.domain.integrations import Integration
from opseer_gateway.pages import formats
from opseer_gateway.pages.account.channels import ChannelCard
from opseer_gateway.pages.frame import ago


@dataclass(frozen=True, slots=True)
class Sign:
    """What a service did last; `is_well` is false where that is nothing, or old."""

    service: str
    words: str
    is_well: bool


def connected_words(card: ChannelCard, row: Integration) -> str:
    """Return one line about a connection, as "Connected: rk_live_…AAAA, live mode"."""
    parts = [f"{card.state_words}: {row.key_hint or card.environment}"]
    if row.key_hint and card.environment:
        parts.append(card.environment.lower())
    if row.settlement_currency:
        parts.append(f"settles in {row.settlement_currency.upper()}")
    if card.permissions:
        parts.append(f"{card.granted} of {len(card.permissions)} permissions")
    return ", ".join(parts)


def signs(
    row: Integration, mrr: Mrr, report: DailyReport, now: datetime
) -> tuple[Sign, ...]:
    """Return a sign of each of the four services; none before a first collection."""
    last = row.last_collected_at
    if row.state != "connected" or last is None:
        return ()
    built = any(
        metric.value is not None
        for channel in report.channels
        if channel.source == row.source
        for metric in channel.metrics
    )
    computed = mrr.as_of is not None
    day = formats.day(report.date)
    return (
        Sign("Collector", f"collected {ago(last, now)}", "stale" not in row.flags),
        Sign(
            "MRR",
            f"computed as of {formats.instant(mrr.as_of)}"
            if computed
            else "no MRR yet",
            computed,
        ),
        Sign(
            "Notifier",
            f"has the report of {day}" if built else f"no report of {day} yet",
            built,
        ),
        Sign("Gateway", "shows you this page", is_well=True),
    )
