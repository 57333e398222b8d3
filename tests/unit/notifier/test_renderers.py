"""A letter in the form of each channel: golden files, and the services' limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.rendering import Line
from opseer_common.testing.receivers import (
    discord_faults,
    slack_faults,
    telegram_faults,
)
from opseer_notifier.domain.letter import Letter, Section, daily_letter
from opseer_notifier.domain.movement import Change, movement_letter, movement_of
from opseer_notifier.domain.renderers.discord import discord
from opseer_notifier.domain.renderers.mail import mail
from opseer_notifier.domain.renderers.plain import plain
from opseer_notifier.domain.renderers.slack import slack
from opseer_notifier.domain.renderers.telegram import telegram
from opseer_notifier.domain.renderers.webhook import LARGEST, webhook

GOLDEN = Path(__file__).parents[2] / "data" / "delivery"
LOCALES = ("en_US", "de_DE", "ja_JP")
ALL: frozenset[Source] = frozenset({"stripe", "revenuecat", "polar"})
AT = datetime(2026, 11, 24, tzinfo=UTC)


def pretty(value: Any) -> str:
    """Return JSON as it stands in the golden files."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


RENDERERS: Mapping[str, Callable[[Letter], str]] = {
    "slack.json": lambda letter: pretty(slack(letter)),
    "discord.json": lambda letter: pretty(discord(letter)),
    "telegram.html": lambda letter: telegram(letter) + "\n",
    "mail.txt": lambda letter: mail(letter, "https://x.example/u").text,
    "mail.html": lambda letter: mail(letter, "https://x.example/u").html,
    "webhook.json": lambda letter: pretty(json.loads(webhook(letter))),
}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", RENDERERS)
def test_every_channel_is_its_golden_file(
    report: DailyReport, name: str, locale: str
) -> None:
    """What people see of a report does not change unnoticed."""
    letter = daily_letter(report, ALL, AT, url="https://opseer.example", locale=locale)
    expected = (GOLDEN / f"{locale}.{name}").read_text("utf-8")
    assert RENDERERS[name](letter) == expected


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        (
            "en_US",
            ["$12,317.25", "▲ $128.00 (+1.1%)", "▼ 3 (-15.0%)"],
        ),
        (
            "de_DE",
            [
                *("Mo., 23. Nov. 2026", "12.317,25\u00a0$"),
                *("▲ 128,00\u00a0$ (+1,1\u00a0%)", "3.904,10\u00a0UGX"),
            ],
        ),
        (
            "ja_JP",
            [
                "2026年11月23日(月)",
                "$12,317.25",
                "UGX\u00a03,904.10",
                "▲ $38.84 (+8.7%)",
            ],
        ),
    ],
)
def test_numbers_and_days_are_the_locales(
    report: DailyReport, locale: str, words: list[str]
) -> None:
    """By CLDR: separators, the sign's place, no-break spaces; labels stay."""
    text = plain(daily_letter(report, ALL, AT, locale=locale))
    for one in words:
        assert one in text
    labels = [line.split("  ")[0] for line in text.splitlines() if "  " in line]
    assert labels[:5] == ["MRR", "Revenue", "Orders", "New Subs", "Churned"]


def test_the_plain_text_is_that_of_the_api(report: DailyReport) -> None:
    """One format everywhere: what GET /reports/daily?format=text answers."""
    file = Path(__file__).parents[2] / "data" / "daily_report.txt"
    assert plain(daily_letter(report, ALL, AT)) == file.read_text("utf-8")


def test_only_chosen_channels_and_their_mode(report: DailyReport) -> None:
    """Without the test channel the title doesn't say TEST MODE; without any it says."""
    live = daily_letter(report, frozenset({"revenuecat"}), AT)
    assert live.title == "📊 Opseer Revenue Daily Report"
    assert len(live.sections) == 1
    none = daily_letter(report, frozenset({"polar"}), AT)
    assert (none.intro, none.sections) == ("No source is connected.", ())


def test_slack_takes_the_largest(huge: Letter) -> None:
    """Within every limit of Block Kit, and nothing in it pings or links."""
    body = slack(huge)
    assert slack_faults(body) == []
    text = json.dumps(body)
    assert "<!channel>" not in text
    assert "There is more than fits here." in text


@pytest.mark.parametrize("size", [1, 5_000])
def test_a_customers_name_is_one_line_of_a_message(size: int) -> None:
    """A customer chooses it: no rows, no commands, no turned text, no full message."""
    name = "Eve\r\nNew\t▲ $999\x1b[2J\u202e" * size
    change = Change(AT.date(), "sub_1", "Pro", "churned", -500, name)
    movement = movement_of("stripe", "usd", "", [change] * 20, 0)
    assert movement is not None
    letter = movement_letter(movement, AT)
    notes = {row.note for row in letter.sections[0].rows}
    assert len(notes) == 1
    [note] = notes
    assert note.startswith("Eve New ▲ $999 [2J")
    assert note.isprintable()
    assert len(note) < 120
    assert slack_faults(slack(letter)) == []
    assert "There is more" not in json.dumps(slack(letter))


def test_a_field_of_slack_is_cut() -> None:
    """At less than the 2,000 characters that a field may have."""
    row = Line("Label", "▲ 1", "x" * 4_000, "good")
    letter = Letter("notice", "Title", "", AT, sections=(Section("Rows", (row,)),))
    assert slack_faults(slack(letter)) == []


def test_discord_takes_the_largest(huge: Letter) -> None:
    """Within every limit of embeds, mentions off, every fence closed."""
    body = discord(huge)
    assert discord_faults(body) == []
    [embed] = body["embeds"]
    for field in embed["fields"]:
        assert field["value"].count("```") in (0, 2)
    assert embed["fields"][-1]["value"] == "There is more than fits here."


def test_telegram_takes_the_largest(huge: Letter) -> None:
    """Within 4,096 characters, every tag closed, nothing of ours is a tag of theirs."""
    text = telegram(huge)
    message = {"chat_id": "1", "parse_mode": "HTML", "text": text}
    assert telegram_faults(message) == []
    assert "There is more than fits here." in text


class _Scripts(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)


def test_a_mail_holds_no_header_and_no_tag_of_others(huge: Letter) -> None:
    """The subject is one short line; of the page's tags all are ours."""
    title = "a\r\nBcc: x@example.com\n" + "b" * 300
    made = mail(replace(huge, title=title, subtitle=""))
    assert made.subject.startswith("a Bcc: x@example.com b")
    assert len(made.subject) <= 150
    reader = _Scripts()
    reader.feed(made.html)
    assert reader.tags == {
        *("html", "head", "meta", "title", "body", "h1", "h2", "p", "table"),
        *("tr", "th", "td", "a"),
    }


def test_a_webhook_stays_small(huge: Letter) -> None:
    """Below 20 kB even where the data is not: then the text goes in its place."""
    body = webhook(huge)
    assert len(body) < LARGEST
    assert msgspec.json.decode(body)["type"] == "movement.alert"
