"""Estimated days, by hand arithmetic."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from opseer_collector.domain.history import interval_of
from opseer_common.days import DayRange, zone
from opseer_mrr.domain.estimate import BilledLine, Estimate, EstimatedDay, backdated
from opseer_mrr.domain.policy import PRESETS
from opseer_mrr.domain.rates import RateTable

FIRST = date(2026, 6, 1)
DAYS = DayRange(FIRST, FIRST + timedelta(days=60))
NOBODY = {"forever": 0, "repeating": 0, "once": 0}


def at(day: str) -> int:
    """Return nine o'clock of a day in unix seconds."""
    return int(
        datetime.fromisoformat(f"{day}T09:00:00").replace(tzinfo=UTC).timestamp()
    )


def billed(starts: str, ends: str, amount: int, **fields: Any) -> BilledLine:
    """Return a line of a month, billed as it starts."""
    given: dict[str, Any] = {
        "item_id": "si_1",
        "currency": "usd",
        "off": NOBODY,
        "billed": at(starts),
        "interval": "month",
        "interval_count": 1,
        "usage": False,
    }
    return BilledLine(
        **(given | {"amount": amount, "starts": at(starts), "ends": at(ends)} | fields)
    )


def moved(*lines: BilledLine, preset: str = "opseer", ended: str | None = None) -> Any:
    """Return the days on which something moved: day, net and MRR."""
    estimate = Estimate(DAYS, zone("UTC"), PRESETS[preset])
    estimate.add("sub_1", lines, None if ended is None else at(ended))
    rows, _ = estimate.rows("usd", RateTable())
    return [(row.day.isoformat(), row.net, row.snapshot) for row in rows if row.net]


def test_a_line_is_worth_its_month_as_long_as_it_lasts() -> None:
    """Rule: the newer line of an item wins, and nothing is left when all is over."""
    assert moved(
        billed("2026-05-20", "2026-06-20", 1_000),
        billed("2026-06-20", "2026-07-20", 1_000),
    ) == [("2026-07-20", -1_000, 0)]
    year = billed("2026-06-20", "2027-06-20", 24_000, interval="year")
    assert moved(billed("2026-05-25", "2026-06-25", 1_000), year) == [
        ("2026-06-20", 1_000, 2_000)
    ]
    assert moved(year, ended="2026-07-04") == [
        ("2026-06-20", 2_000, 2_000),
        ("2026-07-04", -2_000, 0),
    ]


def test_the_rest_of_a_period_tells_of_a_change() -> None:
    """Rule: half of June for 14.99 is 29.98; 30.00, if that is billed next."""
    june = billed("2026-06-01", "2026-07-01", 1_000)
    rest = billed("2026-06-16", "2026-07-01", 1_499, proration=True)
    unused = billed("2026-06-16", "2026-07-01", -500, proration=True)
    july = billed("2026-07-01", "2026-08-01", 3_000)
    other = billed("2026-07-01", "2026-08-01", 4_000)
    assert moved(june, unused, rest, july)[1:] == [
        ("2026-06-16", 2_000, 3_000),
    ]
    assert moved(june, unused, rest, other)[1:] == [
        ("2026-06-16", 1_998, 2_998),
        ("2026-07-01", 1_002, 4_000),
    ]
    assert moved(june, unused, other)[1:] == [("2026-07-01", 3_000, 4_000)]


def test_a_rest_without_an_item_is_of_the_only_one_it_fits() -> None:
    """Rule: with two items of the same period nobody knows whose it is."""
    june = billed("2026-06-01", "2026-07-01", 1_000)
    rest = billed("2026-06-16", "2026-07-01", 1_500, proration=True, item_id="")
    assert moved(june, rest) == [
        ("2026-06-01", 1_000, 1_000),
        ("2026-06-16", 2_000, 3_000),
        ("2026-07-01", -3_000, 0),
    ]
    other = billed("2026-06-01", "2026-07-01", 500, item_id="si_2")
    assert moved(june, other, rest) == [
        ("2026-06-01", 1_500, 1_500),
        ("2026-07-01", -1_500, 0),
    ]


def test_the_policy_decides_what_is_subtracted_and_whether_usage_counts() -> None:
    """Rule: once and repeating are not subtracted, usage counts, unless chosen so."""
    off = {"forever": 100, "repeating": 20, "once": 3}
    plain = billed("2026-06-10", "2026-07-10", 1_000, off=off)
    used = billed("2026-05-10", "2026-06-10", 500, usage=True, item_id="si_2")
    late = BilledLine(**{**_fields(used), "billed": at("2026-06-10")})
    assert moved(plain, late) == [
        ("2026-06-10", 1_400, 1_400),
        ("2026-07-10", -900, 500),
        ("2026-07-15", -500, 0),
    ]
    assert moved(plain, late, preset="stripe_all_discounts") == [
        ("2026-06-10", 877, 877),
        ("2026-07-10", -877, 0),
    ]


def _fields(line: BilledLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in BilledLine.__slots__}


def test_currencies_are_converted_and_revalued() -> None:
    """Rule: as exact days; before the first known rate that one holds, too."""
    estimate = Estimate(DAYS, zone("UTC"), PRESETS["opseer"])
    euros = billed("2026-06-02", "2027-06-02", 12_000, interval="year", currency="eur")
    estimate.add("sub_1", [euros], None)
    third = FIRST + timedelta(days=2)
    rates = backdated({("eur", "usd"): {third: Fraction(11, 10)}})
    fourth = backdated(
        {
            ("eur", "usd"): {
                third: Fraction(11, 10),
                third + timedelta(days=1): Fraction(12, 10),
            }
        }
    )
    rows, lacks = estimate.rows("usd", rates)
    assert (rows[0].day, rows[0].new, rows[0].snapshot, lacks) == (
        *(FIRST + timedelta(days=1), 1_100, 1_100, None),
    )
    revalued, _ = estimate.rows("usd", fourth)
    assert revalued[2] == EstimatedDay(
        third + timedelta(days=1), 0, 0, 0, 0, fx=100, snapshot=1_200, subscriptions=1
    )
    assert estimate.rows("usd", RateTable()) == ((), "NO_RATE")


PAGE = (Path(__file__).parents[3] / "docs/MRR.md").read_text("utf-8")
LINE = re.compile(
    r"(?P<usage>usage )?(?P<amount>-?[\d.]+)(?: less (?P<off>[\d.]+) (?P<long>\w+))?"
    r" for (?P<rest>the rest )?(?P<starts>[\d-]{10}) to (?P<ends>[\d-]{10})"
)


def line_of(phrase: str) -> BilledLine:
    """Return the line that the page writes as "29.00 for 2026-06-15 to 2026-07-15"."""
    said = LINE.fullmatch(phrase)
    assert said is not None, phrase
    starts, ends = said["starts"], said["ends"]
    interval, count = interval_of(at(starts), at(ends))
    off = dict(NOBODY)
    if said["long"]:
        off[said["long"]] = int(Decimal(said["off"]) * 100)
    return billed(
        starts,
        ends,
        int(Decimal(said["amount"]) * 100),
        off=off,
        billed=at(ends if said["usage"] else starts),
        interval=interval,
        interval_count=count,
        usage=bool(said["usage"]),
        proration=bool(said["rest"]),
    )


def test_the_page_s_examples() -> None:
    """Rule: the worked examples of docs/MRR.md, "Older history"."""
    _, _, rest = PAGE.partition("\n| billed | at the end of | MRR |\n")
    table = itertools.takewhile(lambda line: line.startswith("|"), rest.splitlines())
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in table][1:]
    assert len(rows) == 10
    for phrases, day, mrr in rows:
        last = date.fromisoformat(day)
        estimate = Estimate(DayRange(last, last), zone("UTC"), PRESETS["opseer"])
        estimate.add("sub_1", [line_of(one) for one in phrases.split("; ")], None)
        found, _ = estimate.rows("usd", RateTable())
        assert sum(row.snapshot for row in found) == int(Decimal(mrr) * 100), phrases
