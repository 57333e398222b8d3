"""What the page of a day says, as text: every figure and what is behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from opseer_common.days import ONE_DAY, zone
from opseer_common.rendering import reason_words
from opseer_gateway.actions.details import Day
from opseer_gateway.domain.entries import DayEntries, Entry
from opseer_gateway.domain.movement_changes import Change, DayChanges
from opseer_gateway.domain.names import Customer
from opseer_gateway.domain.windows import CACHE_DAYS
from opseer_gateway.pages.formats import NONE, count, day, money, signed
from opseer_gateway.pages.revenue.cards import Card
from opseer_gateway.pages.revenue.texts import MOVEMENTS

_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "charges": "Charges",
        "refunds": "Refunds",
        "failed_payments": "Failed Payments",
        "disputes": "Disputes",
        "none": NONE,
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {"failed_charge": "failed charge", "dispute": "dispute"}
)
_LOOK_BACK: Final = timedelta(days=CACHE_DAYS)


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry of the table. A note stands under its text, "" for none."""

    time: str
    id: str
    link: str | None
    what: str
    detail: str
    customer: str
    email: str
    amount: str
    rates: str
    fee: str
    counts_in: str
    net: str


@dataclass(frozen=True, slots=True)
class ChangeCard:
    """One subscription that moved the day. `steps` are (when, amount, lines)."""

    customer: str
    email: str
    customer_link: str | None
    key: str
    category: str
    amount: str
    story: str
    plan: str
    steps: tuple[tuple[str, str, tuple[str, ...]], ...]
    subscription: str
    link: str | None
    events: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The day before or after, as an address and in words."""

    day: str
    words: str


def neighbours(of: date, today: date) -> tuple[Neighbour | None, Neighbour | None]:
    """Return the day before and the day after, None where there is nothing to see."""
    before, after = None, None
    if today - _LOOK_BACK < of <= today:
        before = Neighbour((of - ONE_DAY).isoformat(), day(of - ONE_DAY))
    if of < today:
        after = Neighbour((of + ONE_DAY).isoformat(), day(of + ONE_DAY))
    return before, after


def revenue_cards(found: Day) -> list[Card]:
    """Return the five figures of the day's row."""
    row, currency = found.row, found.entries.currency
    if row is None:
        return []
    refunded = money(row.refunds_amount, currency) if row.refunds_count else ""
    return [
        _card("Net Revenue", money(row.net_revenue, currency), "charges minus refunds"),
        _card("Charges", count(row.charges_count), money(row.charges_amount, currency)),
        _card("Refunds", count(row.refunds_count), refunded),
        _card("Failed Payments", count(row.failed_payments)),
        _card("Disputes", count(row.disputes)),
    ]


def movement_cards(found: Day) -> list[Card]:
    """Return the figures of the day's movements."""
    row, currency = found.movement, found.changes.currency
    if row is None:
        return []
    back = ""
    if row.of_which_reactivation:
        back = f"of which reactivation {money(row.of_which_reactivation, currency)}"
    fx = f"FX {signed(row.fx, currency)}" if row.fx else ""
    notes = {"new": back, "net": fx}
    return [
        *(
            _card(label, signed(getattr(row, field), currency), notes.get(field, ""))
            for field, label in MOVEMENTS.items()
        ),
        _card("MRR Snapshot", money(row.snapshot, currency), "at the end of the day"),
    ]


def entries_note(page: DayEntries) -> str:
    """Say what the list is, or why it is empty or not whole."""
    if page.total is None:
        return f"{NONE} {reason_words(page.reason or 'COLLECTING')}"
    noun = "entry" if page.total == 1 else "entries"
    words = "No entries."
    if page.total:
        words = f"{page.total:,} {noun}, newest first"
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


def _card(label: str, value: str, note: str = "") -> Card:
    return Card("", label, value, note=note)


def _entry(one: Entry, currency: str | None, tz: ZoneInfo) -> EntryLine:
    what = _KINDS.get(one.kind, one.category.replace("_", " "))
    detail = (one.detail or "").replace("_", " ")
    name, email = _who(one.customer)
    net = one.adds.get("net_revenue")
    return EntryLine(
        time=f"{one.created.astimezone(tz):%H:%M}",
        id=one.source_id or one.id,
        link=one.link,
        what=what.capitalize(),
        detail="" if detail == what else detail,
        customer=name,
        email=email,
        amount=money(one.amount, one.currency),
        rates=_rates(one, currency),
        fee=money(one.fee, one.currency) if one.fee else "",
        counts_in=_COLUMNS[one.counts_in],
        net="" if net is None else money(net, currency),
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
    category = MOVEMENTS.get(one.category, "No MRR movement")
    story = f"{one.reason_text[0].upper()}{one.reason_text[1:]}: "
    steps = (
        ("Before", money(one.before, one.currency), one.arithmetic.before),
        ("After", money(one.after, one.currency), one.arithmetic.after),
    )
    return ChangeCard(
        customer=name,
        email=email,
        customer_link=one.customer_link,
        key=one.category,
        category=category + (" (reactivation)" if one.reactivation else ""),
        amount=signed(one.amount, currency),
        story=f"{story}{steps[0][1]} → {steps[1][1]}",
        plan=one.plan or "",
        steps=tuple(step for step in steps if step[2]),
        subscription=one.subscription_id,
        link=one.link,
        events=tuple(
            (event, one.event_links[at] if at < len(one.event_links) else None)
            for at, event in enumerate(one.event_ids)
        ),
    )
