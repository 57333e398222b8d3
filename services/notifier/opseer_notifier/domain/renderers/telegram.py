"""Telegram's HTML, for sendMessage.

Limits (core.telegram.org/bots/api): 4,096 characters after the entities are parsed;
`<`, `>` and `&` are escaped, no other entity is needed. Characters are counted as
UTF-16 does, which is never less.
"""

from __future__ import annotations

from opseer_common.rendering import table_text
from opseer_notifier.domain.letter import Letter, Section, in_parts, shortened

_MOST = 4_096
_INTRO = 2_000
_NAME = 256
_ROWS = 8
_WIDEST = 110
_MORE = "There is more than fits here."


def telegram(letter: Letter) -> str:
    """Return the text, whose mode of parsing is HTML."""
    head = f"<b>{escaped(shortened(letter.title, _NAME))}</b>"
    if letter.subtitle:
        head += f"\n{escaped(shortened(letter.subtitle, _NAME))}"
    blocks = [head]
    if letter.intro:
        blocks.append(escaped(shortened(letter.intro, _INTRO)))
    left = _MOST - sum(map(_size, blocks)) - _size(letter.url or "") - _size(_MORE) - 40
    for block in (one for section in letter.sections for one in _section(section)):
        left -= _size(block) + 2
        if left < 0:
            blocks.append(_MORE)
            break
        blocks.append(block)
    if letter.url:
        blocks.append(f'<a href="{escaped(letter.url)}">Open Opseer</a>')
    return "\n\n".join(blocks)


def escaped(text: str) -> str:
    """Return text in which Telegram finds no tag."""
    found = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return found.replace('"', "&quot;")


def _section(section: Section) -> list[str]:
    """Return a section in blocks: its rows as a table of fixed width."""
    blocks: list[str] = []
    for part in in_parts(section.rows, _ROWS):
        lines = table_text(tuple(part)).split("\n")
        table = escaped("\n".join(shortened(line, _WIDEST) for line in lines))
        name = shortened(section.heading, _NAME) if not blocks else "…"
        blocks.append(f"<b>{escaped(name)}</b>\n<pre>{table}</pre>")
    if section.footnote:
        blocks.append(f"<i>{escaped(shortened(section.footnote, _INTRO))}</i>")
    return blocks


def _size(text: str) -> int:
    """Return the length in UTF-16; tags and entities count, which errs to less."""
    return len(text.encode("utf-16-le")) // 2
