"""A Discord embed, for a channel's webhook.

Limits (discord.com/developers, embed limits): title 256, description 4,096, 25 fields,
a field's name 256 and value 1,024, all of them together 6,000. No mention is parsed.
"""

from __future__ import annotations

from typing import Any

from opseer_common.rendering import table_text
from opseer_notifier.domain.letter import Letter, Section, in_parts, shortened

_TITLE = 256
_DESCRIPTION = 1_500
_NAME = 256
_VALUE = 1_024
_FIELDS = 25
_TOTAL = 5_900
_ROWS = 8
_WIDEST = 110
_COLOUR = 0x635BFF
_FENCE = "```"
_MORE = {"name": "…", "value": "There is more than fits here."}


def discord(letter: Letter) -> dict[str, Any]:
    """Return the body of the request."""
    title = shortened(letter.title, _TITLE)
    words = "\n\n".join(part for part in (letter.subtitle, letter.intro) if part)
    description = shortened(escaped(words), _DESCRIPTION)
    wanted = [one for section in letter.sections for one in _fields(section)]
    room = _TOTAL - len(title) - len(description)
    embed: dict[str, Any] = {
        "title": title,
        "description": description,
        "color": _COLOUR,
        "fields": _fitting(wanted, room),
        "timestamp": letter.at.isoformat(),
    }
    if letter.url:
        embed["url"] = letter.url
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def escaped(text: str) -> str:
    """Return text in which Discord finds no formatting and no link."""
    return "".join(f"\\{one}" if one in r"\*_~`|>[]#" else one for one in text)


def _fields(section: Section) -> list[dict[str, Any]]:
    """Return the fields of a section: its rows as a table of fixed width."""
    found: list[dict[str, Any]] = []
    for part in in_parts(section.rows, _ROWS):
        # A fence inside would end the table; nothing else is special in it.
        table = table_text(tuple(part)).replace("`", "'")
        cut = "\n".join(shortened(line, _WIDEST) for line in table.split("\n"))
        name = escaped(section.heading) if not found else "…"
        found.append(_field(name, f"{_FENCE}\n{cut}\n{_FENCE}"))
    if section.footnote:
        found.append(_field("…", shortened(escaped(section.footnote), _VALUE)))
    return found


def _field(name: str, value: str) -> dict[str, Any]:
    return {"name": shortened(name, _NAME), "value": value, "inline": False}


def _fitting(fields: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    """Return the first fields that fit, and a word where there are more."""
    kept: list[dict[str, Any]] = []
    left = room - sum(map(len, _MORE.values()))
    for one in fields:
        left -= len(one["name"]) + len(one["value"])
        if left < 0 or len(kept) == _FIELDS - 1:
            return [*kept, {**_MORE, "inline": False}]
        kept.append(one)
    return kept
