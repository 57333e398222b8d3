"""Who may ask a channel what, how often, and what goes wrong on request."""

from __future__ import annotations

from collections import Counter, deque
from typing import Literal

import msgspec


class ChannelFault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the next `count` matching requests get.

    `kind`: `rate_limited` (429, with `seconds` to wait), `locked` (423), `server_error`
    (`status`), `truncated` (half a body with 200), `html` (a page with 200), `hang` (no
    answer for `seconds`). `path` narrows to paths that contain it, None = any.
    """

    kind: Literal["rate_limited", "locked", "server_error", "truncated", "html", "hang"]
    count: int = 1
    path: str | None = None
    status: int = 500
    seconds: int = 1


class ChannelLimits(msgspec.Struct, forbid_unknown_fields=True):
    """How many requests each domain answers in a window; a missing domain: any."""

    domains: dict[str, int]
    window_seconds: float = 60.0


class Door(msgspec.Struct, kw_only=True):
    """The keys and the state of a channel's API as the control API sets them.

    `rights` are the permissions it knows; `missing` those its keys lack; `key_state` is
    `valid` or `revoked`. Refused requests do not count towards a limit.
    """

    keys: tuple[str, ...]
    rights: frozenset[str]
    limits: ChannelLimits
    missing: set[str] = msgspec.field(default_factory=set)
    key_state: Literal["valid", "revoked"] = "valid"
    latency_ms: int = 0
    faults: list[ChannelFault] = msgspec.field(default_factory=list)
    calls: Counter[str] = msgspec.field(default_factory=Counter)
    answered: dict[str, deque[float]] = msgspec.field(default_factory=dict)

    def opens(self, key: str) -> bool:
        """Return whether a key is one of this channel's, and valid."""
        return key in self.keys and self.key_state == "valid"

    def next_fault(self, path: str) -> ChannelFault | None:
        """Take one off the first fault that matches a path, and return it."""
        for fault in self.faults:
            if fault.count > 0 and (fault.path is None or fault.path in path):
                fault.count -= 1
                return fault
        return None

    def used(self, domain: str, at: float) -> int:
        """Return how many requests of a domain were answered in the window."""
        recent = self.answered.setdefault(domain, deque())
        while recent and recent[0] <= at - self.limits.window_seconds:
            recent.popleft()
        return len(recent)

    def wait(self, domain: str, at: float) -> float | None:
        """Count a request at a monotonic second, or return how long it must wait."""
        most = self.limits.domains.get(domain)
        if most is not None and self.used(domain, at) >= most:
            recent = self.answered[domain]
            if not recent:
                return self.limits.window_seconds
            return recent[0] + self.limits.window_seconds - at
        self.used(domain, at)
        self.answered[domain].append(at)
        return None
