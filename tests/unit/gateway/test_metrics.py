"""Rates of a range of days, by hand arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from opseer_common.days import DayRange
from opseer_gateway.domain.figures import MovementRow, rebases
from opseer_gateway.domain.integrations import Known
from opseer_gateway.domain.metrics import (
    Metrics,
    MrrFlow,
    PayerFlow,
    Rates,
    StoredRange,
    metrics,
)
from opseer_gateway.domain.terms import StoredBasis

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect

FIRST = date(2026, 11, 21)
DAYS = DayRange(FIRST, FIRST + timedelta(days=2))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def row(day: int, snapshot: int, *flows: int, reason: str | None = None) -> MovementRow:
    """Return a day: new, expansion, contraction, churned, reactivation, fx."""
    new, expansion, contraction, churned, back, fx = flows
    return MovementRow(
        date=FIRST + timedelta(days=day),
        new=new,
        expansion=expansion,
        contraction=contraction,
        churned=churned,
        net=new + expansion + contraction + churned,
        of_which_reactivation=back,
        fx=fx,
        snapshot=snapshot,
        complete=reason is None,
        reason=reason,
    )


def basis(day: int, customers: tuple[int, int, int]) -> StoredBasis:
    """Return a day with as many customers at its end, new and lost."""
    return StoredBasis(
        FIRST + timedelta(days=day),
        "UTC",
        {"preset": "opseer", "version": 1},
        *customers,
        *(2 * count for count in customers),
    )


# 1,000.00 at the start: +300.00 new (100.00 of it back again), +100.00 expansion,
# -50.00 contraction, -150.00 churned, 7.00 of FX make 1,207.00.
ROWS = (
    row(0, 110_700, 20_000, 0, -5_000, -5_000, 0, 700),
    row(1, 120_700, 10_000, 10_000, 0, -10_000, 10_000, 0),
    row(2, 120_700, 0, 0, 0, 0, 0, 0),
)
# 40 customers at the start, 3 came, 4 left.
BASES = (basis(0, (41, 2, 1)), basis(1, (39, 1, 3)), basis(2, (39, 0, 0)))
FOUND = StoredRange(ROWS, BASES, "usd", NOW, DayRange(FIRST, date(2026, 11, 24)))


def test_a_range_is_added_up(connect: Connect) -> None:
    """Rule: opening + net + fx = closing; churn is per what there was at the start."""
    found = metrics(connect(), DAYS, "subscription", FOUND)
    assert found.mrr == MrrFlow(
        opening=100_000,
        new=30_000,
        of_which_reactivation=10_000,
        expansion=10_000,
        contraction=-5_000,
        churned=-15_000,
        net=20_000,
        fx=700,
        rebased=0,
        closing=120_700,
    )
    assert found.customers == PayerFlow(opening=40, new=3, lost=4, closing=39)
    assert found.subscriptions == PayerFlow(opening=80, new=6, lost=8, closing=78)
    assert found.rates == Rates(
        customer_churn_rate=1_000,  # 4 of 40
        subscription_churn_rate=1_000,  # 8 of 80
        revenue_churn_rate=2_000,  # 200.00 of 1,000.00
        net_revenue_churn_rate=0,  # 200.00 - 100.00 - 100.00
        quick_ratio=20_000,  # 400.00 per 200.00
    )
    assert (found.arr, found.arpa) == (12 * 120_700, 1_547)  # 1,207.00 / 78
    assert (found.complete, found.reason, found.reasons) == (True, None, {})


def test_parts_are_rounded_half_even(connect: Connect) -> None:
    """Rule: a rate is whole parts per ten thousand, ties to the even neighbour."""
    opening = 200_000  # a part per ten thousand is 0.20 of 2,000.00
    found = metrics(
        connect(),
        DayRange(FIRST, FIRST),
        "subscription",
        StoredRange(
            (row(0, opening - 10 - 60, 0, 0, -10, -60, 0, 0),),
            (BASES[0],),
            stored=DayRange(FIRST, FIRST),
        ),
    )
    assert found.rates.revenue_churn_rate == 4  # 3.5


def test_an_incomplete_day_marks_the_whole(connect: Connect) -> None:
    """Rule: figures over a day that is not complete say so, with its reason."""
    rows = (*ROWS[:2], row(2, 120_700, 0, 0, 0, 0, 0, 0, reason="MISSED_EVENT"))
    stored = StoredRange(rows, BASES, "usd", NOW, FOUND.stored)
    found = metrics(connect(), DAYS, "subscription", stored)
    assert (found.complete, found.reason) == (False, "MISSED_EVENT")
    assert found.rates.quick_ratio == 20_000


NOTHING_MOVED = tuple(row(day, 0, 0, 0, 0, 0, 0, 0) for day in range(3))
UNREAD = MovementRow(FIRST, snapshot=5, reason="EVENTS_PERMISSION")


@pytest.mark.parametrize(
    ("stored", "reason", "rates"),
    [
        (StoredRange(), "CRON_PENDING", "CRON_PENDING"),
        (
            StoredRange(ROWS[1:], BASES[1:], stored=DayRange(FIRST, DAYS.last)),
            "CRON_PENDING",
            "CRON_PENDING",
        ),
        (
            StoredRange(ROWS[1:], BASES[1:], stored=DayRange(DAYS.last, DAYS.last)),
            "BEFORE_HISTORY",
            "BEFORE_HISTORY",
        ),
        (
            StoredRange((UNREAD, *ROWS[1:]), BASES, stored=FOUND.stored),
            "EVENTS_PERMISSION",
            "EVENTS_PERMISSION",
        ),
        (
            StoredRange(
                NOTHING_MOVED,
                tuple(basis(day, (0, 0, 0)) for day in range(3)),
                stored=FOUND.stored,
            ),
            None,
            "NO_BASE",
        ),
    ],
)
def test_what_cannot_be_computed_is_null_with_a_reason(
    connect: Connect, stored: StoredRange, reason: str | None, rates: str
) -> None:
    """Rule: no rate without every day's movements, and none per nothing."""
    found = metrics(connect(), DAYS, "subscription", stored)
    assert found.rates == Rates()
    assert found.reason == reason
    assert found.reasons == dict.fromkeys(Rates.__struct_fields__, rates)


@pytest.mark.parametrize(
    ("unknown", "known"),
    [
        ("expansion", {"revenue_churn_rate": 2_000}),
        ("contraction", {}),
        ("churned", {}),
        ("new", {"revenue_churn_rate": 2_000, "net_revenue_churn_rate": 0}),
        (
            "of_which_reactivation",
            {"revenue_churn_rate": 2_000, "quick_ratio": 20_000},
        ),
    ],
)
def test_a_movement_that_is_not_told_apart_is_not_zero(
    connect: Connect, unknown: str, known: Mapping[str, int]
) -> None:
    """Rule: one day that does not tell a movement leaves out each rate made of it."""
    rows = (ROWS[0], ROWS[1], msgspec.structs.replace(ROWS[2], **{unknown: None}))
    stored = StoredRange(rows, BASES, "usd", NOW, FOUND.stored)
    found = metrics(connect(), DAYS, "subscription", stored)
    assert found.mrr is not None
    assert getattr(found.mrr, unknown) is None
    assert (found.mrr.net, found.mrr.closing) == (20_000, 120_700)
    names = ("revenue_churn_rate", "net_revenue_churn_rate", "quick_ratio")
    for name in names:
        assert getattr(found.rates, name) == known.get(name)
    assert found.reasons == {name: "NOT_SPLIT" for name in names if name not in known}


def test_days_that_do_not_tell_of_customers(connect: Connect) -> None:
    """Rule: rows from before customers were counted have revenue's rates alone."""
    stored = StoredRange(ROWS, BASES[1:], "usd", NOW, FOUND.stored)
    found = metrics(connect(), DAYS, "subscription", stored)
    assert found.rates.revenue_churn_rate == 2_000
    assert found.customers is None
    assert found.reasons == {
        "customer_churn_rate": "BEFORE_HISTORY",
        "subscription_churn_rate": "BEFORE_HISTORY",
    }


def test_nothing_is_known_of_a_source_that_is_not_connected() -> None:
    """Rule: after a disconnect no number is left."""
    found = metrics(Known("stripe"), DAYS, "customer", StoredRange())
    assert found == Metrics(
        source="stripe",
        timezone="UTC",
        grain="customer",
        first=DAYS.first,
        last=DAYS.last,
        reason="COLLECTING",
        reasons=dict.fromkeys(Rates.__struct_fields__, "COLLECTING"),
    )


PAGE = (Path(__file__).parents[3] / "docs/MRR.md").read_text("utf-8")


def examples(head: str) -> list[list[str]]:
    """Return the cells of the table of docs/MRR.md that begins with `head`."""
    _, _, rest = PAGE.partition(f"\n| {head} |\n")
    rows = itertools.takewhile(lambda line: line.startswith("|"), rest.splitlines())
    return [
        [cell.strip(" `") for cell in line[1:-1].split("|")]
        for line in rows
        if set(line) != {"|", "-"}
    ]


def minor(text: str) -> int:
    """Return cents."""
    return int(Decimal(text) * 100)


def told(rate: int | None, reasons: Mapping[str, str], name: str) -> str:
    """Return a rate as the page writes it: its reason where there is none."""
    return reasons[name] if rate is None else str(rate)


def test_revenue_rates_are_those_of_the_page(connect: Connect) -> None:
    """Rule: the worked examples of docs/MRR.md, "Rates"."""
    rows = examples(
        "MRR at the start | new | of it back | expansion | contraction | churned"
        " | revenue churn | net | quick ratio"
    )
    assert len(rows) == 5
    for cells in rows:
        opening, new, back, expansion, contraction, churned = map(minor, cells[:6])
        flows = (new, expansion, contraction, churned, back, 0)
        closing = opening + new + expansion + contraction + churned
        stored = StoredRange(
            (row(0, closing, *flows),), (BASES[0],), stored=DayRange(FIRST, FIRST)
        )
        found = metrics(connect(), DayRange(FIRST, FIRST), "subscription", stored)
        names = ("revenue_churn_rate", "net_revenue_churn_rate", "quick_ratio")
        rates = [getattr(found.rates, name) for name in names]
        assert [
            told(rate, found.reasons, name)
            for rate, name in zip(rates, names, strict=True)
        ] == cells[6:]


def test_customer_churn_is_that_of_the_page(connect: Connect) -> None:
    """Rule: the same of customers."""
    rows = examples("customers at the start | new | lost | customer churn")
    assert len(rows) == 3
    for cells in rows:
        opening, new, lost = map(int, cells[:3])
        stored = StoredRange(
            (row(0, 0, 0, 0, 0, 0, 0, 0),),
            (basis(0, (opening + new - lost, new, lost)),),
            stored=DayRange(FIRST, FIRST),
        )
        found = metrics(connect(), DayRange(FIRST, FIRST), "subscription", stored)
        rate = found.rates.customer_churn_rate
        assert told(rate, found.reasons, "customer_churn_rate") == cells[3]


def test_rebases_are_those_of_the_page() -> None:
    """Rule: the worked example of docs/MRR.md, "Re-basing"."""
    rows = examples("day | net | FX | snapshot | rebase")
    moved = [
        MovementRow(
            date.fromisoformat(day),
            net=minor(net),
            fx=minor(fx),
            snapshot=minor(snapshot),
        )
        for day, net, fx, snapshot, _ in rows
    ]
    days = DayRange(moved[0].date, moved[-1].date)
    assert [(one.date, one.amount) for one in rebases(moved, days)] == [
        (date.fromisoformat(cells[0]), minor(cells[4])) for cells in rows if cells[4]
    ]
