"""Whether the balance moved by what its transactions say: sums by hand."""

from __future__ import annotations

import pytest

from opseer_collector.domain.balance import (
    BalanceReading,
    Moved,
    can_be_judged,
    unexplained,
)

BEFORE = BalanceReading(1000, 1001, {"usd": 500, "eur": 70})


def after(**totals: int) -> BalanceReading:
    """Return a reading a day later."""
    return BalanceReading(87_400, 87_402, totals)


def test_a_movement_that_the_rows_explain() -> None:
    """500 and 250 more are 750, 70 stay 70: nothing is left."""
    moved = {"usd": Moved(sure=250)}
    assert unexplained(BEFORE, after(usd=750, eur=70), moved) == {}


def test_each_currency_is_checked_apart() -> None:
    """A currency that is not listed any more is at 0; one that is new was."""
    moved = {"usd": Moved(250), "eur": Moved(-70), "jpy": Moved(900)}
    assert unexplained(BEFORE, after(usd=750, jpy=900), moved) == {}
    assert unexplained(BEFORE, after(usd=750, jpy=901), moved) == {"jpy": 1}


def test_a_row_that_is_missing_is_what_is_left() -> None:
    """A charge of 100 that no page told of."""
    moved = {"usd": Moved(sure=250)}
    assert unexplained(BEFORE, after(usd=850, eur=70), moved) == {"usd": 100}


def test_a_row_that_is_one_too_many_is_what_is_left() -> None:
    """The balance moved by less than the rows say."""
    moved = {"usd": Moved(sure=250)}
    assert unexplained(BEFORE, after(usd=700, eur=70), moved) == {"usd": -50}


@pytest.mark.parametrize("total", [740, 750, 760, 770])
def test_rows_around_a_reading_may_or_may_not_be_in_it(total: int) -> None:
    """10 and 20 with 240 sure: 0, 10, 20 and 30 of them are all possible."""
    moved = {"usd": Moved(240, (10, 20))}
    assert unexplained(BEFORE, after(usd=total, eur=70), moved) == {}


def test_rows_around_a_reading_excuse_nothing_else() -> None:
    """No choice of 10 and 20 makes 15."""
    moved = {"usd": Moved(240, (10, 20))}
    assert unexplained(BEFORE, after(usd=755, eur=70), moved) == {"usd": 15}


def test_of_many_rows_their_range_is_what_is_possible() -> None:
    """40 rows of different amounts: all that lies between the least and the most."""
    rows = [3**n % 10_007 for n in range(20)] + [-(3**n % 10_009) for n in range(20)]
    least, most = sum(rows[20:]), sum(rows[:20])
    for part in (least, 0, 1, most):
        total = BEFORE.totals["usd"] + part
        moved = {"usd": Moved(0, rows)}
        assert unexplained(BEFORE, after(usd=total, eur=70), moved) == {}
    for part in (least - 1, most + 1):
        total = BEFORE.totals["usd"] + part
        assert unexplained(
            BEFORE, after(usd=total, eur=70), {"usd": Moved(0, rows)}
        ) == {"usd": part}


def test_a_reading_is_judged_when_rows_around_it_are_visible() -> None:
    """Eleven minutes after it: rows of the ten minutes around it are there then."""
    reading = BalanceReading(1000, 1002, {})
    assert not can_be_judged(reading, 1002 + 659)
    assert can_be_judged(reading, 1002 + 660)
