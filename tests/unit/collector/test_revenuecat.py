"""RevenueCat's charts, read strictly and exactly."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from opseer_collector.domain.fetching import KeyRefusedError
from opseer_collector.providers.attempts import PermissionMissingError, UnreadableError
from opseer_collector.providers.reading import Limit, ParameterError
from opseer_collector.providers.revenuecat import figures
from opseer_collector.providers.revenuecat.dialect import RevenueCatDialect
from opseer_collector.providers.revenuecat.measures import CHARTS, settled
from opseer_collector.providers.revenuecat.shapes import Chart

TODAY = date(2026, 11, 24)
FIRST = date(2026, 11, 20)
DAY = date(2026, 11, 23)
SECONDS = 1_795_392_000  # 2026-11-23T00:00:00Z
REVENUE, MRR, *_ = CHARTS


def chart(*values: object, measures: list[str] | None = None) -> Chart:
    """Return an answer with these entries."""
    document: dict[str, Any] = {"resolution": "day", "values": values}
    if measures is not None:
        document["measures"] = [{"display_name": name} for name in measures]
    return msgspec.json.decode(msgspec.json.encode(document), type=Chart)


def cell(measure: int, value: object, **more: object) -> dict[str, object]:
    """Return a row of charts v3."""
    return {"cohort": SECONDS, "measure": measure, "value": value, **more}


def read(answer: Chart, of: Any = REVENUE, currency: str = "usd") -> dict[str, Any]:
    """Return the figures of DAY by name."""
    found = figures.read(of, answer, FIRST, TODAY)
    rows = figures.metrics("p", found.cells, currency, TODAY)
    return {row.name: row.value for row in rows if row.day == DAY}


@pytest.mark.parametrize("instant", [SECONDS, SECONDS * 1000])
@pytest.mark.parametrize("old", [False, True], ids=["v3", "v2"])
def test_both_shapes_and_both_units(instant: int, *, old: bool) -> None:
    """Rule: rows per measure or per period, seconds or milliseconds: one figure."""
    rows: list[object] = [
        {"cohort": instant, "measure": 0, "value": 19.99},
        {"cohort": instant, "measure": 1, "value": 2},
    ]
    answer = chart(*([[instant, 19.99, 2]] if old else rows))
    assert read(answer) == {"net_revenue": 1999, "orders": 2}


def test_numbers_are_exact() -> None:
    """Rule: a decimal becomes minor units without a float in between."""
    raw = b'{"resolution":"day","values":[{"cohort":%d,"measure":0,"value":%s}]}'
    for text, minor in ((b"90071992547.43", 9007199254743), (b"1.005", 100)):
        answer = msgspec.json.decode(raw % (SECONDS, text), type=Chart)
        assert read(answer)["net_revenue"] == minor
    assert read(chart(cell(0, 1234)), currency="jpy")["net_revenue"] == 1234


def test_measures_are_found_by_name() -> None:
    """Rule: the order of measures is not promised: their names decide."""
    answer = chart(
        cell(0, 3),
        cell(1, 7),
        cell(2, 12.5),
        measures=["Ads", "Transactions", "Revenue"],
    )
    assert read(answer) == {"orders": 7, "net_revenue": 1250}


def test_a_chart_without_its_measures() -> None:
    """Rule: a chart that tells something else is unreadable as a whole."""
    with pytest.raises(UnreadableError, match="measures"):
        figures.read(MRR, chart(cell(0, 1), measures=["Ads"]), FIRST, TODAY)


def test_an_incomplete_zero_is_no_figure() -> None:
    """Rule: 0 of a period that RevenueCat has not come to is unknown."""
    answer = chart(cell(0, 0, incomplete=True), cell(1, 4, incomplete=True))
    found = figures.read(REVENUE, answer, FIRST, TODAY)
    rows = figures.metrics("p", found.cells, "usd", TODAY)
    assert {(row.name, row.value, row.partial) for row in rows} == {
        ("net_revenue", None, True),
        ("orders", 4, True),
    }


def test_a_zero_of_today_is_no_figure_in_charts_v2() -> None:
    """Rule: these do not tell which period is incomplete; the one under way is."""
    answer = chart([SECONDS, 0, 0], [SECONDS + 86_400, 0, 4])
    found = figures.read(REVENUE, answer, FIRST, TODAY)
    rows = figures.metrics("p", found.cells, "usd", TODAY)
    assert [(row.day, row.name, row.value, row.partial) for row in rows] == [
        (DAY, "net_revenue", 0, False),
        (DAY, "orders", 0, False),
        (TODAY, "net_revenue", None, True),
        (TODAY, "orders", 4, True),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        cell(0, "much"),
        cell(0, True),  # noqa: FBT003 - a value of the API
        cell(0, 1e300),
        cell(0, None),
        cell(1, 2.5),
        {"cohort": "today", "measure": 0, "value": 1},
        {"cohort": 1, "measure": 0, "value": 1},
        {"measure": 0, "value": 1},
        [SECONDS, "x"],
        [],
        "row",
        7,
        None,
    ],
    ids=str,
)
def test_what_does_not_fit_is_put_aside_alone(bad: object) -> None:
    """Rule: a bad entry is put aside with its hash; the others are read."""
    other = {"cohort": SECONDS - 86_400, "measure": 0, "value": 5}
    found = figures.read(REVENUE, chart(bad, other), FIRST, TODAY)
    assert len(found.aside) == 1
    assert len(found.aside[0].sha256) == 32
    assert (date(2026, 11, 22), "net_revenue") in found.cells


def test_two_values_for_one_day() -> None:
    """Rule: the same cell twice is once; with another value it is put aside."""
    same = figures.read(REVENUE, chart(cell(0, 5), cell(0, 5)), FIRST, TODAY)
    other = figures.read(REVENUE, chart(cell(0, 5), cell(0, 6)), FIRST, TODAY)
    assert (len(same.aside), len(other.aside)) == (0, 1)


@pytest.mark.parametrize(
    ("told", "churned"),
    [
        ({"new_mrr": 9, "churned_mrr": 4, "movement": 5}, -4),
        ({"new_mrr": 9, "churned_mrr": -4, "movement": 5}, -4),
        ({"new_mrr": 9, "churned_mrr": -4, "movement": 13}, 4),
        ({"new_mrr": 9, "churned_mrr": 4}, -4),
    ],
)
def test_the_sign_of_what_was_lost(told: dict[str, int], churned: int) -> None:
    """Rule: lost money is below zero, whichever way the chart writes it."""
    cells = [(DAY, name, Decimal(value)) for name, value in told.items()]
    assert settled(cells)[DAY, "churned_mrr"] == churned


def test_who_came_back_began_to_pay() -> None:
    """Rule: resubscriptions that are counted apart are new subscriptions, too."""
    told = {"new_subs": 3, "resubscribed_subs": 2, "churned_subs": -1, "movement": 4}
    found = settled([(DAY, name, Decimal(n)) for name, n in told.items()])
    assert found == {(DAY, "new_subs"): 5, (DAY, "churned_subs"): 1}


def test_every_measure_of_the_docs_is_known() -> None:
    """Rule: RevenueCat's names of measures lead to ours (source: its chart pages)."""
    names = {
        "revenue": ("Revenue", "Transactions"),
        "mrr": ("MRR",),
        "mrr_movement": (
            *("New MRR", "Resubscription MRR", "Expansion MRR", "Churned MRR"),
            *("Contraction MRR", "Movement"),
        ),
        "actives_movement": ("New Actives", "Churned Actives", "Movement"),
    }
    for one in CHARTS:
        for title in names[one.name]:
            found = [p for p in one.known.values() if re.fullmatch(p, title.lower())]
            assert len(found) == 1, title


def test_refusals() -> None:
    """Rule: 401 ends, 403 is a permission, 400 a parameter, the rest unreadable."""
    dialect = RevenueCatDialect()
    body = msgspec.json.encode({"type": "parameter_error", "param": "currency"})
    assert isinstance(dialect.refusal(401, b""), KeyRefusedError)
    assert isinstance(dialect.refusal(403, b""), PermissionMissingError)
    refused = dialect.refusal(400, body)
    assert isinstance(refused, ParameterError)
    assert "currency" in refused.path
    assert isinstance(dialect.refusal(418, b"not json"), UnreadableError)


def test_limits_and_waits() -> None:
    """Rule: the limit comes from two headers, the wait from the header or the body."""
    dialect = RevenueCatDialect()
    headers = {
        "RevenueCat-Rate-Limit-Current-Usage": "5",
        "RevenueCat-Rate-Limit-Current-Limit": "25",
    }
    assert dialect.limit(headers) == Limit(5, 25)
    assert dialect.limit({}) == Limit()
    assert dialect.asked_wait({"Retry-After": "7"}, b'{"backoff_ms": 1500}') == 7
    assert dialect.asked_wait({}, b'{"backoff_ms": 1500}') == 2
    assert dialect.asked_wait({"Retry-After": "soon"}, b"") is None
