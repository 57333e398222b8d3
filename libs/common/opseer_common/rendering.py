"""The daily report in words: plain text and HTML, from the body that the API answers.

Missing is "—" with the reason in words, never 0. Amounts have Stripe's decimals, which
for some currencies are not those of the locale data (see money.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from html import escape
from types import MappingProxyType
from typing import Literal

import msgspec
from babel.core import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import (
    format_currency,
    format_decimal,
    format_percent,
    get_currency_symbol,
)

from opseer_common.channels import CAVEATS
from opseer_common.contracts.daily_report import DailyReport, Metric, ReportChannel
from opseer_common.money import Money, exponent, round_half_even

ENGLISH = "en_US"
NONE = "—"
"""What stands where a value is missing."""
Mood = Literal["good", "bad", "even"]
_FRACTION = re.compile(r"(?<=0)\.0+")
_MONEY = frozenset({"mrr", "revenue"})
_LABEL_WIDTH = 8
_VALUE_WIDTH = 10
# Below these a percentage says more than there is to say.
_LEAST_COUNT = 5
_LEAST_MAJOR = 1
_PERMISSION = "_PERMISSION"

CHANNELS: Mapping[str, str] = MappingProxyType(
    {"stripe": "Stripe", "revenuecat": "RevenueCat", "polar": "Polar"}
)
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "CRON_PENDING": "waits for the next collection",
        "RECONNECTED": "reconnected: history starts anew",
        "QUARANTINE": "incomplete: some of it could not be read",
        "NO_RATE": "incomplete: no exchange rate yet",
        "ARRIVES_TOMORROW": "arrives tomorrow",
        "COLLECTING": "still being collected",
        "MISSED_EVENT": "incomplete: an event was missed",
        "BEFORE_HISTORY": "before the history begins",
    }
)
"""Every reason in words, but for the permissions: see `reason_words`."""


@dataclass(frozen=True, slots=True)
class Line:
    """One metric in words. `note` says how it moved and why it is not whole."""

    label: str
    value: str
    note: str
    mood: Mood


def report_text(body: Mapping[str, object], locale: str = ENGLISH) -> str:
    """Return the report as plain text for a fixed-width font.

    `body` is what `GET /api/v1/reports/daily` answers; msgspec.ValidationError for
    anything else.
    """
    report = msgspec.convert(body, DailyReport)
    blocks = [f"{report.title}\n{day_line(report, locale)}"]
    blocks += [
        f"{heading(channel, report)}\n{table_text(lines(channel, locale))}"
        for channel in report.channels
    ]
    if not report.channels:
        blocks.append("No source is connected.")
    blocks += ["\n".join(found) for found in [footnotes(report)] if found]
    return "\n\n".join(blocks) + "\n"


def report_html(body: Mapping[str, object], locale: str = ENGLISH) -> str:
    """Return the report as a page of its own, without scripts or styles."""
    report = msgspec.convert(body, DailyReport)
    title = escape(report.title)
    channels = "".join(
        _channel_html(heading(channel, report), lines(channel, locale))
        for channel in report.channels
    )
    notes = "".join(f"<p><small>{escape(one)}</small></p>" for one in footnotes(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title></head><body>\n"
        f"<h1>{title}</h1>\n<p>{escape(day_line(report, locale))}</p>\n"
        f"{channels or '<p>No source is connected.</p>'}"
        f"{notes}</body></html>\n"
    )


def footnotes(report: DailyReport) -> list[str]:
    """Return a line per channel that defines metrics in a way of its own.

    That its days are of another zone stands in its heading.
    """
    found = []
    for channel in report.channels:
        labels: dict[str, list[str]] = {}
        for metric in channel.metrics:
            for code in metric.caveats:
                labels.setdefault(code, []).append(metric.label)
        labels.pop("UTC_DAY", None)
        words = [
            f"{CAVEATS.get(code, code)} ({', '.join(names)})"
            for code, names in labels.items()
        ]
        if words:
            found.append(f"{CHANNELS[channel.source]}: {'; '.join(words)}")
    return found


def reason_words(reason: str) -> str:
    """Return a reason of the closed list in words."""
    if reason.endswith(_PERMISSION):
        name = reason.removesuffix(_PERMISSION).replace("_", " ").title()
        return f"{name.replace(' And ', ' and ')} → Read is missing"
    return REASONS.get(reason, "not known")


def money_text(minor: int, currency: str, locale: str = ENGLISH) -> str:
    """Return an amount as people write it, with the decimals of Stripe's minor unit."""
    digits = exponent(currency)
    if locale != ENGLISH:
        return _local_money(minor, currency, locale)
    sign = "-" if minor < 0 else ""
    whole, part = divmod(abs(minor), 10**digits)
    decimals = f".{part:0{digits}}" if digits else ""
    return f"{sign}{_prefix(currency)}{whole:,}{decimals}"


@cache
def _prefix(currency: str) -> str:
    """Return what stands before the number. Looked up once: locale data is slow."""
    symbol = get_currency_symbol(currency.upper(), ENGLISH)
    # A symbol of letters is kept apart from the number.
    return f"{symbol}\u00a0" if symbol[-1:].isalpha() else symbol


def _local_money(minor: int, currency: str, locale: str) -> str:
    """Return an amount by a locale's pattern."""
    digits = exponent(currency)
    pattern = Locale.parse(locale).currency_formats["standard"].pattern
    if get_currency_symbol(currency.upper(), locale)[-1:].isalpha():
        pattern = pattern.replace("¤#", "¤\u00a0#")
    return format_currency(
        Money(minor, currency).major(),
        currency.upper(),
        format=_FRACTION.sub("." + "0" * digits if digits else "", pattern),
        locale=locale,
        currency_digits=False,
    )


def count_text(count: int, locale: str = ENGLISH) -> str:
    """Return a count with its thousands apart."""
    return f"{count:,}" if locale == ENGLISH else format_decimal(count, locale=locale)


def percent_text(change: int, base: int, locale: str = ENGLISH) -> str:
    """Return a change relative to `base` (above zero), signed, with one decimal."""
    permille = round_half_even(Fraction(change * 1000, base))
    if locale == ENGLISH:
        whole, tenths = divmod(abs(permille), 10)
        return f"{'-' if permille < 0 else '+'}{whole}.{tenths}%"
    pattern = Locale.parse(locale).percent_formats[None].pattern
    with_decimal = pattern.replace("#,##0", "###0.0")
    return format_percent(
        Decimal(permille).scaleb(-3),
        format=f"+{with_decimal};-{with_decimal}",
        locale=locale,
    )


def day_text(day: date, locale: str = ENGLISH) -> str:
    """Return a day with its weekday."""
    if locale == ENGLISH:
        return format_date(day, "EEE d MMM y", locale=locale)
    return format_skeleton("yMMMEd", day, locale=locale)


def day_line(report: DailyReport, locale: str = ENGLISH) -> str:
    """Return the report's day and the zone that it is a day of."""
    return f"{day_text(report.date, locale)} · {report.timezone}"


def heading(channel: ReportChannel, report: DailyReport) -> str:
    """Return the channel's name, and its zone where its days are not the report's."""
    name = CHANNELS[channel.source]
    zone = channel.timezone
    if zone is None and channel.source == "revenuecat":
        zone = "UTC"
    return f"{name}  ({zone} day)" if zone not in (None, report.timezone) else name


def lines(channel: ReportChannel, locale: str = ENGLISH) -> tuple[Line, ...]:
    """Return the channel's metrics in words, in their order."""
    return tuple(
        Line(
            label=metric.label,
            value=_value(metric, channel, locale),
            note=_note(metric, channel, locale),
            mood=_mood(metric),
        )
        for metric in channel.metrics
    )


def table_text(rows: tuple[Line, ...]) -> str:
    """Return a line per row for a fixed-width font, values aligned at their right."""
    width = max([_VALUE_WIDTH, *(len(row.value) for row in rows)])
    return "\n".join(
        f"{row.label:<{_LABEL_WIDTH}}   {row.value:>{width}}   {row.note}".rstrip()
        for row in rows
    )


def _channel_html(name: str, rows: tuple[Line, ...]) -> str:
    """Return a table of the channel's metrics."""
    body = "".join(
        f'<tr class="{row.mood}"><th scope="row">{escape(row.label)}</th>'
        f"<td>{escape(row.value)}</td><td>{escape(row.note)}</td></tr>\n"
        for row in rows
    )
    return f"<table>\n<caption>{escape(name)}</caption>\n{body}</table>\n"


def _value(metric: Metric, channel: ReportChannel, locale: str) -> str:
    if metric.value is None:
        return NONE
    return _amount(metric, metric.value, channel, locale)


def _amount(metric: Metric, amount: int, channel: ReportChannel, locale: str) -> str:
    """Return money or a count."""
    if metric.key in _MONEY and channel.currency is not None:
        return money_text(amount, channel.currency, locale)
    return count_text(amount, locale)


def _base(metric: Metric) -> tuple[int | None, str]:
    """Return what a value is compared with, and how to say so.

    Revenue swings with the day of the week: it is compared with the average.
    """
    if metric.key == "revenue" and metric.average_7d is not None:
        return metric.average_7d, " vs 7-day avg"
    return metric.previous, ""


def _note(metric: Metric, channel: ReportChannel, locale: str) -> str:
    """Return how the value moved, and why it is missing or not whole."""
    parts = [_movement(metric, channel, locale)]
    if metric.reason is not None:
        parts.append(reason_words(metric.reason))
    return " · ".join(part for part in parts if part)


def _movement(metric: Metric, channel: ReportChannel, locale: str) -> str:
    """Return an arrow by sign, the difference, and a percentage where one is fair."""
    base, against = _base(metric)
    if metric.value is None or base is None:
        return ""
    change = metric.value - base
    if change == 0:
        return f"={against}"
    arrow = "▲" if change > 0 else "▼"
    size = _amount(metric, abs(change), channel, locale)
    relative = _relative(metric, change, base, channel, locale)
    return f"{arrow} {size}{relative}{against}"


def _relative(
    metric: Metric, change: int, base: int, channel: ReportChannel, locale: str
) -> str:
    """Return the percentage in brackets; none from a small base, "new" from nothing."""
    least = _LEAST_COUNT
    if metric.key in _MONEY:
        if base == 0:
            return " (new)"
        least = _LEAST_MAJOR * 10 ** exponent(channel.currency or "usd")
    if base < least or round_half_even(Fraction(change * 1000, base)) == 0:
        return ""
    return f" ({percent_text(change, base, locale)})"


def _mood(metric: Metric) -> Mood:
    """Return good, bad or even for the colour of a row: more churn is bad."""
    base, _ = _base(metric)
    if metric.value is None or base is None or metric.value == base:
        return "even"
    up = metric.value > base
    return "bad" if up == (metric.key == "churned") else "good"
