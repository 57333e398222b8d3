"""Sizes of pages, and cursors."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common.errors import RefusedError
from opseer_gateway.domain.paging import (
    Position,
    cursor_after,
    parse_cursor,
    parse_limit,
)

DAY = date(2026, 11, 20)
CURSOR = cursor_after(DAY, Position(1_795_000_000, "balance_transaction", "txn_1"))


@given(st.integers(0, 2**40), st.text(max_size=20), st.text(max_size=60))
def test_a_cursor_keeps_its_place(created: int, kind: str, name: str) -> None:
    """What a cursor was made of is what it says."""
    place = Position(created, kind, name)
    assert parse_cursor(cursor_after(DAY, place), DAY) == place


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        CURSOR[:-1],
        CURSOR[:20],
        CURSOR + "A",
        CURSOR + "=",
        CURSOR[::-1],
        "B" + CURSOR[1:],
        "Ünvalid-cursor",
        "A" * 601,
        urlsafe_b64encode(b'0000["2026-11-20",1,"a","b"]').decode().rstrip("="),
        cursor_after(date(2026, 11, 21), Position(1, "a", "b")),
    ],
)
def test_another_cursor_is_refused(cursor: str) -> None:
    """One cut off, made up, or of another day is refused by its name."""
    with pytest.raises(RefusedError) as caught:
        parse_cursor(cursor, DAY)
    assert caught.value.code == "INVALID_CURSOR"


def test_sizes() -> None:
    """A page has 1 to 100 entries, 50 where nothing is said."""
    assert [parse_limit(text) for text in (None, "1", "100")] == [50, 1, 100]
    for text in ("0", "101", "-1", "1e2", "", "٣", "0x10", "050", "1000"):
        with pytest.raises(RefusedError) as caught:
            parse_limit(text)
        assert caught.value.code == "INVALID_LIMIT"
