"""The tables of docs/MRR.md, run as they stand there.

";" parts several subscriptions, "→" is an event between two states of one, "⇢" a step
that no event tells.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Literal

import msgspec
import pytest

from opseer_common.contracts.subscription import (
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import DayRange, day_of, start_of, zone
from opseer_common.testing.phrases import DAY, NOON, NOW, subscription_of, whole
from opseer_mrr.domain.holdings import holding
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import PRESETS, Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.reconciliation import Closing, reconcile
from opseer_mrr.domain.rows import DayRow, Movements
from opseer_mrr.domain.snapshot import Snapshot, compute_snapshot, value

_PAGE = (Path(__file__).parents[3] / "docs/MRR.md").read_text("utf-8")
_HOUR = 3600
_UTC = zone("UTC")
_OPSEER = PRESETS["opseer"]
_EURO = RateTable.from_major([("eur", "usd", date(2026, 1, 1), Fraction(2))])

Table = Literal[
    "zones", "worth", "beside", "converted", "moved", "told", "fx", "differs", "presets"
]
_HEADS: Mapping[str, Table] = {
    "instant | zone | day | hours": "zones",
    "subscription | MRR": "worth",
    "subscription | MRR | beside it": "beside",
    "subscriptions | rate | MRR": "converted",
    "that day | per subscription | per customer | reason": "told",
    "that day | euro before | euro that day | net | FX | snapshot": "fx",
    "at the day's end it was | and is by what is known now | difference | cause": (
        "differs"
    ),
    "subscription | opseer | stripe | stripe_all_discounts | committed": "presets",
}


def _tables() -> Iterator[tuple[Table, list[str]]]:
    """Yield each row of a table that is known by its head."""
    table: Table | None = None
    for line in _PAGE.splitlines():
        if not line.startswith("|"):
            table = None
            continue
        cells = [cell.strip() for cell in line[1:-1].split("|")]
        head = re.sub(r" \(→ is .*?\)", "", " | ".join(cells))
        if head in _HEADS:
            table = _HEADS[head]
        elif table is not None and set(line) != {"|", "-"}:
            yield table, cells


def _rows(*names: Table) -> pytest.MarkDecorator:
    rows = [cells for table, cells in _tables() if table in names]
    return pytest.mark.parametrize("cells", rows, ids=lambda cells: cells[0][:60])


def _several(phrases: str) -> list[Subscription]:
    found = (
        subscription_of(one, number) for number, one in enumerate(phrases.split("; "))
    )
    return [one for one in found if one is not None]


def _snapshot(
    phrases: str,
    policy: Policy = _OPSEER,
    rates: RateTable | None = None,
    settlement: str = "usd",
) -> Snapshot:
    return compute_snapshot(
        _several(phrases), policy, settlement, rates or RateTable(), NOW, _UTC
    )


# The tables.


def test_every_table_is_read() -> None:
    """No table of examples is passed over, and none is short of rows."""
    counts: dict[str, int] = {}
    for table, _ in _tables():
        counts[table] = counts.get(table, 0) + 1
    assert set(counts) == set(_HEADS.values())
    assert sum(counts.values()) >= 120
    for section in ("Day", "To a month", "Rounding", "Discounts", "Usage"):
        text = _PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
        assert text.count("\n|") > 3, section


@_rows("zones")
def test_days(cells: list[str]) -> None:
    """An instant's day in a zone, and how long that day is."""
    instant, name, day, hours = cells
    tz = zone(name)
    found = day_of(datetime.fromisoformat(instant), tz)
    length = start_of(found + timedelta(days=1), tz) - start_of(found, tz)
    assert found.isoformat() == day
    assert length == timedelta(hours=1) * Fraction(hours).numerator / (
        Fraction(hours).denominator
    )


@_rows("worth")
def test_worths(cells: list[str]) -> None:
    """What a subscription is worth, in its own currency."""
    phrase, expected = cells
    (one,) = _several(phrase)
    found = _snapshot(phrase, settlement=one.currency)
    assert found.mrr == whole(expected)
    assert found.complete
    assert found.active_subscriptions == (found.mrr > 0)


@_rows("beside")
def test_what_stands_beside(cells: list[str]) -> None:
    """MRR, and the figures that are shown next to it."""
    phrase, expected, beside = cells
    found = _snapshot(phrase)
    assert found.mrr == whole(expected)
    names = {"comparable": "mrr_stripe_comparable"}
    for told in filter(None, beside.split(", ")):
        what, _, amount = told.rpartition(" ")
        name = names.get(what, f"{what.replace(' ', '_')}_mrr")
        assert (what, getattr(found, name)) == (what, whole(amount))


@_rows("converted")
def test_conversion(cells: list[str]) -> None:
    """MRR in the settlement currency."""
    phrase, rate, expected = cells
    table = RateTable()
    if rate != "none":
        currency, _, number = rate.partition(" ")
        paid = (currency.lower(), "usd", DAY, Fraction(number))
        table = RateTable.from_major([paid])
    found = _snapshot(phrase, rates=table)
    assert found.mrr == whole(expected)
    assert bool(found.unconverted) == (rate == "none")


@_rows("presets")
def test_presets(cells: list[str]) -> None:
    """The same subscription under each of the policies."""
    phrase, *expected = cells
    names = ("opseer", "stripe", "stripe_all_discounts", "committed")
    found = [_snapshot(phrase, PRESETS[name]).mrr for name in names]
    assert found == [whole(one) for one in expected]


def _lives(phrases: str) -> Iterator[tuple[list[Subscription | None], list[str]]]:
    """Yield the states of each subscription and the arrows between them."""
    for number, phrase in enumerate(phrases.split("; ")):
        told = re.split(r" ([→⇢]) ", phrase)
        states = [subscription_of(one, number) for one in told[::2]]
        yield states, told[1::2]


def _story(
    phrases: str, step: int
) -> tuple[list[Subscription], list[SubscriptionChange]]:
    """Return today's states, and the events of the day, `step` seconds apart."""
    live, changes = [], []
    for states, arrows in _lives(phrases):
        for place, arrow in enumerate(arrows):
            before, after = states[place], states[place + 1]
            assert after is not None
            at = NOON + place * step
            if before is None:
                states[place + 1 :] = [
                    msgspec.structs.replace(one, created=at)
                    for one in states[place + 1 :]
                    if one is not None
                ]
                after = states[place + 1]
                assert after is not None
            kind = "deleted" if after.status == "canceled" else "updated"
            if arrow == "→":
                changes.append(
                    SubscriptionChange(
                        event_id=f"evt_{after.id}_{place}",
                        subscription_id=after.id,
                        at=at,
                        position=place,
                        kind="created" if before is None else kind,
                        before=None if kind == "deleted" else before,
                        after=after,
                    )
                )
        last = states[-1]
        if last is not None and last.status != "canceled":
            live.append(last)
    return live, changes


def _day_before(phrases: str) -> Iterable[SubscriptionChange]:
    """Yield an event of the day before, so that a deleted one's state is known.

    A deletion does not say what was: here it is what the first state of the row says.
    """
    for states, arrows in _lives(phrases):
        first = states[0]
        if first is not None and arrows:
            yield SubscriptionChange(
                event_id=f"evt_{first.id}_before",
                subscription_id=first.id,
                at=NOON - 24 * _HOUR,
                position=0,
                kind="updated",
                before=first,
                after=first,
            )


def _moved(
    phrases: str, policy: Policy, rates: RateTable, step: int, seed: int
) -> Movements:
    past = phrases.startswith("paid before: ")
    phrases = phrases.removeprefix("paid before: ")
    live, changes = _story(phrases, step)
    changes.extend(_day_before(phrases))
    Random(seed).shuffle(changes)  # noqa: S311 - any order will do
    return compute_movements(
        live,
        [*changes, *changes[::2]],
        policy,
        "usd",
        rates,
        days=DayRange(DAY - timedelta(days=1), DAY),
        tz=_UTC,
        now=NOW,
        past_customers=["cus_1"] if past else [],
    )


def _told(row: DayRow) -> str:
    """Return a row in the words of the tables."""
    parts = []
    for name in ("new", "expansion", "contraction", "churned"):
        minor = getattr(row, name)
        if minor:
            part = f"{name.title()} {Decimal(minor).scaleb(-2)}"
            if name == "new" and row.of_which_reactivation:
                back = Decimal(row.of_which_reactivation).scaleb(-2)
                part += f" (reactivation {back})"
            parts.append(part)
    missed = f" (missed {Decimal(row.missed).scaleb(-2)})" if row.missed else ""
    return (", ".join(parts) + missed) or "nothing"


@_rows("told")
@pytest.mark.parametrize("step", [_HOUR, 0], ids=["hours", "second"])
def test_movements(cells: list[str], step: int) -> None:
    """What a day's events come to in both grains: an hour apart, or in one second."""
    phrases, per_subscription, per_customer, reason = cells
    preset, _, rest = phrases.partition(": ")
    policy = PRESETS.get(preset, _OPSEER)
    phrases = rest if preset in PRESETS else phrases
    found = _moved(phrases, policy, _EURO, step, seed=len(phrases))
    assert _told(found.by_subscription[-1]) == per_subscription
    assert _told(found.by_customer[-1]) == per_customer
    assert [f"`{one.reason}`" for one in found.changes] == [
        one for one in reason.split(", ") if one
    ]
    missed = "missed" in per_subscription
    assert found.by_subscription[-1].reason == ("MISSED_EVENT" if missed else None)


@_rows("fx")
def test_exchange(cells: list[str]) -> None:
    """FX is apart from net, and both lead to the snapshot."""
    phrases, before, that_day, net, fx, snapshot = cells
    rates = RateTable.from_major(
        [
            ("eur", "usd", DAY - timedelta(days=1), Fraction(before)),
            ("eur", "usd", DAY, Fraction(that_day)),
        ]
    )
    row = _moved(phrases, _OPSEER, rates, _HOUR, seed=1).by_subscription[-1]
    shown = [whole(one) for one in (net, fx, snapshot)]
    assert [row.net, row.fx, row.snapshot] == shown


@_rows("differs")
def test_reconciliation(cells: list[str]) -> None:
    """What a recomputation differs by, and what for."""
    was, now, expected, cause = cells
    closings = []
    rates = RateTable()
    for phrase in (was, now):
        text, _, rate = phrase.partition(" at ")
        one = subscription_of(text)
        if rate:
            rates = RateTable.from_major([("eur", "usd", DAY, Fraction(rate))])
        held = {}
        if one is not None:
            state = one, value(one, _OPSEER, NOON)
            held = {one.id: holding(state, _OPSEER, NOON)}
        known = {name: worth for name, worth in held.items() if worth is not None}
        closings.append(Closing(_snapshot(text, rates=rates).mrr, known))
    stored, recomputed = closings
    found = reconcile(DAY, stored, recomputed, 0, "usd", rates)
    assert found.difference == whole(expected)
    assert found.cause == (cause.strip("`") or None)


def test_no_example_stands_twice() -> None:
    """Each row is of use."""
    rows = sorted((table, *cells) for table, cells in _tables())
    assert [one for one, other in itertools.pairwise(rows) if one == other] == []
