"""A channel's card, as text: its state, key, permissions, settings and progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_gateway.domain.integrations import SOURCE_NAMES, Integration
from opseer_gateway.pages import formats
from opseer_gateway.pages.account.guides import (
    COSTS,
    ENVIRONMENTS,
    FLAGS,
    GUIDES,
    PRESETS,
    STATES,
    Guide,
)
from opseer_gateway.pages.frame import ago, dot_of
from opseer_gateway.pages.revenue.states import progress_words

_MARKS: Final = {"ok": "✓", "missing": "✗"}
_WORDS: Final = {"ok": "granted", "missing": "missing"}
_MOODS: Final = {"connected": "good", "collecting": "warn", "auth_failed": "bad"}


@dataclass(frozen=True, slots=True)
class Permission:
    """One line of the checklist; `state` is ok, missing or unknown."""

    label: str
    state: str
    mark: str
    word: str
    cost: str


@dataclass(frozen=True, slots=True)
class ProgressBar:
    """How far a run is; `total` 0 while nobody can know."""

    words: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ChannelCard:
    """Everything the card shows. `facts` are (label, value)."""

    source: Source
    name: str
    state: str
    state_words: str
    mood: str
    dot: str
    demo: bool
    environment: str
    facts: tuple[tuple[str, str], ...]
    flags: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    permissions: tuple[Permission, ...]
    granted: int
    any_missing: bool
    progress: ProgressBar | None
    error: tuple[str, str] | None
    can_connect: bool
    can_demo: bool
    guide: Guide

    @property
    def connected(self) -> bool:
        """Whether a key is there, good or not."""
        return self.state != "disconnected"


def card_of(
    row: Integration, now: datetime, *, can_connect: bool, can_demo: bool
) -> ChannelCard:
    """Return the card of a channel's row; see `Connections` for the two `can`."""
    permissions = _permissions(row)
    return ChannelCard(
        source=row.source,
        name=SOURCE_NAMES[row.source],
        state=row.state,
        state_words=STATES[row.state],
        mood=_MOODS.get(row.state, ""),
        dot=dot_of(row),
        demo=row.environment == "demo",
        environment=ENVIRONMENTS.get(row.environment or "", ""),
        facts=_facts(row, now),
        flags=tuple((flag, FLAGS.get(flag, "")) for flag in row.flags),
        notices=tuple(notice.detail for notice in row.notices),
        permissions=permissions,
        granted=sum(one.state == "ok" for one in permissions),
        any_missing=any(one.state == "missing" for one in permissions),
        progress=_progress(row),
        error=_error(row),
        can_connect=can_connect,
        can_demo=can_demo,
        guide=GUIDES[row.source],
    )


def _permissions(row: Integration) -> tuple[Permission, ...]:
    """Return the checklist in the order of the key's form."""
    return tuple(
        Permission(
            label,
            row.permissions[name],
            _MARKS.get(row.permissions[name], "?"),
            _WORDS.get(row.permissions[name], "not known yet"),
            COSTS.get(name, ""),
        )
        for name, label in CHANNELS[row.source].permissions.items()
        if name in row.permissions
    )


def _facts(row: Integration, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return what a connected card lists."""
    if row.state == "disconnected":
        return ()
    last, due = row.last_collected_at, row.next_collection_at
    channel = CHANNELS[row.source]
    rules: tuple[tuple[str, str], ...] = ()
    if row.policy is not None and "policy" in channel.settings:
        rules = (("MRR rules", PRESETS[row.policy.preset].partition(":")[0]),)
    return (
        ("Key", row.key_hint or formats.NONE),
        ("Settlement currency", (row.settlement_currency or formats.NONE).upper()),
        ("Time zone of a day", channel.fixed_zone or row.timezone or "UTC"),
        *rules,
        ("Last collected", ago(last, now) if last else "not yet"),
        ("Next collection", formats.instant(due)),
        ("Connected", formats.instant(row.connected_at)),
    )


def _progress(row: Integration) -> ProgressBar | None:
    found = row.progress
    if found is None:
        return None
    return ProgressBar(progress_words(found), found.done, found.total)


def _error(row: Integration) -> tuple[str, str] | None:
    """Return the last error; the product's own words first."""
    error = row.last_error
    if error is None:
        return None
    own = {
        trouble.head.strip('"'): trouble.text for trouble in GUIDES[row.source].troubles
    }
    return error.code, f"{own.get(error.code, '')} {error.detail}".strip()
