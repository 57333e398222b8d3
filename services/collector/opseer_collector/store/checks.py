"""The stored rows against the balance: does it move by what they say?"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from opseer_collector.domain.balance import (
    UNSURE_SECONDS,
    BalanceReading,
    Checked,
    Moved,
    can_be_judged,
    unexplained,
)
from opseer_collector.domain.records import Fetched
from opseer_collector.domain.windows import KEPT
from opseer_collector.domain.work import Claim
from opseer_collector.store.figures import OF
from opseer_common.database import Connection

_LISTING: Final = "balance_transactions"


class BalanceCheck:
    """The check of one connection, inside the publishing transaction."""

    def __init__(self, connection: Connection, claim: Claim) -> None:
        """Work inside the running transaction."""
        self._connection = connection
        self._of = (claim.account_id, claim.source, claim.connection_id)
        self.lost = False
        """True where rows are lost for certain."""
        self.open_question = False
        """True where rows do not explain this run's reading, and none came lately: it
        is worth to ask again before the next round."""

    async def run(self, fetched: Fetched, as_of: datetime) -> None:
        """Check what was `fetched` at `as_of`.

        Nothing is checked where rows are known to be unread.
        """
        reading, known = fetched.balance, await self._known()
        if reading is None or _LISTING not in fetched.live_lists:
            return
        if await self._rows_unread():
            return
        now = int(as_of.timestamp())
        oldest = now - int(KEPT.total_seconds()) + 2 * UNSURE_SECONDS
        if known.agreed is None or known.agreed.since < oldest:
            await self._keep(Checked(agreed=reading))
            return
        judged, apart = await self._judged(known.agreed, known.waiting, now)
        waiting = known.waiting if judged is known.agreed else None
        if waiting is None:
            moved = await self._moved(judged, reading)
            if unexplained(judged, reading, moved):
                waiting = reading
                self.open_question = not any(one.unsure for one in moved.values())
            else:
                judged, waiting = reading, None
        await self._keep(Checked(judged, waiting, apart))
        self.lost = bool(apart)

    async def _judged(
        self, agreed: BalanceReading, waiting: BalanceReading | None, now: int
    ) -> tuple[BalanceReading, dict[str, int]]:
        """Judge what waits, if it is time; it then is what the next is compared with.

        So what is missing is told once.
        """
        if waiting is None or not can_be_judged(waiting, now):
            return agreed, {}
        moved = await self._moved(agreed, waiting)
        return waiting, unexplained(agreed, waiting, moved)

    async def _known(self) -> Checked:
        text: str = await self._connection.fetchval(
            f"SELECT balance FROM collector.connection WHERE {OF}",  # noqa: S608
            *self._of,
        )
        return msgspec.json.decode(text, type=Checked)

    async def _keep(self, checked: Checked) -> None:
        await self._connection.execute(
            f"UPDATE collector.connection SET balance = $4 WHERE {OF}",  # noqa: S608
            *(*self._of, msgspec.json.encode(checked).decode()),
        )

    async def _rows_unread(self) -> bool:
        found: bool = await self._connection.fetchval(
            f"""
            SELECT EXISTS (SELECT FROM collector.quarantine
                WHERE {OF} AND endpoint = $4)
            """,  # noqa: S608 - a constant
            *(*self._of, _LISTING),
        )
        return found

    async def _moved(
        self, before: BalanceReading, after: BalanceReading
    ) -> dict[str, Moved]:
        """Sum up the rows between two readings, by currency."""
        rows = await self._connection.fetch(
            f"""
            SELECT currency,
                   coalesce(sum(net_minor) FILTER (WHERE sure), 0)::bigint AS sure,
                   coalesce(array_agg(net_minor) FILTER (WHERE NOT sure), '{{}}')
                       AS unsure
            FROM (
                SELECT currency, net_minor, created > $5 AND created < $6 AS sure
                FROM collector.balance_transaction
                WHERE {OF} AND created >= $4 AND created <= $7
                  AND balance_type = 'payments' AND net_minor <> 0) t
            GROUP BY currency
            """,  # noqa: S608 - a constant
            *(*self._of, before.since - UNSURE_SECONDS),
            *(before.until + UNSURE_SECONDS, after.since - UNSURE_SECONDS),
            after.until + UNSURE_SECONDS,
        )
        return {row["currency"]: Moved(row["sure"], row["unsure"]) for row in rows}
