"""What goes wrong on request: keys, permissions, limits, broken answers."""

from __future__ import annotations

from collections import Counter, deque
from typing import Literal

import msgspec

from opseer_simulator.resources import PERMISSIONS


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the next `count` matching requests get.

    `kind`: `rate_limited` (429), `lock_timeout` (429 without a reason), `server_error`
    (`status`), `truncated` (half a body with 200), `html` (a page with 200), `hang`
    (no answer for `seconds`). `endpoint` (`/v1/charges`) narrows, None = any.
    """

    kind: Literal[
        "rate_limited", "lock_timeout", "server_error", "truncated", "html", "hang"
    ]
    count: int = 1
    endpoint: str | None = None
    reason: str = "global-rate"
    status: int = 500
    seconds: float = 60.0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many requests a second are answered: per endpoint and over all."""

    per_endpoint: int | None = None
    total: int | None = None


class Account(msgspec.Struct, kw_only=True):
    """The account's keys and state as the control API sets them.

    `missing` holds names of PERMISSIONS; `key_state` is `valid`, `revoked` or
    `expired`; `wording` of 403s is `old` or `new`; `search` says whether the account
    may search its charges.
    """

    keys: tuple[str, ...]
    missing: set[str] = msgspec.field(default_factory=set)
    wording: str = "old"
    key_state: str = "valid"
    latency_ms: int = 0
    search: bool = False
    faults: list[Fault] = msgspec.field(default_factory=list)
    calls: Counter[str] = msgspec.field(default_factory=Counter)
    recent: deque[float] = msgspec.field(default_factory=deque)
    peak_per_second: int = 0
    limits: Limits = Limits()
    answered: dict[str, deque[float]] = msgspec.field(default_factory=dict)

    def lacks(self, permission: str) -> bool:
        """Return whether the key lacks a permission of PERMISSIONS."""
        return permission in self.missing

    def called(self, endpoint: str, at: float) -> None:
        """Count a call at a monotonic second."""
        self.calls[endpoint] += 1
        self.recent.append(at)
        while self.recent[0] <= at - 1:
            self.recent.popleft()
        self.peak_per_second = max(self.peak_per_second, len(self.recent))

    def over_limit(self, endpoint: str, at: float) -> str | None:
        """Return Stripe's reason to refuse a call at a monotonic second, or None.

        Refused calls do not count.
        """
        limits = {"": self.limits.total, endpoint: self.limits.per_endpoint}
        for name, most in limits.items():
            recent = self.answered.setdefault(name, deque())
            while recent and recent[0] <= at - 1:
                recent.popleft()
            if most is not None and len(recent) >= most:
                return "endpoint-rate" if name else "global-rate"
        for name in limits:
            self.answered[name].append(at)
        return None

    def forget_calls(self) -> None:
        """Count from zero."""
        self.calls.clear()
        self.recent.clear()
        self.peak_per_second = 0

    def next_fault(self, endpoint: str) -> Fault | None:
        """Take one off the first fault that matches an endpoint, and return it."""
        for fault in self.faults:
            if fault.count > 0 and fault.endpoint in {None, endpoint}:
                fault.count -= 1
                return fault
        return None


def permission_named(name: str) -> str:
    """Return the permission of a name: ours, or Stripe's with or without `rak_`.

    Raises ValueError for an unknown one.
    """
    plain = name.removeprefix("rak_")
    for ours, permission in PERMISSIONS.items():
        if plain in {ours, permission.right}:
            return ours
    raise ValueError(name)
