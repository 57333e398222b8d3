"""Whatever RevenueCat and Polar send: a figure, or put aside; never a fault."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opseer_collector.providers.polar import shapes
from opseer_collector.providers.revenuecat import figures
from opseer_collector.providers.revenuecat.measures import CHARTS
from opseer_collector.providers.revenuecat.shapes import Chart

FIRST, TODAY = date(2026, 11, 1), date(2026, 11, 24)
SEOUL = ZoneInfo("Asia/Seoul")
FIELDS = (
    *("cohort", "measure", "value", "incomplete", "segment", "timestamp", "id"),
    *(
        "created_at",
        "amount",
        "currency",
        "status",
        "order_id",
        "customer_id",
        "orders",
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(("", "NaN", "Infinity", "2026-11-23T00:00:00Z", "0001-01-01")),
    st.sampled_from((1_795_392_000, 1_795_392_000_000)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=7)
    ),
    max_leaves=12,
)


def hold(values: list[Any]) -> None:
    """Read entries as both providers' and check what becomes of them."""
    body = msgspec.json.encode({"resolution": "day", "values": values})
    answer = msgspec.json.decode(body, type=Chart)
    for chart in CHARTS:
        found = figures.read(chart, answer, FIRST, TODAY)
        for row in figures.metrics("p", found.cells, "usd", TODAY):
            assert row.value is None or type(row.value) is int
            assert FIRST <= row.day <= TODAY
        assert len(found.aside) <= len(values)
    for value in values:
        raw = msgspec.Raw(msgspec.json.encode(value))
        shapes.created(raw)
        with suppress(shapes.PeriodError):
            shapes.values(raw, {"orders": False, "amount": True}, TODAY)
        with suppress(shapes.PeriodError):
            shapes.day_of_period(raw, SEOUL)
        with suppress(shapes.PeriodError, msgspec.DecodeError):
            assert shapes.refund(raw).amount >= 0


@settings(max_examples=50, deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_anything(values: list[Any]) -> None:
    """Rule: what cannot be read is put aside alone, whatever it is."""
    hold(values)


@pytest.mark.deep
@settings(max_examples=2000, deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_anything_often(values: list[Any]) -> None:
    """Rule: the same, two thousand times."""
    hold(values)
