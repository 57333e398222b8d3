"""What is sent, before it is put in the form of a channel.

A letter has a title, a line below it, perhaps some words, and tables of values.
Every kind of message is one, so that each channel renders all kinds alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

from opseer_common.contracts.daily_report import DailyReport
from opseer_common.contracts.message import Source
from opseer_common.rendering import (
    ENGLISH,
    Line,
    day_line,
    footnotes,
    heading,
    lines,
)
from opseer_notifier.domain.report import titled

Kind = Literal["daily", "weekly", "movement", "notice", "test"]
TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "daily": "report.daily",
        "weekly": "report.weekly",
        "movement": "movement.alert",
        "notice": "notice",
        "test": "test",
    }
)
"""What a webhook calls each kind."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its heading; `footnote` says what is to be known of its values."""

    heading: str
    rows: tuple[Line, ...]
    footnote: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. `at` is the aware instant that it is about, the same over retries.

    `data` is what a program reads of it; money there is in minor units.
    """

    kind: Kind
    title: str
    subtitle: str
    at: datetime
    intro: str = ""
    sections: tuple[Section, ...] = ()
    url: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)


def daily_letter(
    report: DailyReport,
    sources: frozenset[Source],
    at: datetime,
    *,
    url: str | None = None,
    locale: str = ENGLISH,
) -> Letter:
    """Return the report of the chosen `sources` as a letter; `url` leads to more."""
    chosen = titled(
        report.date,
        report.timezone,
        tuple(one for one in report.channels if one.source in sources),
    )
    return Letter(
        kind="daily",
        title=chosen.title,
        subtitle=day_line(chosen, locale),
        at=at,
        intro="" if chosen.channels else "No source is connected.",
        sections=report_sections(chosen, locale),
        url=url,
        data=msgspec.to_builtins(chosen),
    )


def report_sections(report: DailyReport, locale: str = ENGLISH) -> tuple[Section, ...]:
    """Return a section per channel, its five metrics in their order."""
    return tuple(
        Section(
            heading(channel, report),
            lines(channel, locale),
            " ".join(footnotes(msgspec.structs.replace(report, channels=(channel,)))),
        )
        for channel in report.channels
    )


def shortened(text: str, most: int) -> str:
    """Return `text`, cut to `most` characters with an ellipsis at its end."""
    return text if len(text) <= most else text[: most - 1] + "…"


def one_line(text: str, most: int) -> str:
    """Return what somebody else chose, such as a name, as one line of a message.

    Without line breaks, control characters and changes of direction.
    """
    printable = "".join(one if one.isprintable() else " " for one in text)
    return shortened(" ".join(printable.split()), most)


def in_parts(rows: Sequence[Line], size: int) -> list[Sequence[Line]]:
    """Split rows into parts of at most `size`."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]
