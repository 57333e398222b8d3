"""The simulator's own clock. This module alone reads the machine's time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current instant, aware and in UTC."""


def utc_now() -> datetime:
    """Return the machine's current instant in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that may
