"""Search over charges: `status:'failed' AND created>=1700000000`.

Clauses joined by AND over status, created, currency, amount, customer and
payment_intent; one page points to the next by `page`. What is newer than a minute is
not found yet, as at Stripe.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import msgspec

from opseer_simulator.listing import Places, Query, integer, limit_of
from opseer_simulator.objects import Json
from opseer_simulator.refusals import bad_parameter

LAG = 60
"""Seconds until a charge can be found."""

_CLAUSE = re.compile(
    r"\s*(-?)(status|created|currency|amount|customer|payment_intent)\s*"
    r"(:|>=|<=|>|<)\s*(?:['\"]([^'\"]*)['\"]|(\d+))\s*"
)
_NUMBERS = frozenset({"created", "amount"})
_QUICK = frozenset({"status", "created", "amount", "currency"})


class Clause(msgspec.Struct, frozen=True):
    """One condition."""

    field: str
    sign: str
    value: str
    negated: bool

    def keeps(self, record: Any) -> bool:
        """Return whether a charge fits."""
        found = getattr(
            record, "intent" if self.field == "payment_intent" else self.field
        )
        if self.field == "customer":
            found = found.id
        if self.field in _NUMBERS:
            fits = _SIGNS[self.sign](found, int(self.value))
        else:
            fits = str(found) == self.value
        return fits != self.negated


_SIGNS: dict[str, Callable[[int, int], bool]] = {
    ":": lambda a, b: a == b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


def parse(text: str) -> list[Clause]:
    """Return the clauses of a query; RefusalError (400) for what is none."""
    clauses = []
    for part in re.split(r"\s+AND\s+", text, flags=re.IGNORECASE):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            raise bad_parameter("We were unable to parse your search query.", "query")
        minus, name, sign, quoted, number = match.groups()
        value = number if quoted is None else quoted
        if (name in _NUMBERS) != value.isdigit() or (
            name not in _NUMBERS and sign != ":"
        ):
            raise bad_parameter(
                f"Field `{name}` is an unsupported search field or operator.", "query"
            )
        clauses.append(Clause(name, sign, value, minus == "-"))
    return clauses


def found(places: Places, query: Query, now: int) -> tuple[list[Any], Json]:
    """Return a page of charges, newest first, and the rest of the answer."""
    text = query.single.get("query")
    if text is None:
        raise bad_parameter(
            "Missing required param: query.", "query", code="parameter_missing"
        )
    clauses, limit = parse(text), limit_of(query)
    place = _start(query, places.first_from(now - LAG + 1))
    oldest = _oldest(clauses, places)
    records: list[Any] = []
    quick = [clause for clause in clauses if clause.field in _QUICK]
    slow = [clause for clause in clauses if clause.field not in _QUICK]
    while place > oldest and len(records) <= limit:
        place -= 1
        seen = places.glance(place)
        if not all(clause.keeps(seen) for clause in quick):
            continue
        record = places.at(place)
        if all(clause.keeps(record) for clause in slow):
            records.append(record)
    more = len(records) > limit
    cursor = urlsafe_b64encode(str(place + 1).encode()).decode() if more else None
    answer = {
        "object": "search_result",
        "has_more": more,
        "next_page": cursor,
        "url": "/v1/charges/search",
    }
    return records[:limit], answer


def _start(query: Query, newest: int) -> int:
    page = query.single.get("page")
    if page is None:
        return newest
    try:
        return integer(urlsafe_b64decode(page.encode()).decode(), "page")
    except ValueError:
        raise bad_parameter("Invalid page.", "page") from None


def _oldest(clauses: list[Clause], places: Places) -> int:
    """Return the place from which on created fits."""
    lows = [
        int(clause.value)
        for clause in clauses
        if clause.field == "created"
        and clause.sign in {">", ">=", ":"}
        and not clause.negated
    ]
    return places.first_from(max(lows)) if lows else 0
