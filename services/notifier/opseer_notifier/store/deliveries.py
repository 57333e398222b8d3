"""Deliveries: claimed under a lease, sent, and what came of it written down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from opseer_common.contracts import ReportDelivered, Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.database import (
    Connection,
    Database,
    Row,
    work_for,
)
from opseer_common.outbox import say
from opseer_notifier.domain.delivering import Delivery, is_ready
from opseer_notifier.domain.notices import Notice
from opseer_notifier.domain.outcome import IDEMPOTENT, Verdict
from opseer_notifier.domain.report import SOURCES
from opseer_notifier.store.notices import tell_user
from opseer_notifier.store.reports import SCHEMA

LEASE: Final = timedelta(seconds=60)
_WEEKS: Final = timedelta(days=14)
_LOST: Final = (
    "The process ended while it was sending: the message may have arrived. Send it "
    "again if it did not."
)

_DUE = """
    SELECT account_id, delivery_id FROM notifier.sweep_delivery
    WHERE not_before <= $1 AND (leased_until IS NULL OR leased_until <= $1)
    ORDER BY not_before LIMIT $2
"""
_LOCK = """
    SELECT v.delivery_id, v.account_id, v.user_id, v.destination_id, v.channel, v.kind,
           v.day, v.due_at, v.wait_until, v.attempts, v.fence, v.sending, v.asked,
           v.body, d.name, d.sealed, d.state AS destination_state, d.moved_to,
           d.error_code IS NOT NULL AS had_error, s.sources
    FROM notifier.delivery v
    LEFT JOIN notifier.destination d USING (destination_id)
    LEFT JOIN notifier.alert_setting s ON s.user_id = v.user_id
    WHERE v.account_id = $1 AND v.delivery_id = $2
      AND v.state IN ('pending', 'retrying') AND v.not_before <= $3
      AND (v.leased_until IS NULL OR v.leased_until <= $3)
    FOR UPDATE OF v SKIP LOCKED
"""
_CLAIM = """
    UPDATE notifier.delivery
    SET attempts = attempts + 1, fence = fence + 1, leased_until = $3, sending = true
    WHERE account_id = $1 AND delivery_id = $2
"""
_END = """
    UPDATE notifier.delivery
    SET state = $4, error_code = $5, error_detail = $6, leased_until = NULL,
        sending = false, sent_at = $7, not_before = coalesce($8, not_before)
    WHERE account_id = $1 AND delivery_id = $2 AND fence = $3
    RETURNING true
"""
_REPORTS = """
    SELECT day, body FROM notifier.report
    WHERE account_id = $1 AND day BETWEEN $2 AND $3
"""
_NEWEST = """
    SELECT day, body FROM notifier.report WHERE account_id = $1
    ORDER BY day DESC LIMIT 1
"""


class DeliveryStore:
    """The delivery log and the destinations."""

    def __init__(self, database: Database) -> None:
        """Use `database` with this service's own login."""
        self._database = database

    async def due(self, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
        """Return accounts and deliveries that may be sent, the oldest first."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_DUE, now, limit)
        return [(row["account_id"], row["delivery_id"]) for row in rows]

    async def claim(
        self, wanted: Sequence[tuple[UUID, UUID]], now: datetime
    ) -> list[Delivery]:
        """Take deliveries for one attempt each, until the lease is over.

        All in one transaction, which is on disk before anything is sent. Left out is
        what must not be sent: another process has it, its day is still waited for, its
        destination is gone or disabled, or an attempt whose process died may have sent
        it already.
        """
        claimed = []
        async with self._database.transaction() as connection:
            for account_id, delivery_id in wanted:
                await work_for(connection, account_id)
                row = await connection.fetchrow(_LOCK, account_id, delivery_id, now)
                if row is None or await _ends_unsent(connection, row):
                    continue
                reports = await _reports(connection, row)
                if await _waits(connection, row, reports, now):
                    continue
                await connection.execute(_CLAIM, account_id, delivery_id, now + LEASE)
                claimed.append(_delivery(row, reports))
        return claimed

    async def record(self, delivery: Delivery, verdict: Verdict, now: datetime) -> bool:
        """Write down what came of an attempt, and tell whom it concerns.

        False where the lease was lost: then somebody else has judged the delivery. A
        verdict that a crash undoes is one that was never written: see `claim`.
        """
        async with self._database.transaction() as connection:
            await work_for(connection, delivery.account_id, lazily=True)
            mine = await connection.fetchval(
                _END,
                *(delivery.account_id, delivery.delivery_id, delivery.fence),
                *(verdict.state, verdict.code, verdict.detail),
                now if verdict.state == "sent" else None,
                verdict.not_before,
            )
            if not mine:
                return False
            await _mark_destination(connection, delivery, verdict, now)
            if verdict.state == "sent" and delivery.kind == "daily":
                said = ReportDelivered.of(
                    delivery.account_id, delivery.day, delivery.delivery_id
                )
                await say(connection, SCHEMA, said)
            if (verdict.disables or verdict.is_given_up) and not delivery.asked:
                await _tell_others(connection, delivery, verdict, now)
        return True


async def _ends_unsent(connection: Connection, row: Row) -> bool:
    """End a delivery that must not be sent; False for one that may."""
    state, code, detail = "", "", ""
    if row["sending"] and row["channel"] not in IDEMPOTENT:
        state, code, detail = "perhaps_sent", "INTERRUPTED", _LOST
    elif row["sealed"] is None:
        state, code, detail = "failed", "GONE", "The destination was deleted."
    elif row["destination_state"] != "active" and not row["asked"]:
        state, code, detail = "disabled", "DISABLED", "The destination is disabled."
    if state:
        await connection.execute(
            """
            UPDATE notifier.delivery
            SET state = $3, error_code = $4, error_detail = $5, leased_until = NULL,
                sending = false, fence = fence + 1
            WHERE account_id = $1 AND delivery_id = $2
            """,
            *(row["account_id"], row["delivery_id"], state, code, detail),
        )
    return bool(state)


async def _reports(connection: Connection, row: Row) -> dict[date, DailyReport]:
    """Return the stored reports that a delivery's letter needs."""
    day = row["day"]
    if row["kind"] == "test":
        found = await connection.fetch(_NEWEST, row["account_id"])
    elif row["kind"] in ("daily", "weekly"):
        first = day if row["kind"] == "daily" else day - _WEEKS
        found = await connection.fetch(_REPORTS, row["account_id"], first, day)
    else:
        found = []
    return {
        one["day"]: msgspec.json.decode(one["body"], type=DailyReport) for one in found
    }


async def _waits(
    connection: Connection,
    row: Row,
    reports: dict[date, DailyReport],
    now: datetime,
) -> bool:
    """Put a report off whose day is not collected yet; building it wakes it up."""
    until = row["wait_until"]
    if until is None or until <= now:
        return False
    if is_ready(reports.get(row["day"]), _sources(row)):
        return False
    await connection.execute(
        """
        UPDATE notifier.delivery SET not_before = $3
        WHERE account_id = $1 AND delivery_id = $2
        """,
        *(row["account_id"], row["delivery_id"], until),
    )
    return True


def _sources(row: Row) -> frozenset[Source]:
    return frozenset(SOURCES if row["sources"] is None else row["sources"])


def _delivery(row: Row, reports: dict[date, DailyReport]) -> Delivery:
    """Return the row as it is after the claim."""
    own = (
        *("delivery_id", "account_id", "user_id", "destination_id", "channel", "name"),
        *("sealed", "moved_to", "had_error", "asked", "kind", "day", "due_at", "body"),
    )
    return Delivery(
        **{name: row[name] for name in own},
        attempts=row["attempts"] + 1,
        fence=row["fence"] + 1,
        sources=_sources(row),
        reports=reports,
    )


async def _mark_destination(
    connection: Connection, delivery: Delivery, verdict: Verdict, now: datetime
) -> None:
    """Note on the destination what an attempt said about it."""
    if verdict.state == "sent":
        if delivery.had_error:
            # What was sent by hand shows that it works again.
            await connection.execute(
                """
                UPDATE notifier.destination
                SET error_code = NULL, error_detail = NULL, error_at = NULL,
                    state = CASE WHEN $3 THEN 'active' ELSE state END
                WHERE account_id = $1 AND destination_id = $2
                """,
                *(delivery.account_id, delivery.destination_id, delivery.asked),
            )
        return
    await connection.execute(
        """
        UPDATE notifier.destination
        SET error_code = $3, error_detail = $4, error_at = $5,
            state = CASE WHEN $6 THEN 'disabled' ELSE state END,
            moved_to = coalesce($7, moved_to)
        WHERE account_id = $1 AND destination_id = $2
        """,
        *(delivery.account_id, delivery.destination_id, verdict.code, verdict.detail),
        *(now, verdict.disables, verdict.moved_to),
    )


async def _tell_others(
    connection: Connection, delivery: Delivery, verdict: Verdict, now: datetime
) -> None:
    """Tell the user by the other destinations."""
    notice = Notice(
        problem="DESTINATION_FAILED" if verdict.disables else "DELIVERY_FAILED",
        name=delivery.name,
        detail=verdict.detail or "",
    )
    await tell_user(
        connection,
        (delivery.account_id, delivery.user_id),
        f"destination:{delivery.delivery_id}",
        notice,
        now,
        but=delivery.destination_id,
    )
