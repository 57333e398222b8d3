"""Stripe's list semantics: newest first, cursors, windows, filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from operator import ge, gt, le, lt
from typing import Any, Protocol

import msgspec

from opseer_simulator.catalogue import Plan
from opseer_simulator.records import Subscription
from opseer_simulator.refusals import RefusalError, bad_parameter, no_such
from opseer_simulator.resources import Resource, event_type
from opseer_simulator.timeline import DAY

EVENTS_KEPT = 30 * DAY
"""Seconds an event can be read."""

MOST = 100
_EXPAND_DEPTH = 4
_TYPES_MOST = 20
_BRACKETS = re.compile(r"^([a-z_]+)\[([a-z0-9_]*)\]$")
_BOUNDS = frozenset({"gt", "gte", "lt", "lte"})
_COMMON = frozenset({"limit", "starting_after", "ending_before", "created"})


class Places(Protocol):
    """Records of one kind by their place, the oldest being 0."""

    def __len__(self) -> int:
        """Return how many there are."""

    def at(self, place: int) -> Any:
        """Return the record of a place."""

    def glance(self, place: int) -> Any:
        """Return the record of a place, or only the fields that cost little."""

    def get(self, key: str, /) -> Any:
        """Return a record by its id, or None."""

    def place(self, key: str, /) -> int | None:
        """Return a record's place, or None."""

    def first_from(self, created: int) -> int:
        """Return the place of the first record created at or after an instant."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A request's parameters: single ones, arrays and hashes apart."""

    single: dict[str, str]
    arrays: dict[str, list[str]]
    hashes: dict[str, dict[str, str]]

    @property
    def expand(self) -> list[str]:
        """The paths to expand, at most four levels each."""
        paths = self.arrays.get("expand", [])
        for path in paths:
            if path.count(".") >= _EXPAND_DEPTH:
                raise bad_parameter(
                    "You cannot expand more than 4 levels of a property. "
                    f"Property: {path}",
                    "expand",
                )
        return paths


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Sort `a=1`, `a[]=1`, `a[0]=1` and `a[gte]=1` apart.

    Raises RefusalError (400) for a name that is none of these.
    """
    query = Query(single={}, arrays={}, hashes={})
    for name, value in pairs:
        match = _BRACKETS.match(name)
        if match is None:
            query.single[name] = value
            continue
        key, inner = match.groups()
        if inner == "" or inner.isdigit():
            query.arrays.setdefault(key, []).append(value)
        else:
            query.hashes.setdefault(key, {})[inner] = value
    if isinstance(query.single.get("expand"), str):
        raise bad_parameter("Invalid array", "expand")
    return query


def page(
    resource: Resource, shelf: Places, query: Query, now: int
) -> tuple[list[Any], bool]:
    """Return a page of records, newest first, and whether there are more.

    Raises RefusalError (400) for parameters Stripe refuses.
    """
    _refuse_unknown(resource, query)
    limit = limit_of(query)
    first, last = _window(shelf, query)
    if resource.noun == "event":
        first = max(first, shelf.first_from(now - EVENTS_KEPT))
    after = _cursor(resource, shelf, query, "starting_after", first)
    before = _cursor(resource, shelf, query, "ending_before", first)
    if after is not None and before is not None:
        raise bad_parameter(
            "You can only specify one of these parameters: starting_after, "
            "ending_before.",
            "ending_before",
        )
    if before is None:
        last = last if after is None else min(last, after)
        places: Iterator[int] = iter(range(last - 1, first - 1, -1))
    else:
        places = iter(range(max(first, before + 1), last))
    records = _take(resource, shelf, query, places, limit + 1)
    found, more = records[:limit], len(records) > limit
    return (found if before is None else found[::-1]), more


def integer(value: str, param: str) -> int:
    """Return a parameter's whole number; RefusalError (400) if it is none."""
    try:
        return int(value)
    except ValueError:
        raise bad_parameter(
            f"Invalid integer: {value}", param, code="parameter_invalid_integer"
        ) from None


def _refuse_unknown(resource: Resource, query: Query) -> None:
    single = _COMMON | set(resource.filters)
    arrays = {"expand", "types"} if resource.noun == "event" else {"expand", "ids"}
    hashes = {"created", "recurring", "arrival_date", "due_date"}
    for names, known in (
        (query.single, single),
        (query.arrays, arrays),
        (query.hashes, hashes),
    ):
        for name in names:
            if name not in known:
                raise bad_parameter(
                    f"Received unknown parameter: {name}",
                    name,
                    code="parameter_unknown",
                )


def limit_of(query: Query) -> int:
    """Return the wanted number of rows; RefusalError (400) outside 1 to 100."""
    limit = integer(query.single.get("limit", "10"), "limit")
    if limit < 1:
        raise bad_parameter(
            "This value must be greater than or equal to 1.",
            "limit",
            code="parameter_invalid_integer",
        )
    if limit > MOST:
        raise bad_parameter(
            f"This value must be less than or equal to {MOST} (e.g., 'limit={MOST}').",
            "limit",
            code="parameter_invalid_integer",
        )
    return limit


def _window(shelf: Places, query: Query) -> tuple[int, int]:
    """Return the places [first, last) of the wanted creation times."""
    first, last = 0, len(shelf)
    bounds = dict(query.hashes.get("created", {}))
    if "created" in query.single:
        bounds = {"gte": query.single["created"], "lte": query.single["created"]}
    for bound, text in bounds.items():
        if bound not in _BOUNDS:
            raise bad_parameter(
                f"Received unknown parameter: created[{bound}]", f"created[{bound}]"
            )
        at = integer(text, f"created[{bound}]")
        place = shelf.first_from(at if bound in {"gte", "lt"} else at + 1)
        if bound.startswith("g"):
            first = max(first, place)
        else:
            last = min(last, place)
    return first, last


def _cursor(
    resource: Resource, shelf: Places, query: Query, param: str, first: int
) -> int | None:
    cursor = query.single.get(param)
    if cursor is None:
        return None
    place = shelf.place(cursor)
    if place is None or (resource.noun == "event" and place < first):
        raise no_such(resource.noun, cursor, param, status=400)
    return place


def _take(
    resource: Resource,
    shelf: Places,
    query: Query,
    places: Iterator[int],
    count: int,
) -> list[Any]:
    filters = [
        (keeps, query.single[name])
        for name, keeps in resource.filters.items()
        if name in query.single
    ]
    types = _types(query)
    found: list[Any] = []
    for place in places:
        record = shelf.at(place)
        if types and not any(event_type(record, each) for each in types):
            continue
        if not all(keeps(record, value) for keeps, value in filters):
            continue
        if _hidden(record, query) or not _fits(resource, record, query):
            continue
        found.append(record)
        if len(found) == count:
            break
    return found


def _types(query: Query) -> list[str]:
    types = query.arrays.get("types", [])
    if types and "type" in query.single:
        raise bad_parameter("You may only specify one of: type, types.", "types")
    if len(types) > _TYPES_MOST:
        raise RefusalError(400, "Too many types: at most 20.", param="types")
    return types


def _fits(resource: Resource, record: Any, query: Query) -> bool:
    """Return whether a record passes the arrays and hashes of a query."""
    ids = query.arrays.get("ids")
    if ids is not None and record.id not in ids:
        return False
    for name, wanted in query.hashes.get("recurring", {}).items():
        if isinstance(record, Plan) and getattr(record, name, None) != wanted:
            return False
    for name, field in resource.ranges.items():
        for bound, text in query.hashes.get(name, {}).items():
            if not _COMPARE[bound](getattr(record, field), integer(text, name)):
                return False
    return True


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}


def _hidden(record: Any, query: Query) -> bool:
    """Return whether a list leaves a record out unless asked.

    Ended subscriptions, and prices that are no longer on sale.
    """
    if isinstance(record, Plan):
        return "active" not in query.single and not record.active
    return (
        isinstance(record, Subscription)
        and "status" not in query.single
        and record.status == "canceled"
    )
