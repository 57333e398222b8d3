"""Slack's Block Kit, for an incoming webhook.

Limits (docs.slack.dev, Block Kit reference): 50 blocks, 150 characters in a header,
3,000 in a section's text, 10 fields of 2,000. Messages are cut near 13,200 characters
in all, so this stays well below.
"""

from __future__ import annotations

from typing import Any

from opseer_common.rendering import Line
from opseer_notifier.domain.letter import Letter, Section, in_parts, shortened
from opseer_notifier.domain.renderers.plain import summary

_HEADER = 150
_TEXT = 2_900
_FIELD = 1_900
_FIELDS = 10
_BLOCKS = 45
_TOTAL = 11_000
_BRACKETS = str.maketrans({"<": "(", ">": ")"})


def slack(letter: Letter) -> dict[str, Any]:
    """Return the body of the request; `text` is what a notification shows."""
    # Nothing is parsed in a header; what looks like a command is none even so.
    title = letter.title.translate(_BRACKETS)
    header = {"type": "plain_text", "text": shortened(title, _HEADER)}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    if letter.subtitle:
        blocks.append(_context(escaped(letter.subtitle)))
    if letter.intro:
        blocks.append({"type": "section", "text": _mrkdwn(escaped(letter.intro))})
    wanted = [block for one in letter.sections for block in _section(one)]
    fitting = _fitting(wanted)
    blocks += fitting
    if len(fitting) < len(wanted):
        blocks.append(_context("There is more than fits here."))
    if letter.url:
        blocks.append(_context(f"<{escaped(letter.url)}|Open Opseer>"))
    return {"text": escaped(shortened(summary(letter), _TEXT)), "blocks": blocks}


def escaped(text: str) -> str:
    """Return text in which Slack finds no link, mention or command."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(section: Section) -> list[dict[str, Any]]:
    """Return the blocks of a section: ten rows in each."""
    name = _mrkdwn(f"*{escaped(section.heading)}*")
    blocks: list[dict[str, Any]] = [
        {"type": "section", "fields": [_mrkdwn(_row(row), _FIELD) for row in part]}
        for part in in_parts(section.rows, _FIELDS)
    ] or [{"type": "section"}]
    blocks[0]["text"] = name
    if section.footnote:
        blocks.append(_context(escaped(section.footnote)))
    return blocks


def _row(row: Line) -> str:
    """Return one value with its label above and its note below."""
    text = f"{escaped(row.label)}\n*{escaped(row.value)}*"
    return f"{text}\n{escaped(row.note)}" if row.note else text


def _mrkdwn(text: str, most: int = _TEXT) -> dict[str, str]:
    return {"type": "mrkdwn", "text": shortened(text, most)}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _fitting(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first blocks, as many as one message holds."""
    kept: list[dict[str, Any]] = []
    size = 0
    for block in blocks:
        texts = [*block.get("fields", ()), *block.get("elements", ())]
        size += sum(
            len(one["text"]) for one in [*texts, block.get("text", {"text": ""})]
        )
        if len(kept) == _BLOCKS or size > _TOTAL:
            break
        kept.append(block)
    return kept
