"""From what a provider reports of itself to published figures and daily rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from opseer_collector.domain.records import Fetched, ProjectMetric, Reported
from opseer_collector.domain.reported import (
    MetricDay,
    Stored,
    daily_rows,
    metric_days,
)
from opseer_collector.domain.windows import KEPT, bounds, touched, window
from opseer_collector.domain.work import Claim, Reading
from opseer_collector.store.figures import OF, Figures, missing
from opseer_common.database import Connection
from opseer_common.days import DayRange, day_of, zone


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: the days, and whether older ones have to be read again.

    That is where one that was complete has changed, and not all of them were read.
    """

    days: DayRange
    drifted: bool


class ReportedFigures:
    """Publishes inside the running transaction of a claim."""

    def __init__(self, connection: Connection, claim: Claim, figures: Figures) -> None:
        """Write daily rows through `figures`."""
        self._connection = connection
        self._claim = claim
        self._figures = figures
        self._of = (claim.account_id, claim.source, claim.connection_id)

    async def are_there(self) -> bool:
        """Tell whether figures of the connection were published before."""
        found: bool = await self._connection.fetchval(
            f"SELECT EXISTS (SELECT FROM collector.metric_daily WHERE {OF})",  # noqa: S608
            *self._of,
        )
        return found

    async def publish(
        self,
        reading: Reading,
        fetched: Fetched,
        reported: Reported,
        permissions: Mapping[str, str],
        first_fence: int,
    ) -> Published:
        """Replace the published figures by those that the stored rows make up.

        `first_fence` is the run's first: what it read before it broke off is kept.
        """
        tz = zone(reported.timezone)
        days = window(reading.as_of, tz)
        await self._clean(reading, fetched, reported, first_fence)
        starts = bounds(days, tz)
        stored = Stored(
            days=[*days],
            starts=starts,
            metrics=await self._metrics(days),
            aside=await self._aside([*days], starts),
            missing=missing(permissions),
        )
        figures = metric_days(stored, reported, reading.as_of)
        await self._write(figures, reading, reported)
        drifted = await self._figures.replace(
            days, tz, daily_rows(figures), reported.currency, reading.as_of
        )
        return Published(days, drifted and not reported.whole)

    async def _clean(
        self,
        reading: Reading,
        fetched: Fetched,
        reported: Reported,
        first_fence: int,
    ) -> None:
        """Delete what is old, not wanted any more, or gone at the provider."""
        tz = zone(reported.timezone)
        await self._connection.execute(
            f"""
            DELETE FROM collector.project_metric
            WHERE {OF} AND (day < $4 OR project <> ALL($5::text[]))
            """,  # noqa: S608 - a constant
            *(*self._of, day_of(reading.as_of - KEPT, tz), [*reported.projects]),
        )
        read = [
            name
            for name, told in reported.names.items()
            if told.endpoint in fetched.live_lists
        ]
        await self._connection.execute(
            f"""
            DELETE FROM collector.project_metric
            WHERE {OF} AND fence < $4 AND name = ANY($5::text[])
              AND day >= (to_timestamp($6) AT TIME ZONE $7)::date
            """,  # noqa: S608 - a constant
            *(*self._of, first_fence, read),
            *(0 if reported.whole else reading.span.since, reported.timezone),
        )

    async def _metrics(self, days: DayRange) -> list[ProjectMetric]:
        rows = await self._connection.fetch(
            f"""
            SELECT project, day, name, currency, value, partial
            FROM collector.project_metric WHERE {OF} AND day BETWEEN $4 AND $5
            """,  # noqa: S608 - a constant
            *(*self._of, days.first, days.last),
        )
        return [ProjectMetric(**dict(row)) for row in rows]

    async def _aside(
        self, days: list[date], starts: list[int]
    ) -> frozenset[tuple[str, date]]:
        rows = await self._connection.fetch(
            f"SELECT endpoint, since, until FROM collector.quarantine WHERE {OF}",  # noqa: S608
            *self._of,
        )
        return frozenset(
            (row["endpoint"], days[index])
            for row in rows
            for index in touched(row["since"], row["until"], starts)
        )

    async def _write(
        self, figures: list[MetricDay], reading: Reading, reported: Reported
    ) -> None:
        """Put the figures in place of the earlier ones, and the notices."""
        await self._connection.execute(
            f"DELETE FROM collector.metric_daily WHERE {OF}",  # noqa: S608
            *self._of,
        )
        await self._connection.execute(
            """
            INSERT INTO collector.metric_daily (account_id, source, connection_id,
                timezone, as_of, day, name, currency, value, complete, reason)
            SELECT $1, $2, $3, $4, $5, * FROM unnest($6::date[], $7::text[],
                $8::text[], $9::bigint[], $10::boolean[], $11::text[])
            """,
            *(*self._of, reported.timezone, reading.as_of),
            [one.day for one in figures],
            [one.name for one in figures],
            [one.currency for one in figures],
            [one.value for one in figures],
            [one.complete for one in figures],
            [one.reason for one in figures],
        )
        await self._connection.execute(
            f"UPDATE collector.connection SET notices = $4 WHERE {OF}",  # noqa: S608
            *(*self._of, sorted(reported.notices)),
        )
