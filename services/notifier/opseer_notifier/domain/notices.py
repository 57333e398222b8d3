"""What users are told at once: a connection or a destination needs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Literal

import msgspec

from opseer_common.contracts.message import Source
from opseer_common.rendering import CHANNELS
from opseer_notifier.domain.letter import Letter

Problem = Literal[
    "AUTH_FAILED",
    "STALE",
    "DRIFT",
    "KEY_OPENINGS",
    "DESTINATION_FAILED",
    "DELIVERY_FAILED",
]


class Notice(msgspec.Struct, frozen=True):
    """A problem with a `source`, or with the destination that `name` names.

    `detail` is what the failing side said, in words that may be shown.
    """

    problem: Problem
    source: Source | None = None
    name: str = ""
    detail: str = ""


_WORDS: Mapping[Problem, tuple[str, str]] = MappingProxyType(
    {
        "AUTH_FAILED": (
            "{name} refuses the key",
            (
                "The key was refused (AUTH_FAILED): it is expired or revoked, or "
                "a permission was taken away. Nothing more is collected, and "
                'reports show "—", until you connect a new key. What was '
                "collected before is kept."
            ),
        ),
        "STALE": (
            "Nothing collected from {name} for a day",
            (
                "The last collection is more than a day old. Opseer keeps trying;"
                ' reports show "—" for days that are missing. Look at the source '
                "on the dashboard."
            ),
        ),
        "DRIFT": (
            "{name}'s figures drifted",
            (
                "A check found that stored figures differ from what {name} says "
                "now. The 90 days are being fetched again, and the dashboard says"
                " what changed."
            ),
        ),
        "KEY_OPENINGS": (
            "{name}'s key is opened unusually often",
            (
                "The stored key was opened more than 30 times within an hour; once "
                "per collection is usual. If nobody refreshes that often, revoke the"
                " key at {name} and ask who runs this Opseer to look at it."
            ),
        ),
        "DESTINATION_FAILED": (
            "{name} gets no messages any more",
            (
                "Messages there fail for good, so nothing more is sent to it. "
                "Correct it on the alerts page and send a test, which turns it on"
                " again."
            ),
        ),
        "DELIVERY_FAILED": (
            "a message did not reach {name}",
            (
                "It was tried until it was given up, and stands in the log of the "
                "alerts page, where it can be sent again. The next message is "
                "tried as usual."
            ),
        ),
    }
)


def notice_letter(notice: Notice, at: datetime, *, url: str | None = None) -> Letter:
    """Return the notice in words that say what to do."""
    title, words = _WORDS[notice.problem]
    name = CHANNELS[notice.source] if notice.source else notice.name
    intro = words.format(name=name)
    if notice.detail:
        intro += f"\n\n{notice.detail}"
    return Letter(
        kind="notice",
        title=f"⚠️ Opseer: {title.format(name=name)}",
        subtitle="",
        at=at,
        intro=intro,
        url=url,
        data={
            "code": notice.problem,
            "source": notice.source,
            "destination": notice.name or None,
            "detail": notice.detail or words.format(name=name),
        },
    )
