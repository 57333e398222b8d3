"""The changes behind days as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from opseer_cli.changes import COLUMNS, csv_of


def change(**fields: Any) -> dict[str, Any]:
    """Return a change as the API tells it."""
    return {
        "subscription_id": "sub_1",
        "customer": {"id": "cus_1", "name": "Ada", "email": "ada@example.com"},
        "plan": "Pro",
        "price_ids": ["price_1"],
        "event_ids": ["evt_1", "evt_2"],
        "category": "expansion",
        "reactivation": False,
        "reason": "seats",
        "reason_text": "changed the number of seats",
        "text": "Ada changed the number of seats: 10.00 → 20.00 USD a month",
        "currency": "usd",
        "before": 1_000,
        "after": 2_000,
        "amount": 1_000,
        "arithmetic": {"before": ["1 x 10.00"], "after": ["2 x 10.00", "= 20.00"]},
        "link": "https://dashboard.stripe.com/subscriptions/sub_1",
        **fields,
    }


def test_a_change_is_a_row() -> None:
    """Rule: reason and arithmetic in words, ids and the link, in columns with names."""
    days = [
        {"date": "2026-11-23", "complete": True, "changes": [change()]},
        {"date": "2026-11-24", "complete": False, "changes": []},
    ]
    [row] = csv.DictReader(io.StringIO(csv_of(days)))
    assert tuple(row) == COLUMNS
    assert row["date"] == "2026-11-23"
    assert (row["reason"], row["text"].split(":")[0]) == (
        *("seats", "Ada changed the number of seats"),
    )
    assert (row["before"], row["after"], row["amount"]) == ("1000", "2000", "1000")
    assert row["arithmetic_after"] == "2 x 10.00 | = 20.00"
    assert row["event_ids"] == "evt_1 | evt_2"
    assert row["link"].endswith("/sub_1")


def test_a_name_is_no_formula() -> None:
    """Rule: what customers call themselves is never run by a spreadsheet."""
    customer = {"id": "cus_1", "name": "=HYPERLINK(1)", "email": None}
    loss = change(customer=customer, amount=-1_000, after=0)
    days = [{"date": "2026-11-23", "complete": True, "changes": [loss]}]
    [row] = csv.DictReader(io.StringIO(csv_of(days)))
    assert row["customer"] == "'=HYPERLINK(1)"
    assert row["amount"] == "-1000"


def test_who_is_not_known_is_empty() -> None:
    """Rule: a customer that may not be read leaves an empty cell."""
    days = [
        {"date": "2026-11-23", "complete": True, "changes": [change(customer=None)]}
    ]
    [row] = csv.DictReader(io.StringIO(csv_of(days)))
    assert (row["customer_id"], row["customer"]) == ("", "")
