"""What stands behind a day of revenue, and what each part adds to the day's row.

The rules are those by which the row was made (the collector's domain/daily.py, over
Stripe's `reporting_category`). Where the two do not add up, which happens only while
newer rows are being stored, the answer says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from opseer_common.contracts import Source
from opseer_common.money import round_half_even, shares
from opseer_gateway.domain.figures import DailyRow
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.links import dashboard_link
from opseer_gateway.domain.names import Customer, Name, customer_of
from opseer_gateway.domain.paging import Position, cursor_after

Kind = Literal["balance_transaction", "failed_charge", "dispute"]
Column = Literal["charges", "refunds", "failed_payments", "disputes", "none"]


class _Rule(msgspec.Struct, frozen=True):
    """How a category counts: in which column, one each in `count`, its `amount`."""

    column: Column
    count: str | None = None
    amount: str | None = None


_NOT_COUNTED: Final = _Rule("none")
_FAILED: Final = _Rule("failed_payments", "failed_payments")
_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "charge": _Rule("charges", "charges_count", "charges_amount"),
        "partial_capture_reversal": _Rule("charges", None, "charges_amount"),
        "charge_failure": _Rule("failed_payments", "failed_payments", "charges_amount"),
        "refund": _Rule("refunds", "refunds_count", "refunds_amount"),
        "refund_failure": _Rule("refunds", None, "refunds_amount"),
        "dispute": _Rule("disputes", "disputes"),
    }
)
_SUMS: Final = (
    *("net_revenue", "charges_count", "charges_amount", "refunds_count"),
    *("refunds_amount", "failed_payments", "disputes"),
)


class StoredEntry(msgspec.Struct, frozen=True):
    """A row of the collector's v1_entry. `created` is unix seconds."""

    kind: Kind
    id: str
    created: int
    amount: int
    currency: str
    fee: int | None
    net: int | None
    exchange_rate: Decimal | None
    category: str
    detail: str | None
    object_id: str | None
    has_transaction: bool
    customer: str | None
    original_amount: int | None
    original_currency: str | None

    @property
    def place(self) -> Position:
        """Its place in the day."""
        return Position(self.created, self.kind, self.id)


class StoredDay(msgspec.Struct, frozen=True):
    """A day's row with the zone that the day is of."""

    row: DailyRow
    timezone: str
    as_of: datetime


class Entry(msgspec.Struct, frozen=True):
    """One movement of the balance, failed charge or dispute.

    `amount`, `fee` and `net` are minor units of `currency`, as the provider has them.
    `category` is its `reporting_category`, or the status of a charge or dispute, and
    `detail` its type, or why. `counts_in` is the column of the daily row, `adds` what
    it adds to which of the row's fields: over a day they sum to the row. Where that
    needed another currency, `converted_amount` is `amount` in the day's currency, at
    `rate`, so rounded that the day's sum is right. `original_amount` is what the
    provider converted at `exchange_rate` before. Rates are between minor units.
    """

    kind: Kind
    id: str
    created: datetime
    category: str
    detail: str | None
    amount: int
    currency: str
    fee: int | None
    net: int | None
    converted_amount: int | None
    rate: str | None
    original_amount: int | None
    original_currency: str | None
    exchange_rate: str | None
    source_id: str | None
    customer: Customer | None
    counts_in: Column
    adds: Mapping[str, int]
    link: str | None


class DayEntries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what stands behind a day, newest first.

    `total` counts the entries of all pages; null where none can be known.
    `next_cursor` is null on the last page.
    """

    source: Source
    date: date
    timezone: str
    currency: str | None = None
    as_of: datetime | None = None
    complete: bool = False
    reason: str | None = None
    total: int | None = None
    entries: tuple[Entry, ...] = ()
    next_cursor: str | None = None


class _Worth(msgspec.Struct, frozen=True):
    """What an entry adds, and its amount in the day's currency if it counts."""

    column: Column
    adds: Mapping[str, int]
    settled: int | None


def entries_page(
    known: Known,
    stored: StoredDay,
    behind: Sequence[StoredEntry],
    rates: Mapping[str, Decimal],
    *,
    limit: int,
    after: Position | None,
) -> tuple[DayEntries, tuple[StoredEntry, ...]]:
    """Return the page of `limit` entries after a position, and its stored rows.

    `rates` are minor units of the day's currency per minor unit of others'. Customers
    have no names yet: see `with_names`.
    """
    row, currency = stored.row, stored.row.currency or ""
    worths = _worths(behind, currency, rates)
    ordered = sorted(behind, key=lambda one: one.place.order)
    rest = [one for one in ordered if after is None or one.place.order > after.order]
    shown = tuple(rest[:limit])
    reason = row.reason or (None if _adds_up(row, worths.values()) else "COLLECTING")
    page = DayEntries(
        source=known.source,
        date=row.date,
        timezone=stored.timezone,
        currency=row.currency,
        as_of=stored.as_of,
        complete=reason is None,
        reason=reason,
        total=len(ordered),
        entries=tuple(
            _entry(known, one, worths[one.place], currency, rates) for one in shown
        ),
        next_cursor=(
            cursor_after(row.date, shown[-1].place) if len(rest) > limit else None
        ),
    )
    return page, shown


def with_names(
    page: DayEntries, shown: Iterable[StoredEntry], names: Mapping[str, Name]
) -> DayEntries:
    """Return the page with its customers' names."""
    return msgspec.structs.replace(
        page,
        entries=tuple(
            msgspec.structs.replace(entry, customer=customer_of(one.customer, names))
            for entry, one in zip(page.entries, shown, strict=True)
        ),
    )


def _entry(
    known: Known,
    one: StoredEntry,
    worth: _Worth,
    currency: str,
    rates: Mapping[str, Decimal],
) -> Entry:
    converted = worth.settled is not None and one.currency != currency
    charged = one.exchange_rate is not None
    return Entry(
        kind=one.kind,
        id=one.id,
        created=datetime.fromtimestamp(one.created, UTC),
        category=one.category,
        detail=one.detail,
        amount=one.amount,
        currency=one.currency,
        fee=one.fee,
        net=one.net,
        converted_amount=worth.settled if converted else None,
        rate=_number(rates[one.currency]) if converted else None,
        original_amount=one.original_amount if charged else None,
        original_currency=one.original_currency if charged else None,
        exchange_rate=None if one.exchange_rate is None else _number(one.exchange_rate),
        source_id=one.object_id,
        customer=None,
        counts_in=worth.column,
        adds=worth.adds,
        link=dashboard_link(known, one.object_id or one.id),
    )


def _number(rate: Decimal) -> str:
    return format(rate, "f")


def _worths(
    behind: Iterable[StoredEntry], currency: str, rates: Mapping[str, Decimal]
) -> dict[Position, _Worth]:
    """Return what each entry adds to the row."""
    oldest_first = sorted(behind, key=lambda one: one.place)
    rules = {one.place: _rule(one) for one in oldest_first}
    settled = _settled(oldest_first, rules, currency, rates)
    disputed: set[str | None] = {None}
    result = {}
    for one in oldest_first:
        rule = rules[one.place]
        adds: dict[str, int] = {}
        if rule.count is not None and _is_one(one, disputed):
            adds[rule.count] = 1
        amount = settled.get(one.place)
        if amount is not None and rule.amount is not None:
            gained = rule.amount == "charges_amount"
            adds[rule.amount] = amount if gained else -amount
            adds["net_revenue"] = amount
        result[one.place] = _Worth(rule.column, adds, amount)
    return result


def _rule(one: StoredEntry) -> _Rule:
    """Return how an entry counts. A dispute does by what it moved in the balance."""
    if one.kind == "balance_transaction":
        return _RULES.get(one.category, _NOT_COUNTED)
    if one.kind == "failed_charge" and not one.has_transaction:
        return _FAILED
    return _NOT_COUNTED


def _is_one(one: StoredEntry, disputed: set[str | None]) -> bool:
    """Tell whether it counts as one more. A dispute does so once a day."""
    if one.kind != "balance_transaction":
        return True
    if one.category == "dispute":
        first = one.object_id not in disputed
        disputed.add(one.object_id)
        return first
    return one.category != "charge" or one.amount > 0


def _settled(
    behind: Iterable[StoredEntry],
    rules: Mapping[Position, _Rule],
    currency: str,
    rates: Mapping[str, Decimal],
) -> dict[Position, int]:
    """Return the amounts that count, in the day's currency.

    The row converts a currency's sum of a field at once. Its entries are rounded by
    largest remainder, so that they sum to that. Those without a rate are left out.
    """
    groups: dict[tuple[str, str], list[StoredEntry]] = defaultdict(list)
    for one in behind:
        field = rules[one.place].amount
        if field is not None:
            groups[one.currency, field].append(one)
    result = {}
    for (code, _), group in groups.items():
        if code == currency:
            result.update({one.place: one.amount for one in group})
        rate = Fraction(rates.get(code, 0))
        if code == currency or not rate:
            continue
        exact = [one.amount * rate for one in group]
        whole = round_half_even(sum(exact, Fraction(0)))
        for one, amount in zip(group, shares(exact, whole), strict=True):
            result[one.place] = amount
    return result


def _adds_up(row: DailyRow, worths: Iterable[_Worth]) -> bool:
    """Tell whether the entries sum to what is known of the row."""
    sums: Counter[str] = Counter()
    for worth in worths:
        for field, amount in worth.adds.items():
            sums[field] += amount
    return all(getattr(row, field) in (None, sums[field]) for field in _SUMS)
