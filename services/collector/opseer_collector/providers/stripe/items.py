"""Items that events leave out: a nested list shows the first ten.

They are taken from the subscription as it is now, whose list was followed to the end,
as far as the ids and the number that the event tells agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opseer_collector.providers.stripe.tiers import lines_of

Fields = dict[str, Any]


def fill(events: Iterable[Fields], live: Iterable[Fields]) -> None:
    """Complete, in place, the items of the states that `events` show."""
    now = {row["id"]: list(lines_of(row)) for row in live}
    for event in events:
        data = event.get("data")
        shown = data.get("object") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(shown, dict):
            continue
        items, lines = shown.get("items"), now.get(str(shown.get("id")))
        if (
            not lines
            or not isinstance(items, dict)
            or items.get("has_more") is not True
        ):
            continue
        told = len(items.get("data") or ())
        total = items.get("total_count")
        _complete(items, lines, total, event["created"])
        previous = data.get("previous_attributes")
        before = previous.get("items") if isinstance(previous, dict) else None
        if isinstance(before, dict) and len(before.get("data") or ()) == told:
            _complete(before, lines, before.get("total_count", total), event["created"])


def _complete(items: Fields, lines: list[Fields], total: object, at: int) -> None:
    """Append the lines that are not shown and were there by `at`, if `total` fits."""
    shown = list(items.get("data") or ())
    items["has_more"] = True
    ids = {line.get("id") for line in shown if isinstance(line, Mapping)}
    rest = [
        line
        for line in lines
        if line.get("id") not in ids and int(line.get("created") or 0) <= at
    ]
    if len(shown) + len(rest) == total:
        items["data"], items["has_more"] = [*shown, *rest], False
