"""The page one lands on: yesterday in each channel, or how to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from aiohttp import web

from opseer_common.clock import Clock
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.errors import RefusedError
from opseer_common.rendering import Line, lines
from opseer_gateway.actions.alerts import AlertSettings
from opseer_gateway.actions.connections import Connections
from opseer_gateway.actions.reading import Overview, Reading
from opseer_gateway.domain.integrations import SOURCE_NAMES, Integration
from opseer_gateway.domain.visitors import Visitor
from opseer_gateway.pages import formats
from opseer_gateway.pages.alert import view
from opseer_gateway.pages.frame import ago, dot_of, frame_of
from opseer_gateway.pages.rendering import Renderer
from opseer_gateway.pages.revenue.states import progress_words
from opseer_gateway.pages.sparks import HEIGHT, WIDTH, Spark, sparks
from opseer_gateway.web.routes import Route
from opseer_gateway.web.sessions import Sessions

_MONTH: Final = 30


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """A connected channel with its five figures of the day."""

    source: Source
    name: str
    dot: str
    state: str
    lines: tuple[Line, ...]
    sparks: tuple[Spark, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """Yesterday's report as it is sent, and when the next one is."""

    text: str
    upcoming: str


class OverviewPages:
    """The handlers."""

    def __init__(
        self,
        reading: Reading,
        alerts: AlertSettings,
        connections: Connections,
        sessions: Sessions,
        renderer: Renderer,
        clock: Clock,
    ) -> None:
        """Take the parts that app.py made."""
        self._reading = reading
        self._alerts = alerts
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
        months = {
            one.source: await self._reading.overview(visitor.account_id, one.source)
            for one in report.channels
        }
        absent = [row for row in rows if row.state == "disconnected"]
        return self._renderer.page(
            request,
            "overview",
            frame=frame_of(rows, "overview", now),
            title=report.title,
            day=formats.long_day(report.date),
            date=report.date.isoformat(),
            timezone=report.timezone,
            channels=channel_days(rows, report, months, now),
            delivered=await self._delivered(visitor, report, now),
            month=month_query(report.date),
            box=(WIDTH, HEIGHT),
            absent=[(row.source, SOURCE_NAMES[row.source]) for row in absent],
            demos=self._connections.demos,
            is_owner=visitor.role == "owner",
        )

    async def _delivered(
        self, visitor: Visitor, report: DailyReport, now: datetime
    ) -> Delivered | None:
        """Return the report as text; None on a plan without alerts."""
        try:
            alerts = await self._alerts.read(visitor)
        except RefusedError as error:
            if error.code != "PLAN_REQUIRED":
                raise
            return None
        return Delivered(view.preview(report, alerts), view.upcoming(alerts, now))


def channel_days(
    rows: list[Integration],
    report: DailyReport,
    months: Mapping[Source, Overview],
    now: datetime,
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
            sparks=tuple(sparks(months[channel.source])),
        )
        for channel in report.channels
    ]


def month_query(last: date) -> str:
    """Return the query of a revenue page that shows the thirty days up to `last`."""
    first = last - timedelta(days=_MONTH - 1)
    return f"?period=custom&from={first}&to={last}"


def _state(row: Integration, now: datetime) -> str:
    """Say how fresh the channel is, or what is wrong with it."""
    if row.state == "auth_failed":
        return f"{SOURCE_NAMES[row.source]} refused this key"
    if row.progress is not None:
        return progress_words(row.progress)
    if row.last_collected_at is None:
        return "Never collected"
    return f"Collected {ago(row.last_collected_at, now)}"
