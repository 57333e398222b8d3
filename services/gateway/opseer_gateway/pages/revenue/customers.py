"""What a search for customers found, as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from opseer_common.contracts.movement_reasons import REASON_TEXTS
from opseer_common.days import day_of, zone
from opseer_gateway.actions.board import Search
from opseer_gateway.domain.customers import (
    MIN_LENGTH,
    CustomerHistory,
    FoundChange,
    FoundEntry,
)
from opseer_gateway.pages import formats
from opseer_gateway.pages.revenue import texts


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One thing that a customer did, on a day that can be opened."""

    day: str
    words: str
    part: str
    what: str
    amount: str


@dataclass(frozen=True, slots=True)
class CustomerCard:
    """One customer; `lines` are newest first."""

    name: str
    email: str
    id: str
    link: str | None
    lines: tuple[HistoryLine, ...]


def note(search: Search) -> str:
    """Say how many were found, or what to type."""
    if len(search.text) < MIN_LENGTH:
        return "Type at least two letters of a name, an e-mail address or an id."
    number = len(search.found)
    if not number:
        return (
            "Nobody of that name. Only customers behind the stored days are known, and "
            "their names only where Customers → Read is there."
        )
    return "1 customer" if number == 1 else f"{number} customers"


def cards(search: Search) -> list[CustomerCard]:
    """Return a card per customer."""
    tz = zone(search.timezone)
    return [_card(one, tz) for one in search.found]


def _card(one: CustomerHistory, tz: ZoneInfo) -> CustomerCard:
    customer = one.customer
    dated = [(change.date, 1, _change(change)) for change in one.changes]
    for entry in one.entries:
        line = _entry(entry, tz)
        dated.append((datetime.fromisoformat(line.day).date(), 0, line))
    dated.sort(key=lambda item: item[:2], reverse=True)
    return CustomerCard(
        name=customer.name or customer.email or customer.id,
        email=customer.email or "",
        id=customer.id,
        link=one.link,
        lines=tuple(line for *_, line in dated),
    )


def _change(one: FoundChange) -> HistoryLine:
    category = texts.MOVEMENTS.get(one.category, "No MRR movement")
    reason = REASON_TEXTS.get(one.reason, one.reason)
    return HistoryLine(
        day=one.date.isoformat(),
        words=formats.day(one.date),
        part="#movements",
        what=f"{category}: {reason}",
        amount=formats.signed(one.amount, one.currency),
    )


def _entry(one: FoundEntry, tz: ZoneInfo) -> HistoryLine:
    day = day_of(datetime.fromtimestamp(one.created, UTC), tz)
    what = {"failed_charge": "failed charge", "dispute": "dispute"}.get(
        one.kind, one.category.replace("_", " ")
    )
    return HistoryLine(
        day=day.isoformat(),
        words=formats.day(day),
        part="#revenue",
        what=what.capitalize(),
        amount=formats.money(one.amount, one.currency),
    )
