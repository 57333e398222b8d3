"""What the dashboard says, as text: every figure, or "—" and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from opseer_common.rendering import money_text, reason_words
from opseer_gateway.actions.reading import Overview
from opseer_gateway.domain.figures import DailyRow, MovementRow
from opseer_gateway.domain.integrations import (
    STRIPE_PERMISSIONS,
    Integration,
)
from opseer_gateway.domain.visitors import Visitor

NONE: Final = "—"
_BANNERS: Mapping[str, str] = MappingProxyType({"test": "TEST MODE", "demo": "DEMO"})
_STATES: Mapping[str, str] = MappingProxyType(
    {
        "collecting": "Collecting initial data",
        "connected": "Connected",
        "auth_failed": "Stripe refused this key",
        "disconnected": "Not connected",
    }
)
_LOST: Mapping[str, str] = MappingProxyType(
    {
        "balance": "connecting at all",
        "balance_transaction_source": "net revenue, charges and refunds",
        "charges_and_refunds": "failed payments",
        "customers": "customer names",
        "disputes": "dispute details",
        "events": "MRR movements and Yesterday MRR",
        "invoices": "usage-based MRR",
        "prices": "tiered prices in MRR",
        "products": "plan names",
        "subscriptions": "MRR and active subscriptions",
    }
)


@dataclass(frozen=True, slots=True)
class Card:
    """One figure with its label and a note."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """One day of the table; cells are in the order of `COLUMNS`."""

    day: str
    cells: tuple[str, ...]
    note: str


COLUMNS: Final = (
    "Net Revenue",
    "Charges",
    "Refunds",
    "Failed Payments",
    "Disputes",
    "MRR Snapshot",
    "New MRR",
    "Expansion MRR",
    "Contraction MRR",
    "Churned MRR",
)


def banner(integration: Integration, visitor: Visitor) -> str | None:
    """Return what every page must say where the figures are not real money."""
    return _BANNERS.get("demo" if visitor.demo else integration.environment or "")


def state(integration: Integration) -> str:
    """Return the state in words."""
    return _STATES[integration.state]


def progress(integration: Integration) -> str | None:
    """Return how far the open run is, in words."""
    found = integration.progress
    if found is None:
        return None
    if not found.total:
        return f"{found.stage}…"
    left = "" if found.eta_s is None else f", about {found.eta_s} s left"
    return f"{found.stage}: {found.done} of {found.total}{left}"


def missing(integration: Integration) -> list[str]:
    """Return each permission that is missing, with what is lost without it."""
    return [
        f"{label} → Read is missing: no {_LOST.get(name, 'further details')}."
        for name, label in STRIPE_PERMISSIONS.items()
        if integration.permissions.get(name) == "missing"
    ]


def cards(found: Overview) -> list[Card]:
    """Return the five cards; the daily ones are of yesterday."""
    yesterday = found.today - timedelta(days=1)
    day = next((row for row in found.daily.rows if row.date == yesterday), None)
    moved = next((row for row in found.movements.rows if row.date == yesterday), None)
    mrr = found.mrr
    return [
        Card("MRR", money(mrr.mrr, mrr.currency), _mrr_note(found)),
        _yesterday_mrr(moved, found),
        Card(
            "Net Revenue",
            money(day.net_revenue if day else None, day.currency if day else None),
            _day_note(day, "yesterday"),
        ),
        Card(
            "Charges",
            count(day.charges_count if day else None),
            _day_note(day, _refund_note(day)),
        ),
        Card(
            "Active Subscriptions",
            count(mrr.active_subscriptions),
            _why(mrr.active_subscriptions, mrr.reason, "with MRR above zero"),
        ),
    ]


def lines(found: Overview) -> list[Line]:
    """Return the table's days, newest first."""
    moved = {row.date: row for row in found.movements.rows}
    return [
        _line(row, moved.get(row.date), found) for row in reversed(found.daily.rows)
    ]


def _line(day: DailyRow, moved: MovementRow | None, found: Overview) -> Line:
    """Return one day."""
    currency = found.movements.currency
    refunds = count(day.refunds_count)
    if day.refunds_count:
        refunds += f" ({money(day.refunds_amount, day.currency)})"
    parts: tuple[int | None, ...] = (None,) * 5
    if moved is not None:
        parts = (
            moved.snapshot,
            moved.new,
            moved.expansion,
            moved.contraction,
            moved.churned,
        )
    reasons = (day.reason, moved.reason if moved else found.why_unmoved)
    return Line(
        day=day.date.isoformat(),
        cells=(
            money(day.net_revenue, day.currency),
            count(day.charges_count),
            refunds,
            count(day.failed_payments),
            count(day.disputes),
            *(money(part, currency) for part in parts),
        ),
        note="; ".join(dict.fromkeys(reason_words(why) for why in reasons if why)),
    )


def _mrr_note(found: Overview) -> str:
    """Say as of when, or why there is none; zero is explained."""
    mrr = found.mrr
    if mrr.mrr == 0 and not mrr.active_subscriptions and mrr.complete:
        return "No active subscriptions"
    as_of = f"as of {mrr.as_of:%Y-%m-%d %H:%M} UTC" if mrr.as_of else ""
    return _why(mrr.mrr, mrr.reason, as_of)


def _yesterday_mrr(moved: MovementRow | None, found: Overview) -> Card:
    """Return yesterday's snapshot and what moved it."""
    label, currency = "Yesterday MRR", found.movements.currency
    if moved is None or moved.net is None:
        reason = moved.reason if moved else None
        return Card(label, NONE, reason_words(reason or found.why_unmoved))
    sign = "+" if moved.net > 0 else ""
    note = f"Net MRR Movement {sign}{money(moved.net, currency)}"
    return Card(
        label,
        money(moved.snapshot, currency),
        _why(moved.net, moved.reason, note),
    )


def _day_note(day: DailyRow | None, words: str) -> str:
    """Return the words, or why the day is not complete."""
    if day is None:
        return reason_words("COLLECTING")
    return _why(day.net_revenue, day.reason, words)


def _refund_note(day: DailyRow | None) -> str:
    """Return what went wrong beside the charges."""
    if day is None:
        return ""
    return f"{count(day.refunds_count)} refunds · {count(day.failed_payments)} failed"


def _why(value: int | None, reason: str | None, words: str) -> str:
    """Return the reason where the value is missing or incomplete."""
    if reason is None:
        return words
    return reason_words(reason) if value is None else f"{words}; {reason_words(reason)}"


def money(minor: int | None, currency: str | None) -> str:
    """Return an amount, or "—"."""
    if minor is None or currency is None:
        return NONE
    return money_text(minor, currency)


def count(number: int | None) -> str:
    """Return a count, or "—"."""
    return NONE if number is None else f"{number:,}"
