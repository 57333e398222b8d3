"""The daily report in words."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from opseer_common.rendering import (
    money_text,
    percent_text,
    reason_words,
    report_html,
    report_text,
)

_DATA = Path(__file__).parents[2] / "data"
_BODY = json.loads((_DATA / "daily_report.json").read_text(encoding="utf-8"))
# The closed list of the API, with a permission of each kind.
_REASONS = (
    "CRON_PENDING",
    "EVENTS_PERMISSION",
    "SUBSCRIPTIONS_PERMISSION",
    "CHARGES_AND_REFUNDS_PERMISSION",
    "RECONNECTED",
    "QUARANTINE",
    "NO_RATE",
    "ARRIVES_TOMORROW",
    "COLLECTING",
    "MISSED_EVENT",
    "BEFORE_HISTORY",
)


def body_of(*metrics: tuple[str, int | None, int | None]) -> dict[str, object]:
    """Return a report of one channel in dollars with (key, value, previous)."""
    return {
        "date": "2026-11-23",
        "timezone": "UTC",
        "title": "Title",
        "channels": [
            {
                "source": "stripe",
                "currency": "usd",
                "environment": "live",
                "metrics": [
                    {
                        "key": key,
                        "label": key,
                        "value": value,
                        "previous": previous,
                        "average_7d": None,
                        "status": "ok",
                        "reason": None,
                    }
                    for key, value, previous in metrics
                ],
            }
        ],
    }


def test_text_is_the_golden_file() -> None:
    """Title, day with zone, aligned values, arrows by sign, "—" with its reason."""
    expected = (_DATA / "daily_report.txt").read_text(encoding="utf-8")
    assert report_text(_BODY) == expected


def test_a_report_without_channels_says_so() -> None:
    """Nothing connected is said, not shown as nothing."""
    empty = {**_BODY, "channels": []}
    assert report_text(empty).endswith("\n\nNo source is connected.\n")
    assert "<p>No source is connected.</p>" in report_html(empty)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (("mrr", 0, 0), "="),
        (("mrr", 500, 0), "▲ $5.00 (new)"),
        (("mrr", 500, 50), "▲ $4.50"),
        (("mrr", 500, -200), "▲ $7.00"),
        (("mrr", 100001, 100000), "▲ $0.01"),
        (("mrr", 500, None), ""),
        (("mrr", 150, 100), "▲ $0.50 (+50.0%)"),
        (("orders", 5, 4), "▲ 1"),
        (("orders", 6, 5), "▲ 1 (+20.0%)"),
        (("orders", 5, 0), "▲ 5"),
        (("churned", 3, 1), "▲ 2"),
    ],
)
def test_percent_only_from_a_fair_base(
    metric: tuple[str, int | None, int | None], words: str
) -> None:
    """No percentage from zero, below zero, a small base or when it rounds to nil."""
    line = report_text(body_of(metric)).splitlines()[-1]
    assert re.split(r"\s{3,}", line)[2:] == ([words] if words else [])


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (123456, "usd", "$1,234.56"),
        (-5, "eur", "-€0.05"),
        (1234, "jpy", "¥1,234"),
        (1234, "kwd", "KWD\u00a01.234"),
        (1234, "isk", "ISK\u00a012.34"),
        (1234, "ugx", "UGX\u00a012.34"),
        (1234, "mga", "MGA\u00a01,234"),
    ],
)
def test_amounts_have_stripes_decimals(minor: int, currency: str, words: str) -> None:
    """ISK and UGX have two decimals at Stripe, MGA none; the locale data differ."""
    assert money_text(minor, currency) == words


@pytest.mark.parametrize("reason", _REASONS)
def test_every_reason_has_words(reason: str) -> None:
    """No reason of the closed list reaches a reader as a code or as nothing."""
    words = reason_words(reason)
    assert words != "not known"
    assert "_" not in words


def test_a_permission_is_named_as_the_provider_names_it() -> None:
    """The words are those that a user finds on the key's page."""
    assert (
        reason_words("CHARGES_AND_REFUNDS_PERMISSION")
        == "Charges and Refunds → Read is missing"
    )


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9))
def test_percent_is_within_half_a_step(change: int, base: int) -> None:
    """What is shown is at most 0.05 away from the exact percentage."""
    shown = Fraction(percent_text(change, base).removesuffix("%"))
    assert abs(shown - Fraction(change * 100, base)) <= Fraction(1, 20)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["usd", "jpy", "kwd", "isk"]))
def test_an_amount_keeps_every_digit(minor: int, currency: str) -> None:
    """No minor unit is lost in words."""
    digits = re.sub(r"[^\d-]", "", money_text(minor, currency))
    assert int(digits) == minor


class _Texts(HTMLParser):
    """Collects the text of a page's cells and which elements it has."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    @override
    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_html_says_what_the_text_says() -> None:
    """Each value and note of the text stands in the page too."""
    parser = _Texts()
    parser.feed(report_html(_BODY))
    lines = report_text(_BODY).splitlines()
    parts = {part for line in lines for part in re.split(r"\s{3,}", line) if part}
    assert parts <= set(parser.texts)


def test_html_escapes_and_runs_nothing() -> None:
    """A title cannot become an element."""
    parser = _Texts()
    parser.feed(report_html({**_BODY, "title": "<script>x</script>"}))
    assert "script" not in parser.tags
    assert "<script>x</script>" in parser.texts


def test_more_churn_is_bad_news() -> None:
    """Colour goes by meaning: churn up is bad, orders up are good."""
    page = report_html(body_of(("orders", 2, 1), ("churned", 2, 1), ("mrr", 1, 1)))
    assert re.findall(r'class="(\w+)"', page) == ["good", "bad", "even"]
