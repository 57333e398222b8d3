"""Numbers to compare with Stripe: our value, and Stripe's page with its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opseer_gateway.domain.figures import DailyRevenue, Mrr
from opseer_gateway.domain.integrations import Integration
from opseer_gateway.pages import formats

_STRIPE: Final = "https://dashboard.stripe.com"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure. `link` is empty where no Stripe has it: for demo data."""

    label: str
    value: str
    where: str
    link: str
    note: str


def comparisons(row: Integration, mrr: Mrr, daily: DailyRevenue) -> list[Comparison]:
    """Return the three figures of a connected Stripe; `daily` ends with today."""
    if row.source != "stripe" or row.state == "disconnected" or not daily.rows:
        return []
    base = _STRIPE if row.environment == "live" else f"{_STRIPE}/test"
    demo = row.environment == "demo"
    day = daily.rows[max(0, len(daily.rows) - 2)]
    charges = formats.count(day.charges_count)
    amount = formats.money(day.charges_amount, day.currency)
    return [
        Comparison(
            f"Charges of {formats.day(day.date)}",
            charges if day.charges_count is None else f"{charges} · {amount}",
            "Payments, filtered by that day",
            "" if demo else f"{base}/payments",
            f"A day here is one of {row.timezone}; Stripe shows your account's zone.",
        ),
        Comparison(
            "Active Subscriptions",
            formats.count(mrr.active_subscriptions),
            "Subscriptions, status active",
            "" if demo else f"{base}/subscriptions?status=active",
            "Here: those with MRR above zero. Past due ones count, free ones don't.",
        ),
        Comparison(
            "MRR, as Stripe counts it",
            formats.money(mrr.mrr_stripe_comparable, mrr.currency),
            "Billing → Overview",
            "" if demo else f"{base}/billing",
            "Without usage; the MRR of the dashboard follows your own rules.",
        ),
    ]
