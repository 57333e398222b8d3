"""Counting attempts in a sliding window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opseer_gateway.domain.limits import Window
from opseer_gateway.domain.refusals import WaitError

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_limit_is_reached() -> None:
    """After `limit` attempts the next check is refused and says how long."""
    window = Window(2, MINUTE)
    window.count("a", NOW)
    window.check("a", NOW)
    window.count("a", NOW + timedelta(seconds=10))
    with pytest.raises(WaitError) as refused:
        window.check("a", NOW + timedelta(seconds=20))
    assert (refused.value.code, refused.value.retry_after) == ("RATE_LIMITED", 40)


def test_window_slides() -> None:
    """An attempt counts for the span and not longer."""
    window = Window(1, MINUTE)
    window.count("a", NOW)
    window.check("a", NOW + MINUTE)


def test_keys_are_apart() -> None:
    """One key's attempts do not count for another."""
    window = Window(1, MINUTE)
    window.count("a", NOW)
    window.check("b", NOW)


def test_forgiven() -> None:
    """A key that is forgotten has all its attempts again."""
    window = Window(1, MINUTE)
    window.count("a", NOW)
    window.forget("a")
    window.check("a", NOW)


def test_open_attempts_count_as_well() -> None:
    """Attempts at one time never use more than the limit; the rest come again."""
    window = Window(2, MINUTE)
    window.count("a", NOW)
    with window.attempt("a", NOW):
        with pytest.raises(WaitError) as refused, window.attempt("a", NOW):
            pytest.fail("a third attempt")
        assert refused.value.code == "BUSY"
    with window.attempt("a", NOW):
        window.count("a", NOW)
    with pytest.raises(WaitError) as refused, window.attempt("a", NOW):
        pytest.fail("a fourth attempt")
    assert refused.value.code == "RATE_LIMITED"
