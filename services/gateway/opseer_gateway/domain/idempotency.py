"""Writes that may come again: how long they are known, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

KEPT: Final = timedelta(hours=24)
ABANDONED: Final = timedelta(seconds=60)
"""After so long a write that has no answer is not under way any more: the gateway
stopped in between. It is done when it comes again."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A write that came before with the same key; no `answer`: it is under way."""

    request_hash: bytes
    answer: bytes | None = field(repr=False)
