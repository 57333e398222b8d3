"""What a transaction adds to its day; expected values are worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from opseer_gateway.domain.entries import (
    DayEntries,
    StoredDay,
    StoredEntry,
    entries_page,
)
from opseer_gateway.domain.figures import DailyRow

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

DAY = date(2026, 11, 20)
NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())


def entry(id_: str, amount: int, category: str, **other: Any) -> StoredEntry:
    """Return a movement of the balance in dollars at noon."""
    values: dict[str, Any] = {
        "kind": "balance_transaction",
        "created": NOON,
        "currency": "usd",
        "fee": 0,
        "net": amount,
        "exchange_rate": None,
        "detail": "kind of it",
        "object_id": f"ch_{id_}",
        "has_transaction": True,
        "customer": None,
        "original_amount": None,
        "original_currency": None,
    }
    return StoredEntry(
        id=f"txn_{id_}", amount=amount, category=category, **(values | other)
    )


def page(
    connect: Connect, behind: list[StoredEntry], rates: dict[str, Decimal], **row: Any
) -> DayEntries:
    """Return the day's one page; `row` are its figures, the others unknown."""
    stored = StoredDay(
        DailyRow(DAY, "usd", complete=True, **row),
        "UTC",
        datetime(2026, 11, 21, tzinfo=UTC),
    )
    found, _ = entries_page(connect(), stored, behind, rates, limit=100, after=None)
    return found


@pytest.mark.parametrize(
    ("category", "amount", "column", "adds"),
    [
        (
            *("charge", 500, "charges"),
            {"charges_count": 1, "charges_amount": 500, "net_revenue": 500},
        ),
        ("charge", 0, "charges", {"charges_amount": 0, "net_revenue": 0}),
        (
            *("partial_capture_reversal", -100, "charges"),
            {"charges_amount": -100, "net_revenue": -100},
        ),
        (
            *("charge_failure", -500, "failed_payments"),
            {"failed_payments": 1, "charges_amount": -500, "net_revenue": -500},
        ),
        (
            *("refund", -200, "refunds"),
            {"refunds_count": 1, "refunds_amount": 200, "net_revenue": -200},
        ),
        (
            *("refund_failure", 200, "refunds"),
            {"refunds_amount": -200, "net_revenue": 200},
        ),
        ("dispute", -500, "disputes", {"disputes": 1}),
        ("payout", -9_000, "none", {}),
        ("fee", -30, "none", {}),
    ],
)
def test_what_a_category_adds(
    connect: Connect, category: str, amount: int, column: str, adds: dict[str, int]
) -> None:
    """Each reporting category goes into the column that the daily row has it in."""
    [found] = page(connect, [entry("1", amount, category)], {}).entries
    assert (found.counts_in, dict(found.adds)) == (column, adds)


def test_failed_charges(connect: Connect) -> None:
    """A failed charge counts unless a transaction of its failure does."""
    failed = [
        entry(n, 900, "failed", kind="failed_charge", has_transaction=there)
        for n, there in (("1", False), ("2", True))
    ]
    found = page(connect, failed, {}, failed_payments=1)
    assert [one.counts_in for one in found.entries] == ["failed_payments", "none"]
    assert found.complete


def test_disputes_count_once(connect: Connect) -> None:
    """Two debits of one dispute are one; its own object is told beside them."""
    behind = [
        entry("1", -500, "dispute", object_id="dp_1"),
        entry("2", -500, "dispute", object_id="dp_1", created=NOON + 1),
        entry("3", -700, "dispute", object_id="dp_3"),
        entry("4", -700, "dispute", object_id=None),
        entry("5", 500, "lost", kind="dispute", object_id="dp_1"),
    ]
    found = page(connect, behind, {}, disputes=2)
    assert {one.id: one.adds.get("disputes", 0) for one in found.entries} == {
        "txn_1": 1,
        "txn_2": 0,
        "txn_3": 1,
        "txn_4": 0,
        "txn_5": 0,
    }
    assert found.complete


def test_other_currencies_sum_to_the_row(connect: Connect) -> None:
    """Three times 1.5 of 1 euro cent is 4.5, half-even 4: the parts are 2, 1 and 1."""
    behind = [entry(n, 1, "charge", currency="eur") for n in "123"]
    behind.append(entry("4", -1, "refund", currency="eur"))
    found = page(
        connect,
        behind,
        {"eur": Decimal("1.50")},
        charges_amount=4,
        refunds_amount=2,
        net_revenue=2,
    )
    assert [(one.converted_amount, one.rate) for one in found.entries] == [
        (2, "1.50"),
        (1, "1.50"),
        (1, "1.50"),
        (-2, "1.50"),
    ]
    assert found.complete


def test_without_a_rate(connect: Connect) -> None:
    """An amount without a rate is in no amount, and never taken as 1:1."""
    behind = [entry("1", 700, "charge", currency="krw")]
    [found] = page(connect, behind, {"eur": Decimal(1)}).entries
    assert (found.converted_amount, found.rate) == (None, None)
    assert dict(found.adds) == {"charges_count": 1}


def test_the_providers_own_conversion(connect: Connect) -> None:
    """What was charged in another currency is told with the provider's rate."""
    charge = entry(
        *("1", 110, "charge"),
        exchange_rate=Decimal("1.10"),
        original_amount=100,
        original_currency="eur",
    )
    [found] = page(connect, [charge], {}).entries
    assert (found.original_amount, found.original_currency) == (100, "eur")
    assert (found.exchange_rate, found.rate) == ("1.10", None)


def test_what_does_not_add_up_is_said(connect: Connect) -> None:
    """A row that the entries do not sum to is not complete."""
    found = page(connect, [entry("1", 500, "charge")], {}, net_revenue=400)
    assert (found.complete, found.reason) == (False, "COLLECTING")
