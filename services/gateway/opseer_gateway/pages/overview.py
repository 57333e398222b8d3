"""The page one lands on: yesterday in each channel, or how to begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.rendering import Line, lines
from opseer_gateway.actions.connections import Connections
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.integrations import SOURCE_NAMES, Integration
from opseer_gateway.pages import formats
from opseer_gateway.pages.frame import ago, dot_of, frame_of
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.pages.revenue.states import progress_words
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """A connected channel with its five figures of the day."""

    source: Source
    name: str
    dot: str
    state: str
    lines: tuple[Line, ...]


class OverviewPages:
    """The handlers."""

    def __init__(
        self,
        reading: Reading,
        connections: Connections,
        sessions: Sessions,
        renderer: Renderer,
        clock: Clock,
    ) -> None:
        """Take the parts that app.py made."""
        self._reading = reading
        self._connections = connections
        self._sessions = sessions
        self._renderer = renderer
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        handle = self._renderer.shown(self._show)
        return [Route("GET", "/dashboard", handle, "Yesterday in each channel")]

    async def _show(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        now = self._clock()
        rows = await self._reading.integrations(visitor.account_id)
        report = await self._reading.report(visitor.account_id, None)
        absent = [row for row in rows if row.state == "disconnected"]
        return self._renderer.page(
            request,
            "overview",
            frame=frame_of(rows, "overview", now),
            title=report.title,
            day=formats.long_day(report.date),
            date=report.date.isoformat(),
            timezone=report.timezone,
            channels=channel_days(rows, report, now),
            absent=[(row.source, SOURCE_NAMES[row.source]) for row in absent],
            demos=self._connections.demos,
            is_owner=visitor.role == "owner",
        )


def channel_days(
    rows: list[Integration], report: DailyReport, now: datetime
) -> list[ChannelDay]:
    """Return the report's channels, each with its state in words."""
    by_source = {row.source: row for row in rows}
    return [
        ChannelDay(
            source=channel.source,
            name=SOURCE_NAMES[channel.source],
            dot=dot_of(by_source[channel.source]),
            state=_state(by_source[channel.source], now),
            lines=lines(channel),
        )
        for channel in report.channels
    ]


def _state(row: Integration, now: datetime) -> str:
    """Say how fresh the channel is, or what is wrong with it."""
    if row.state == "auth_failed":
        return f"{SOURCE_NAMES[row.source]} refused this key"
    if row.progress is not None:
        return progress_words(row.progress)
    if row.last_collected_at is None:
        return "Never collected"
    return f"Collected {ago(row.last_collected_at, now)}"
