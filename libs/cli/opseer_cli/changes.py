"""The subscriptions behind days of MRR movements, as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

COLUMNS: Final = (
    *("date", "category", "reason", "text", "subscription_id", "customer_id"),
    *("customer", "plan", "currency", "before", "after", "amount", "complete"),
    *("arithmetic_before", "arithmetic_after", "event_ids", "link"),
)
_SAME: Final = (
    *("category", "reason", "text", "subscription_id", "plan", "currency"),
    *("before", "after", "amount", "link"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_of(days: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per change of the answers `days`; amounts are minor units.

    Lines of arithmetic and ids are joined by " | ". Text that a spreadsheet would run
    is quoted as it wants it.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for day in days:
        for row in _rows(day):
            writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _rows(day: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the changes of one day."""
    for one in day["changes"]:
        customer = one["customer"] or {}
        arithmetic = one["arithmetic"]
        yield {
            "date": day["date"],
            "complete": str(day["complete"]).lower(),
            "customer_id": customer.get("id"),
            "customer": customer.get("name") or customer.get("email"),
            "arithmetic_before": " | ".join(arithmetic["before"]),
            "arithmetic_after": " | ".join(arithmetic["after"]),
            "event_ids": " | ".join(one["event_ids"]),
            **{name: one[name] for name in _SAME},
        }


def _cell(value: object) -> object:
    """Return a value; text is never a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
