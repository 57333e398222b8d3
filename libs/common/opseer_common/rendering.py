"""The daily report in words: plain text and HTML, from the body that the API answers.

Missing is "—" with the reason in words, never 0. Amounts have Stripe's decimals, which
for some currencies are not those of the locale data (see money.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from html import escape
from types import MappingProxyType

import msgspec
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, get_currency_symbol

from opseer_common.contracts.daily_report import DailyReport, Metric, ReportChannel
from opseer_common.money import Money, exponent, round_half_even

_LOCALE = "en_US"
_NONE = "—"
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


def report_text(body: Mapping[str, object]) -> str:
    """Return the report as plain text for a fixed-width font.

    `body` is what `GET /api/v1/reports/daily` answers; msgspec.ValidationError for
    anything else.
    """
    report = msgspec.convert(body, DailyReport)
    blocks = [f"{report.title}\n{_day_line(report)}"]
    blocks += [_channel_text(channel, report) for channel in report.channels]
    if not report.channels:
        blocks.append("No source is connected.")
    return "\n\n".join(blocks) + "\n"


def report_html(body: Mapping[str, object]) -> str:
    """Return the report as a page of its own, without scripts or styles."""
    report = msgspec.convert(body, DailyReport)
    title = escape(report.title)
    channels = "".join(_channel_html(channel, report) for channel in report.channels)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title></head><body>\n"
        f"<h1>{title}</h1>\n<p>{escape(_day_line(report))}</p>\n"
        f"{channels or '<p>No source is connected.</p>'}</body></html>\n"
    )


def reason_words(reason: str) -> str:
    """Return a reason of the closed list in words."""
    if reason.endswith(_PERMISSION):
        name = reason.removesuffix(_PERMISSION).replace("_", " ").title()
        return f"{name.replace(' And ', ' and ')} → Read is missing"
    return REASONS.get(reason, "not known")


def money_text(minor: int, currency: str) -> str:
    """Return an amount as people write it, with the decimals of Stripe's minor unit."""
    digits = exponent(currency)
    code = currency.upper()
    # A symbol of letters is kept apart from the number.
    gap = "\u00a0" if get_currency_symbol(code, _LOCALE)[-1:].isalpha() else ""
    return format_currency(
        Money(minor, currency).major(),
        code,
        format=f"¤{gap}#,##0" + ("." + "0" * digits if digits else ""),
        locale=_LOCALE,
        currency_digits=False,
    )


def percent_text(change: int, base: int) -> str:
    """Return a change relative to `base` (above zero), signed, with one decimal."""
    permille = round_half_even(Fraction(change * 1000, base))
    whole, tenths = divmod(abs(permille), 10)
    return f"{'-' if permille < 0 else '+'}{whole}.{tenths}%"


def _day_line(report: DailyReport) -> str:
    day = format_date(report.date, "EEE d MMM y", locale=_LOCALE)
    return f"{day} · {report.timezone}"


def _name(channel: ReportChannel, report: DailyReport) -> str:
    """Return the channel's name, and its zone where its days are not the report's."""
    name = CHANNELS[channel.source]
    other_day = channel.source == "revenuecat" and report.timezone != "UTC"
    return f"{name}  (UTC day)" if other_day else name


def _channel_text(channel: ReportChannel, report: DailyReport) -> str:
    """Return the name and a line per metric, values aligned at their right."""
    values = [_value(metric, channel) for metric in channel.metrics]
    width = max(_VALUE_WIDTH, *map(len, values)) if values else _VALUE_WIDTH
    lines = [
        f"{metric.label:<{_LABEL_WIDTH}}   {value:>{width}}   {_note(metric, channel)}"
        for metric, value in zip(channel.metrics, values, strict=True)
    ]
    return "\n".join([_name(channel, report), *(line.rstrip() for line in lines)])


def _channel_html(channel: ReportChannel, report: DailyReport) -> str:
    """Return a table of the channel's metrics."""
    rows = "".join(
        f'<tr class="{_mood(metric)}"><th scope="row">{escape(metric.label)}</th>'
        f"<td>{escape(_value(metric, channel))}</td>"
        f"<td>{escape(_note(metric, channel))}</td></tr>\n"
        for metric in channel.metrics
    )
    name = escape(_name(channel, report))
    return f"<table>\n<caption>{name}</caption>\n{rows}</table>\n"


def _value(metric: Metric, channel: ReportChannel) -> str:
    return _NONE if metric.value is None else _amount(metric, metric.value, channel)


def _amount(metric: Metric, amount: int, channel: ReportChannel) -> str:
    """Return money or a count."""
    if metric.key in _MONEY and channel.currency is not None:
        return money_text(amount, channel.currency)
    return format_decimal(amount, locale=_LOCALE)


def _base(metric: Metric) -> tuple[int | None, str]:
    """Return what a value is compared with, and how to say so.

    Revenue swings with the day of the week: it is compared with the average.
    """
    if metric.key == "revenue" and metric.average_7d is not None:
        return metric.average_7d, " vs 7-day avg"
    return metric.previous, ""


def _note(metric: Metric, channel: ReportChannel) -> str:
    """Return how the value moved, and why it is missing or not whole."""
    parts = [_movement(metric, channel)]
    if metric.reason is not None:
        parts.append(reason_words(metric.reason))
    return " · ".join(part for part in parts if part)


def _movement(metric: Metric, channel: ReportChannel) -> str:
    """Return an arrow by sign, the difference, and a percentage where one is fair."""
    base, against = _base(metric)
    if metric.value is None or base is None:
        return ""
    change = metric.value - base
    if change == 0:
        return f"={against}"
    arrow = "▲" if change > 0 else "▼"
    size = _amount(metric, abs(change), channel)
    return f"{arrow} {size}{_relative(metric, change, base, channel)}{against}"


def _relative(metric: Metric, change: int, base: int, channel: ReportChannel) -> str:
    """Return the percentage in brackets; none from a small base, "new" from nothing."""
    least = _LEAST_COUNT
    if metric.key in _MONEY:
        if base == 0:
            return " (new)"
        least = _LEAST_MAJOR * 10 ** exponent(channel.currency or "usd")
    if base < least:
        return ""
    percent = percent_text(change, base)
    return (
        ""
        if percent.endswith("0.0%") and len(percent) == len("+0.0%")
        else (f" ({percent})")
    )


def _mood(metric: Metric) -> str:
    """Return good, bad or even for the colour of a row: more churn is bad."""
    base = metric.previous
    if metric.value is None or base is None or metric.value == base:
        return "even"
    up = metric.value > base
    return "bad" if up == (metric.key == "churned") else "good"
