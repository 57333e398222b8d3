"""Figures and days as people read them. English, with the provider's decimals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final

from babel.dates import format_date

from opseer_common import rendering
from opseer_common.money import exponent, round_half_even
from opseer_common.rendering import ENGLISH, Mood, money_text, percent_text

NONE: Final = rendering.NONE
LOCALE: Final = ENGLISH
# Below these a percentage says more than there is to say.
_LEAST_COUNT: Final = 5
_MONTHS_APART: Final = "d MMM"
_DASH: Final = " \u2013 "


@dataclass(frozen=True, slots=True)
class Delta:
    """How a figure moved; `mood` is a class of the style sheet."""

    text: str
    mood: Mood
    against: str


def money(minor: int | None, currency: str | None) -> str:
    """Return an amount, or "—"."""
    if minor is None or currency is None:
        return NONE
    return money_text(minor, currency)


def signed(minor: int | None, currency: str | None) -> str:
    """Return an amount with its sign, or "—"."""
    text = money(minor, currency)
    return f"+{text}" if minor is not None and minor > 0 else text


def count(number: int | None) -> str:
    """Return a count, or "—"."""
    return NONE if number is None else f"{number:,}"


def percent(parts: int | None) -> str:
    """Return parts per ten thousand as a percentage with one decimal, or "—"."""
    if parts is None:
        return NONE
    whole, tenth = divmod(round_half_even(Fraction(abs(parts), 10)), 10)
    sign = "-" if parts < 0 and (whole or tenth) else ""
    return f"{sign}{whole}.{tenth}%"


@lru_cache(maxsize=1024)
def day(of: date) -> str:
    """Return a day with its weekday: "Tue 24 Nov"."""
    return format_date(of, "EEE d MMM", locale=LOCALE)


@lru_cache(maxsize=256)
def long_day(of: date) -> str:
    """Return a day in full: "Tuesday 24 November 2026"."""
    return format_date(of, "EEEE d MMMM y", locale=LOCALE)


@lru_cache(maxsize=256)
def days(first: date, last: date) -> str:
    """Return a range as short as it can be: 18 to 24 Nov 2026 with a dash."""
    end = format_date(last, "d MMM y", locale=LOCALE)
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{_DASH}{end}"
    pattern = _MONTHS_APART if first.year == last.year else "d MMM y"
    return f"{format_date(first, pattern, locale=LOCALE)}{_DASH}{end}"


def instant(at: datetime | None) -> str:
    """Return an instant in UTC, to the minute; "—" for none."""
    if at is None:
        return NONE
    return f"{format_date(at.date(), 'd MMM y', locale=LOCALE)}, {at:%H:%M} UTC"


def money_delta(
    now: int | None, before: int | None, currency: str | None, against: str
) -> Delta | None:
    """Return how an amount moved; None where one of the two is not known."""
    if now is None or before is None or currency is None:
        return None
    return _delta(
        now - before,
        money_text(abs(now - before), currency),
        before if before >= 10 ** exponent(currency) else None,
        against,
    )


def count_delta(now: int | None, before: int | None, against: str) -> Delta | None:
    """Return how a count moved; None where one of the two is not known."""
    if now is None or before is None:
        return None
    base = before if before >= _LEAST_COUNT else None
    return _delta(now - before, f"{abs(now - before):,}", base, against)


def _delta(change: int, size: str, base: int | None, against: str) -> Delta:
    """Return an arrow with the size and, from a fair base, a percentage."""
    if change == 0:
        return Delta("= unchanged", "even", against)
    percent = "" if base is None else percent_text(change, base)
    relative = f" ({percent})" if percent.strip("+-0.%") else ""
    if change > 0:
        return Delta(f"▲ {size}{relative}", "good", against)
    return Delta(f"▼ {size}{relative}", "bad", against)
