"""Publishing: from stored rows to the daily cache, in one transaction with its news.

SQL only sums up per day, currency and category; the figures are made by
domain/daily.py. Replacing rows and figures, never adding to them, makes a run that is
driven twice the same as one that is driven once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from opseer_collector.domain.balance import JUDGED_AFTER
from opseer_collector.domain.records import Fetched
from opseer_collector.domain.rounds import drift_run, next_round
from opseer_collector.domain.windows import KEPT, bounds, oldest_read, window
from opseer_collector.domain.work import Claim, Covered, Reading
from opseer_collector.store.checks import BalanceCheck
from opseer_collector.store.connections import Place, line_up
from opseer_collector.store.figures import OF, Figures, Standing, missing
from opseer_collector.store.reported import ReportedFigures
from opseer_collector.store.runs import SCHEMA, fenced
from opseer_common import outbox
from opseer_common.contracts import RevenueCollected
from opseer_common.database import Connection, Database, Row
from opseer_common.days import DayRange, day_of, zone

_LISTS: Final = {
    "balance_transactions": "balance_transaction",
    "charges": "charge",
    "disputes": "dispute",
    "refunds": "refund",
}
_NONE: Final = [0, 0]
_ASKED_AGAIN: Final = timedelta(seconds=JUDGED_AFTER + 60)
_FENCED: Final = {
    "subscription": "id",
    "ended_subscription": "id",
    "subscription_change": "event_id",
}
"""Tables of which mrr sees published rows alone, and the key of each."""


class Publisher:
    """Makes figures of what a claim's connection has stored."""

    def __init__(self, database: Database) -> None:
        """Read and write through `database`."""
        self._database = database

    async def publish(
        self,
        claim: Claim,
        now: datetime,
        reading: Reading | None,
        fetched: Fetched | None,
    ) -> None:
        """End the run with its figures. None, None: nothing was fetched (recompute).

        Raises Overtaken where the run or its connection is not ours any more.
        """
        async with fenced(self._database, claim) as connection:
            await _Publication(connection, claim, now).run(reading, fetched)

    async def preview(self, claim: Claim, as_of: datetime, covered: Covered) -> None:
        """Show the days that a first run has read so far; the others are being read.

        Says nothing on the bus: who hears of figures hears of whole ones.
        """
        async with fenced(self._database, claim, alone=False) as connection:
            figures = Figures(connection, claim)
            standing = await figures.standing()
            currency = standing.chosen or standing.known or covered.currency
            if currency is None:
                return
            days = window(as_of, standing.tz)
            await figures.find_rates(as_of)
            facts = await figures.facts(
                bounds(days, standing.tz), standing.permissions, covered.since
            )
            await figures.cache(days, standing.tz, facts, currency, as_of)


class _Publication:
    """One publishing transaction."""

    def __init__(self, connection: Connection, claim: Claim, now: datetime) -> None:
        self._connection = connection
        self._claim = claim
        self._now = now
        self._figures = Figures(connection, claim)
        self._check = BalanceCheck(connection, claim)
        self._of = (claim.account_id, claim.source, claim.connection_id)

    async def run(self, reading: Reading | None, fetched: Fetched | None) -> None:
        """Replace the figures, end the run and say so."""
        standing = await self._figures.standing()
        as_of = standing.last_collected_at if reading is None else reading.as_of
        if as_of is None:
            # Nothing was collected yet: the first collection will see the settings.
            await self._end_run()
            return
        permissions = dict(standing.permissions)
        if reading is not None and fetched is not None:
            permissions |= fetched.permissions
            await self._clean(reading, fetched)
        reported = await self._report(standing, reading, fetched, permissions)
        if reported is not None:
            standing, days, currency, drifted = reported
        else:
            days, currency, drifted = await self._compute(
                standing, reading, fetched, permissions
            )
        flags = await self._flags(standing, permissions, fetched)
        if await self._has_drift(standing, drifted=drifted):
            flags.append("drift")
        await self._end_run()
        found = currency, permissions, flags
        revision = await self._close(standing, as_of, days, found)
        await self._say(_changed(days, standing.tz, reading), revision)

    async def _compute(
        self,
        standing: Standing,
        reading: Reading | None,
        fetched: Fetched | None,
        permissions: Mapping[str, str],
    ) -> tuple[DayRange, str | None, bool]:
        """Compute the figures from rows, in the currency that is chosen or found.

        Return their days, the currency that was found, and whether they drifted.
        """
        at = self._now if reading is None else reading.as_of
        as_of = at if reading is not None else standing.last_collected_at or at
        if reading is not None:
            await self._show_rows()
            await self._figures.find_rates(as_of)
        days = window(at, standing.tz)
        candidates = fetched.currencies if fetched else frozenset[str]()
        found = await self._figures.currency(standing, candidates)
        shown, tz = standing.chosen or found, standing.tz
        facts = await self._figures.facts(bounds(days, tz), permissions)
        drifted = await self._figures.cache(days, tz, facts, shown, as_of)
        if fetched is not None:
            await self._check.run(fetched, as_of)
        return days, found, drifted

    async def _report(
        self,
        standing: Standing,
        reading: Reading | None,
        fetched: Fetched | None,
        permissions: Mapping[str, str],
    ) -> tuple[Standing, DayRange, str | None, bool] | None:
        """Publish what the provider reports of itself; None where we compute.

        Where nothing was fetched, the figures stay: only the provider could change
        them, and it refuses the key.
        """
        figures = ReportedFigures(self._connection, self._claim, self._figures)
        if reading is None or fetched is None:
            if not await figures.are_there():
                return None
            days = window(standing.last_collected_at or self._now, standing.tz)
            return standing, days, standing.known, False
        told = fetched.reported
        if told is None:
            return None
        first_fence, _ = await self._read_before()
        published = await figures.publish(
            reading, fetched, told, permissions, first_fence
        )
        in_its_zone = replace(standing, tz=zone(told.timezone))
        return in_its_zone, published.days, told.currency, published.drifted

    async def _say(self, days: DayRange, revision: int) -> None:
        """Say that the rows of `days` are new."""
        said = RevenueCollected.of(
            account_id=self._claim.account_id,
            source=self._claim.source,
            connection_id=self._claim.connection_id,
            run_id=self._claim.run_id,
            first_day=days.first,
            last_day=days.last,
            revision=revision,
        )
        await outbox.say(self._connection, SCHEMA, said)

    async def _clean(self, reading: Reading, fetched: Fetched) -> None:
        """Delete what the provider no longer has, what was healed, and what is old."""
        since, oldest = reading.span.since, int((reading.as_of - KEPT).timestamp())
        # What is older than a whole reading is in no day that is shown.
        healed = oldest if since <= oldest_read(reading.as_of) else since
        first, kept = await self._read_before()
        mine = self._claim.fence
        for endpoint, table in _LISTS.items():
            gone_since = since if endpoint in fetched.live_lists else None
            await self._connection.execute(
                f"""
                DELETE FROM collector.{table}
                WHERE {OF} AND (created < $4 OR created >= $5 AND fence < $6
                    AND (fence < $7 OR width_bucket(created, $8::bigint[]) % 2 = 0))
                """,  # noqa: S608 - constants
                *(
                    *self._of,
                    oldest,
                    gone_since,
                    mine,
                    first,
                    kept.get(endpoint, _NONE),
                ),
            )
            await self._connection.execute(
                f"""
                DELETE FROM collector.quarantine
                WHERE {OF} AND endpoint = $4 AND fence < $5
                  AND (since IS NULL OR since >= $6 OR since < $7)
                  AND (fence < $8 OR since IS NULL
                       OR width_bucket(since, $9::bigint[]) % 2 = 0)
                """,  # noqa: S608 - a constant
                *(*self._of, endpoint, mine, healed, oldest),
                *(first, kept.get(endpoint, _NONE)),
            )
        if "subscriptions" in fetched.live_lists:
            await self._connection.execute(
                f"DELETE FROM collector.subscription WHERE {OF} AND fence < $4",  # noqa: S608
                *(*self._of, self._claim.fence),
            )
        await self._connection.execute(
            f"DELETE FROM collector.subscription_change WHERE {OF} AND at < $4",  # noqa: S608
            *(*self._of, oldest),
        )
        await self._connection.execute(
            f"""
            DELETE FROM collector.quarantine
            WHERE {OF} AND fence < $4 AND endpoint <> ALL($5::text[])
              AND (since IS NULL OR since >= $6 OR since < $7)
            """,  # noqa: S608 - a constant
            *(*self._of, mine, [*_LISTS], healed, oldest),
        )

    async def _read_before(self) -> tuple[int, dict[str, list[int]]]:
        """Return what this run read before it broke off, to be kept.

        That is its first fence, and by list where windows begin and end in turn.
        """
        rows = await self._connection.fetch(
            """
            SELECT endpoint, since, until, fence FROM collector.read_window
            WHERE run_id = $1 AND fence < $2 ORDER BY endpoint, since
            """,
            *(self._claim.run_id, self._claim.fence),
        )
        edges: dict[str, list[int]] = {}
        for row in rows:
            known = edges.setdefault(row["endpoint"], [])
            if known and row["since"] <= known[-1]:
                known[-1] = max(known[-1], row["until"])
            else:
                known += (row["since"], row["until"])
        first = min((row["fence"] for row in rows), default=self._claim.fence)
        return first, edges

    async def _show_rows(self) -> None:
        """Let this run's subscriptions and events be seen, in place of earlier ones.

        Rows between the last publishing and this run are of runs that broke off: what
        they read was read again.
        """
        for table, key in _FENCED.items():
            await self._connection.execute(
                f"""
                DELETE FROM collector.{table} WHERE {OF} AND fence < $4
                  AND fence > (SELECT published_fence FROM collector.connection
                               WHERE {OF})
                """,  # noqa: S608 - constants
                *(*self._of, self._claim.fence),
            )
            await self._connection.execute(
                f"""
                DELETE FROM collector.{table} WHERE {OF} AND fence < $4
                  AND {key} IN (SELECT {key} FROM collector.{table}
                                WHERE {OF} AND fence = $4)
                """,  # noqa: S608 - constants
                *(*self._of, self._claim.fence),
            )
        await self._connection.execute(
            f"""
            UPDATE collector.connection SET published_fence = $4,
                subscriptions_unread = EXISTS (SELECT FROM collector.quarantine
                    WHERE {OF} AND endpoint = 'subscriptions')
            WHERE {OF}
            """,  # noqa: S608 - a constant
            *(*self._of, self._claim.fence),
        )

    async def _flags(
        self,
        standing: Standing,
        permissions: Mapping[str, str],
        fetched: Fetched | None,
    ) -> list[str]:
        """Return what is left out, as the words of the API."""
        row: Row | None = await self._connection.fetchrow(
            f"""
            SELECT count(*) > 0 AS quarantine,
                   count(*) FILTER (WHERE object_id LIKE 'page:%') > 0 AS partial
            FROM collector.quarantine WHERE {OF}
            """,  # noqa: S608 - a constant
            *self._of,
        )
        flags = {name for name, on in ({} if row is None else dict(row)).items() if on}
        lacking = "permission" in standing.flags if fetched is None else fetched.lacking
        if lacking or missing(permissions):
            flags.add("permission")
        return list(flags)

    async def _has_drift(self, standing: Standing, *, drifted: bool) -> bool:
        """Tell whether a daily round found changed days, or rows are lost.

        A round reads the last days a second time and finds out when days changed that
        were over; lost are rows that the balance tells of. Then all is read again; it
        stays told until a later round agrees. Where rows of a quiet account do not
        explain the balance, all is read again as well, once every row is visible:
        what then is lost is told.
        """
        lost = self._check.lost
        match self._claim.kind:
            case "first":
                return False
            case "daily":
                if drifted or lost or self._check.open_question:
                    run_id = drift_run(self._claim.run_id)
                    wait = timedelta(0) if drifted or lost else _ASKED_AGAIN
                    place, now = Place(*self._of), self._now
                    await line_up(self._connection, place, run_id, "refresh", now, wait)
                return drifted or lost
            case _:
                return lost or "drift" in standing.flags

    async def _end_run(self) -> None:
        await self._connection.execute(
            """
            UPDATE collector.run SET state = 'done', stage = 'done', done = total,
                finished_at = $2, leased_by = NULL, leased_until = NULL
            WHERE run_id = $1
            """,
            *(self._claim.run_id, self._now),
        )
        await self._connection.execute(
            "DELETE FROM collector.read_window WHERE run_id = $1", self._claim.run_id
        )

    async def _close(
        self,
        standing: Standing,
        as_of: datetime,
        days: DayRange,
        found: tuple[str | None, dict[str, str], list[str]],
    ) -> int:
        """Note currency, permissions and flags; return the new revision.

        A refused key stays refused: only a recompute runs then, and calls nobody.
        """
        currency, permissions, flags = found
        due = next_round(
            self._now, standing.tz, self._claim.account_id, self._claim.source
        )
        revision: int = await self._connection.fetchval(
            f"""
            UPDATE collector.connection
            SET revision = revision + 1, settings_revision = $4, last_collected_at = $5,
                first_day = $6, settlement_currency = $7, permissions = $8, flags = $9
            WHERE {OF} RETURNING revision
            """,  # noqa: S608 - a constant
            *(*self._of, standing.settings_revision, as_of, days.first, currency),
            *(msgspec.json.encode(permissions).decode(), sorted(flags)),
        )
        await self._connection.execute(
            f"""
            UPDATE collector.connection SET state = 'connected', next_run_at = $4,
                last_error_code = NULL, last_error_detail = NULL
            WHERE {OF} AND state <> 'auth_failed'
            """,  # noqa: S608 - a constant
            *(*self._of, due),
        )
        return revision


def _changed(days: DayRange, tz: ZoneInfo, reading: Reading | None) -> DayRange:
    """Return the days whose rows may be new: from where the run began to read."""
    if reading is None:
        return days
    since = datetime.fromtimestamp(reading.span.since, tz)
    return DayRange(max(days.first, day_of(since, tz)), days.last)
