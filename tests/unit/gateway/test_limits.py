"""Counting attempts in a sliding window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opseer_gateway.domain.limits import Brake, Window, place_of
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


def test_attempts_are_forgiven() -> None:
    """As many as are forgiven, and not more, may be made again."""
    window = Window(2, MINUTE)
    for _ in range(2):
        window.count("a", NOW)
    window.forgive("a", 1)
    window.check("a", NOW)
    window.count("a", NOW)
    with pytest.raises(WaitError):
        window.check("a", NOW)


def test_a_brake_slows_and_does_not_stop() -> None:
    """Beyond the limit one attempt per pause is let through."""
    brake = Brake(1, MINUTE, timedelta(seconds=10))
    with brake.attempt("a", NOW):
        brake.count("a", NOW)
    with brake.attempt("a", NOW):
        pass
    later = NOW + timedelta(seconds=4)
    with pytest.raises(WaitError) as refused, brake.attempt("a", later):
        pytest.fail("an attempt within the pause")
    assert (refused.value.code, refused.value.retry_after) == ("RATE_LIMITED", 6)
    with brake.attempt("a", NOW + timedelta(seconds=10)):
        pass
    with brake.attempt("b", later):
        pass


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_places(address: str, place: str) -> None:
    """An address of IPv4 is a place; of IPv6 it is the network below it (RFC 6177)."""
    assert place_of(address) == place
