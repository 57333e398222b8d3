"""How an attempt to send ended, and when the next one is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_WEBHOOK: Final = (
    *(5, 5 * _MINUTE, 30 * _MINUTE),
    *(2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
"""Standard Webhooks 1.0.0, "Deliverability and reliability"."""
_PEOPLE: Final = (5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR)
_JITTER_PARTS: Final = 10
_LONGEST_WISH: Final = 24 * _HOUR
IDEMPOTENT: Final = frozenset({"webhook"})
"""Channels whose receiver drops a second message of the same id."""


@dataclass(frozen=True, slots=True)
class Sent:
    """It was taken. `moved_to` is the destination's new place, where it said one."""

    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """It was not taken now; `after` is for how many seconds the receiver asks."""

    code: str
    detail: str
    after: int | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be taken. `disables`: nor will anything else be sent there."""

    code: str
    detail: str
    disables: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """The receiver may or may not have taken it: the answer did not arrive."""

    code: str
    detail: str


Outcome = Sent | Again | Refused | Unknown
State = Literal["sent", "retrying", "failed", "disabled", "perhaps_sent"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is written of an attempt; `not_before` where there is another one.

    `disables` the destination: its user is told, as of a delivery that `is_given_up`.
    """

    state: State
    code: str | None = None
    detail: str | None = None
    not_before: datetime | None = None
    disables: bool = False
    is_given_up: bool = False
    moved_to: str | None = None


def judge(
    outcome: Outcome, channel: str, attempts: int, now: datetime, jitter: int
) -> Verdict:
    """Return what follows from the outcome of attempt number `attempts` (from 1).

    `jitter`, 0 to 9, spreads what would be tried again in the same second: it adds up
    to a tenth of the delay.
    """
    if isinstance(outcome, Sent):
        return Verdict("sent", moved_to=outcome.moved_to)
    if isinstance(outcome, Refused):
        return Verdict(
            "disabled" if outcome.disables else "failed",
            outcome.code,
            outcome.detail,
            disables=outcome.disables,
            is_given_up=not outcome.disables,
        )
    if isinstance(outcome, Unknown) and channel not in IDEMPOTENT:
        return Verdict("perhaps_sent", outcome.code, outcome.detail)
    delays = _WEBHOOK if channel in IDEMPOTENT else _PEOPLE
    if attempts > len(delays):
        return Verdict("failed", outcome.code, outcome.detail, is_given_up=True)
    delay = delays[attempts - 1]
    delay += delay * jitter // (_JITTER_PARTS * _JITTER_PARTS)
    moved_to = None
    if isinstance(outcome, Again):
        delay = max(delay, min(outcome.after or 0, _LONGEST_WISH))
        moved_to = outcome.moved_to
        if moved_to is not None:
            delay = 0
    return Verdict(
        "retrying",
        outcome.code,
        outcome.detail,
        not_before=now + timedelta(seconds=delay),
        moved_to=moved_to,
    )
