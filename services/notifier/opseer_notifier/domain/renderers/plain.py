"""Plain text for a fixed-width font: mail, and services that take text alone."""

from __future__ import annotations

from opseer_common.rendering import table_text
from opseer_notifier.domain.letter import Letter, Section


def plain(letter: Letter) -> str:
    """Return the letter as text, title first."""
    blocks = [f"{letter.title}\n{letter.subtitle}".rstrip()]
    if letter.intro:
        blocks.append(letter.intro)
    blocks += [section_text(section) for section in letter.sections]
    if letter.url:
        blocks.append(letter.url)
    return "\n\n".join(blocks) + "\n"


def section_text(section: Section) -> str:
    """Return a section: heading, aligned rows, footnote."""
    parts = [section.heading, table_text(section.rows), section.footnote]
    return "\n".join(part for part in parts if part)


def summary(letter: Letter) -> str:
    """Return one line for a notification: the first two values of each section."""
    parts = [
        f"{section.heading}: "
        + ", ".join(f"{row.label} {row.value}" for row in section.rows[:2])
        for section in letter.sections
    ]
    return " · ".join([letter.title, *parts])
