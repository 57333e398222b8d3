"""What stands around every page of a signed-in user: navigation, banner, freshness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.integrations import SOURCE_NAMES, Integration
from opseer_gateway.domain.visitors import Visitor

Place = Literal[
    "overview", "stripe", "revenuecat", "polar", "integrations", "alert", "account"
]
"""The page of the navigation that one is on."""

_BANNERS: Mapping[str, str] = MappingProxyType({"test": "TEST MODE", "demo": "DEMO"})
_BANNER_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "TEST MODE": "These figures come from test data, not real money.",
        "DEMO": "Demo data: a made-up company.",
    }
)
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Channel:
    """A payment channel in the navigation; `dot` is a class of the style sheet."""

    source: Source
    name: str
    dot: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything base.html says; `collected` is empty where nothing is connected."""

    place: Place
    channels: tuple[Channel, ...]
    banner: str | None
    banner_note: str
    dot: str
    collected: str
    collected_at: str
    timezone: str


class Frames:
    """Makes frames for pages that read nothing of the channels themselves."""

    def __init__(self, reading: Reading, clock: Clock) -> None:
        """Read the channels' rows from `reading`."""
        self._reading = reading
        self._clock = clock

    async def of(self, visitor: Visitor, place: Place) -> Frame:
        """Return the frame of a visitor's page."""
        rows = await self._reading.integrations(visitor.account_id)
        return frame_of(rows, place, self._clock())


def frame_of(rows: Sequence[Integration], place: Place, now: datetime) -> Frame:
    """Return the frame for the account's channels, one row of each.

    Freshness and zone are of the channel whose page it is, else of the first one that
    is connected.
    """
    connected = [row for row in rows if row.state != "disconnected"]
    own = [row for row in rows if row.source == place]
    shown = next(iter(own or connected), None)
    banner = banner_of(own or rows)
    collected, collected_at = _collected(shown, now)
    return Frame(
        place=place,
        channels=tuple(
            Channel(row.source, SOURCE_NAMES[row.source], dot_of(row)) for row in rows
        ),
        banner=banner,
        banner_note=_BANNER_NOTES.get(banner or "", ""),
        dot="" if shown is None else dot_of(shown),
        collected=collected,
        collected_at=collected_at,
        timezone=(shown and shown.timezone) or "UTC",
    )


def banner_of(rows: Sequence[Integration]) -> str | None:
    """Return what the page must say where its figures are not real money."""
    modes = {row.environment for row in rows}
    if "demo" in modes:
        return _BANNERS["demo"]
    return _BANNERS["test"] if "test" in modes else None


def dot_of(row: Integration) -> str:
    """Return the class of a channel's dot."""
    if row.state == "connected" and row.flags:
        return "flagged"
    return row.state


def _collected(row: Integration | None, now: datetime) -> tuple[str, str]:
    """Say when the channel was collected last, and at which instant exactly."""
    if row is None or row.state == "disconnected":
        return "", ""
    last = row.last_collected_at
    if last is None:
        words = "Collecting…" if row.state == "collecting" else "Never collected"
        return words, ""
    return f"Collected {ago(last, now)}", f"{last:%Y-%m-%d %H:%M:%S} UTC"


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago something was, in the largest whole unit."""
    seconds = max(0, int((now - then).total_seconds()))
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min ago"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h ago"
    return f"{seconds // _DAY} days ago"
