"""Polar's answers, read strictly and exactly."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opseer_collector.domain.fetching import KeyRefusedError
from opseer_collector.providers.attempts import PermissionMissingError
from opseer_collector.providers.polar import shapes
from opseer_collector.providers.polar.dialect import PolarDialect
from opseer_collector.providers.polar.shapes import PeriodError
from opseer_collector.providers.reading import ParameterError

SEOUL = ZoneInfo("Asia/Seoul")
DAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    "stamp",
    ["2026-11-23T00:00:00+09:00", "2026-11-22T15:00:00Z", "2026-11-23T00:00:00"],
)
def test_the_day_of_a_period(stamp: str) -> None:
    """Rule: a period begins its day in the zone that was asked for."""
    raw = msgspec.Raw(msgspec.json.encode({"timestamp": stamp}))
    assert shapes.day_of_period(raw, SEOUL) == DAY


def test_numbers_are_exact() -> None:
    """Rule: cents are rounded half to even from the decimal itself."""
    raw = msgspec.Raw(b'{"revenue": 9007199254740993.0, "orders": 2.0}')
    found = shapes.values(raw, {"orders": False}, DAY)
    assert found == {"orders": 2}
    for text, cents in ((b"1234.5", 1234), (b"1235.5", 1236), (b"-0.5", 0)):
        raw = msgspec.Raw(b'{"revenue": ' + text + b"}")
        assert shapes.values(raw, {"revenue": True}, DAY) == {"revenue": cents}


@pytest.mark.parametrize(
    "period",
    [b"{}", b'{"orders": null}', b'{"orders": 1.5}', b'{"orders": 1e300}', b"[]", b"7"],
)
def test_a_period_that_does_not_fit(period: bytes) -> None:
    """Rule: a metric that is not there, or no number, marks its day."""
    with pytest.raises(PeriodError) as found:
        shapes.values(msgspec.Raw(period), {"orders": False}, DAY)
    assert found.value.day == DAY


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_an_instant_that_never_was(year: str) -> None:
    """Rule: an instant that no zone can hold is put aside like any other nonsense."""
    at = f"{year}-01-01T00:00:00+09:00"
    raw = msgspec.Raw(msgspec.json.encode({"timestamp": at, "created_at": at}))
    with pytest.raises(PeriodError):
        shapes.day_of_period(raw, SEOUL)
    assert shapes.created(raw) is None
    refund = {
        "id": "r",
        "created_at": at,
        "status": "succeeded",
        "amount": 1,
        "currency": "usd",
        "order_id": "o",
        "customer_id": "c",
    }
    with pytest.raises(PeriodError):
        shapes.refund(msgspec.Raw(msgspec.json.encode(refund)))


def test_refusals() -> None:
    """Rule: 401 ends, 403 is a scope, 422 a parameter; Retry-After is heeded."""
    dialect = PolarDialect()
    assert isinstance(dialect.refusal(401, b""), KeyRefusedError)
    assert isinstance(dialect.refusal(403, b""), PermissionMissingError)
    assert isinstance(dialect.refusal(422, b""), ParameterError)
    assert dialect.asked_wait({"Retry-After": "12"}, b"") == 12
