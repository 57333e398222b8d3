"""What the page of a day says, as text: every figure and what is behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from opseer_common.days import zone
from opseer_common.rendering import reason_words
from opseer_gateway.actions.details import Day
from opseer_gateway.domain.entries import DayEntries, Entry
from opseer_gateway.domain.movement_changes import Change, DayChanges
from opseer_gateway.domain.names import Customer
from opseer_gateway.domain.windows import CACHE_DAYS
from opseer_gateway.pages.view import NONE, Card, count, money

_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "charges": "Charges",
        "refunds": "Refunds",
        "failed_payments": "Failed Payments",
        "disputes": "Disputes",
        "none": NONE,
    }
)
_CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "new": "New MRR",
        "expansion": "Expansion MRR",
        "contraction": "Contraction MRR",
        "churned": "Churned MRR",
        "none": "No MRR movement",
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {"failed_charge": "failed charge", "dispute": "dispute"}
)
_LOOK_BACK: Final = timedelta(days=CACHE_DAYS)
ENTRY_COLUMNS: Final = (
    *("What", "Amount", "Fee", "Counts in", "Net Revenue", "Customer"),
)


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry of the table; `cells` are in the order of `ENTRY_COLUMNS`."""

    time: str
    id: str
    link: str | None
    cells: tuple[tuple[str, str], ...]
    """Each a text and a note under it."""


@dataclass(frozen=True, slots=True)
class ChangeCard:
    """One subscription that moved the day. `steps` are (when, lines)."""

    customer: str
    email: str
    category: str
    amount: str
    story: str
    plan: str
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    ids: str
    link: str | None


def neighbours(day: date, today: date) -> tuple[str | None, str | None]:
    """Return the day before and the day after, None where there is nothing to see."""
    one = timedelta(days=1)
    return (
        (day - one).isoformat() if today - _LOOK_BACK < day <= today else None,
        (day + one).isoformat() if day < today else None,
    )


def revenue_cards(found: Day) -> list[Card]:
    """Return the five figures of the day's row."""
    row, currency = found.row, found.entries.currency
    if row is None:
        return []
    return [
        Card("Net Revenue", money(row.net_revenue, currency), "charges minus refunds"),
        Card("Charges", count(row.charges_count), money(row.charges_amount, currency)),
        Card("Refunds", count(row.refunds_count), money(row.refunds_amount, currency)),
        Card("Failed Payments", count(row.failed_payments), ""),
        Card("Disputes", count(row.disputes), ""),
    ]


def movement_cards(found: Day) -> list[Card]:
    """Return the figures of the day's movements."""
    row, currency = found.movement, found.changes.currency
    if row is None:
        return []
    back = ""
    if row.of_which_reactivation:
        back = f"of which reactivation {money(row.of_which_reactivation, currency)}"
    fx = f"FX {money(row.fx, currency)}" if row.fx else ""
    return [
        Card("New MRR", money(row.new, currency), back),
        Card("Expansion MRR", money(row.expansion, currency), ""),
        Card("Contraction MRR", money(row.contraction, currency), ""),
        Card("Churned MRR", money(row.churned, currency), ""),
        Card("Net MRR Movement", money(row.net, currency), fx),
        Card("MRR Snapshot", money(row.snapshot, currency), "at the end of the day"),
    ]


def entries_note(page: DayEntries) -> str:
    """Say what the list is, or why it is empty or not whole."""
    if page.total is None:
        return f"{NONE} {reason_words(page.reason or 'COLLECTING')}"
    words = f"{page.total:,} entries, newest first" if page.total else "No entries."
    return words if page.reason is None else f"{words}; {reason_words(page.reason)}"


def changes_note(found: Day) -> str:
    """Say how many subscriptions moved, or why that is not known."""
    page, row = found.changes, found.movement
    if row is None or row.net is None:
        return f"{NONE} {reason_words(page.reason or 'COLLECTING')}"
    number = len(page.changes)
    words = "No subscription moved MRR on this day."
    if number:
        words = f"{number:,} subscription{'s' if number > 1 else ''}"
    return words if page.reason is None else f"{words}; {reason_words(page.reason)}"


def entry_lines(page: DayEntries) -> list[EntryLine]:
    """Return the lines of the page's entries."""
    tz = zone(page.timezone)
    return [_entry(one, page.currency, tz) for one in page.entries]


def change_cards(page: DayChanges) -> list[ChangeCard]:
    """Return a card per subscription."""
    return [_change(one, page.currency) for one in page.changes]


def _entry(one: Entry, currency: str | None, tz: ZoneInfo) -> EntryLine:
    what = one.category.replace("_", " ")
    if one.kind in _KINDS:
        what = _KINDS[one.kind]
    detail = (one.detail or "").replace("_", " ")
    net = one.adds.get("net_revenue")
    return EntryLine(
        time=f"{one.created.astimezone(tz):%H:%M:%S}",
        id=one.source_id or one.id,
        link=one.link,
        cells=(
            (what, "" if detail == what else detail),
            (money(one.amount, one.currency), _rates(one, currency)),
            (money(one.fee, one.currency) if one.fee else "", ""),
            (_COLUMNS[one.counts_in], ""),
            (money(net, currency) if net is not None else "", ""),
            _who(one.customer),
        ),
    )


def _rates(one: Entry, currency: str | None) -> str:
    """Say what was converted at which rate."""
    if one.converted_amount is not None:
        return f"{money(one.converted_amount, currency)} at {one.rate}"
    if one.original_amount is not None:
        charged = money(one.original_amount, one.original_currency)
        return f"from {charged} at {one.exchange_rate}"
    return ""


def _who(customer: Customer | None) -> tuple[str, str]:
    """Return a customer's name and e-mail address, or the id."""
    if customer is None:
        return "", ""
    return customer.name or customer.email or customer.id, (
        customer.email or "" if customer.name else ""
    )


def _change(one: Change, currency: str | None) -> ChangeCard:
    name, email = _who(one.customer)
    amount = money(one.amount, currency)
    back = " (reactivation)" if one.reactivation else ""
    story = f"{one.reason_text[0].upper()}{one.reason_text[1:]}: "
    steps = (("Before", one.arithmetic.before), ("After", one.arithmetic.after))
    return ChangeCard(
        customer=name,
        email=email,
        category=_CATEGORIES[one.category] + back,
        amount=f"+{amount}" if one.amount and one.amount > 0 else amount,
        story=story
        + f"{money(one.before, one.currency)} → {money(one.after, one.currency)}",
        plan=one.plan or "",
        steps=tuple((when, lines) for when, lines in steps if lines),
        ids=" · ".join((one.subscription_id, *one.event_ids)),
        link=one.link,
    )
