"""What a Stripe object was before an update: the object under previous_attributes.

Only changed keys are in previous_attributes; objects in it are partial and arrays are
whole (source: Stripe API reference, "The Event object"). Two habits of old versions are
read as well: arrays of partial items, and a changed plan told at the top only.
"""

from __future__ import annotations

from collections.abc import Mapping

from opseer_collector.providers.stripe.shapes import Node, node


def deep_merge(
    current: Mapping[str, object], previous: Mapping[str, object]
) -> dict[str, object]:
    """Lay `previous` over `current`: objects merge, everything else is replaced."""
    merged = dict(current)
    for key, value in previous.items():
        present = merged.get(key)
        if isinstance(value, Mapping) and isinstance(present, Mapping):
            merged[key] = deep_merge(present, value)
        else:
            merged[key] = value
    return merged


def before_of(shown: Node, previous: Node) -> dict[str, object]:
    """Return the subscription object as it was before an update."""
    merged = deep_merge(shown.fields, previous.fields)
    items = shown.opt_node("items")
    if items is None:
        return merged
    if previous.has("items"):
        merged["items"] = _items_before(items, node(previous.fields["items"], "items"))
    elif previous.has("plan") or previous.has("quantity"):
        merged["items"] = _single_item_before(items, previous)
    return merged


def _items_before(items: Node, previous: Node) -> dict[str, object]:
    """Return the old items; an element without a price is laid over its successor."""
    merged = deep_merge(items.fields, previous.fields)
    if not previous.has("data"):
        return merged
    current = [line.fields for line in items.nodes("data")]
    by_id = {line.get("id"): line for line in current}
    lines: list[Mapping[str, object]] = []
    for index, line in enumerate(previous.nodes("data")):
        if line.has("price") or line.has("plan"):
            lines.append(line.fields)
            continue
        base = by_id.get(line.fields.get("id"))
        if base is None and index < len(current):
            base = current[index]
        lines.append(deep_merge(base or {}, line.fields))
    merged["data"] = lines
    return merged


def _single_item_before(items: Node, previous: Node) -> dict[str, object]:
    """Return the one item with the old plan and quantity that the top level tells."""
    lines: list[Mapping[str, object]] = [line.fields for line in items.nodes("data")]
    if len(lines) == 1:
        line = dict(lines[0])
        plan, old = line.get("plan"), previous.fields.get("plan")
        if isinstance(old, Mapping):
            line["plan"] = deep_merge(plan if isinstance(plan, Mapping) else {}, old)
            line.pop("price", None)
        if previous.has("quantity"):
            line["quantity"] = previous.fields["quantity"]
        lines = [line]
    return {**items.fields, "data": lines}
