"""Alerts of subscriptions that came, went or shrank by more than a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from opseer_common.contracts.message import Source
from opseer_common.rendering import CHANNELS, ENGLISH, Line, day_text, money_text
from opseer_notifier.domain.letter import Letter, Section, one_line

SHOWN: Final = 20
_LONGEST: Final = 80
_TOLD: Final = {
    "new": ("New", "▲", "good"),
    "churned": ("Churned", "▼", "bad"),
    "contraction": ("Contracted", "▼", "bad"),
}


class Change(msgspec.Struct, frozen=True):
    """One subscription that moved a day by `amount` minor units of MRR.

    The amount is in the channel's currency, negative where MRR fell. `customer` is a
    name, else an e-mail address, else the id.
    """

    day: date
    subscription_id: str
    plan: str
    category: str
    amount: int
    customer: str = ""


class Movement(msgspec.Struct, frozen=True):
    """The changes of one collection that a user is told, and how many there are.

    `currency` is a lower-case ISO code, `mode` what the title says: TEST MODE, DEMO.
    """

    source: Source
    currency: str
    mode: str
    changes: tuple[Change, ...]
    count: int


def movement_of(
    source: Source,
    currency: str,
    mode: str,
    changes: Sequence[Change],
    threshold: int,
) -> Movement | None:
    """Return what is told of `changes` at a threshold in minor units; None: nothing.

    A change of exactly the threshold is told.
    """
    told = [
        one
        for one in changes
        if one.category in _TOLD and one.amount and abs(one.amount) >= threshold
    ]
    if not told:
        return None
    told.sort(key=lambda one: (-abs(one.amount), one.subscription_id))
    return Movement(source, currency, mode, tuple(told[:SHOWN]), len(told))


def movement_letter(
    movement: Movement,
    at: datetime,
    *,
    url: str | None = None,
    locale: str = ENGLISH,
) -> Letter:
    """Return the alert, the largest change first."""
    more = movement.count - len(movement.changes)
    days = sorted({one.day for one in movement.changes})
    title = f"📊 Opseer MRR alert · {CHANNELS[movement.source]}"
    return Letter(
        kind="movement",
        title=title + (f" · {movement.mode}" if movement.mode else ""),
        subtitle=" to ".join(
            dict.fromkeys((day_text(days[0], locale), day_text(days[-1], locale)))
        ),
        at=at,
        sections=(
            Section(
                CHANNELS[movement.source],
                tuple(_row(one, movement.currency, locale) for one in movement.changes),
                f"and {more} more" if more else "",
            ),
        ),
        url=url,
        data=msgspec.to_builtins(movement),
    )


def _row(change: Change, currency: str, locale: str) -> Line:
    label, arrow, mood = _TOLD[change.category]
    size = money_text(abs(change.amount), currency, locale)
    return Line(
        label=label,
        value=f"{arrow} {size}",
        note=" · ".join(
            one_line(one, _LONGEST)
            for one in (change.customer, change.plan, change.subscription_id)
            if one
        ),
        mood="good" if mood == "good" else "bad",
    )
