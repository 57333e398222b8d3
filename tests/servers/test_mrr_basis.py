"""What each stored day rests on, on a real database."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import msgspec

from opseer_common.database import Database
from opseer_common.testing.company import CHANGES, NEW, NOW, OLD
from opseer_common.testing.published import publisher
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr.actions import COMPUTED_SOURCES, Computing
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.store.estimates import Estimates
from opseer_mrr.store.figures import PostgresStore

TODAY = date(2026, 11, 24)


async def test_history_keeps_what_it_was_computed_under(
    database: FreshDatabase,
) -> None:
    """A changed policy computes the days of the events anew, and none that are older.

    The 28th day before is of both, and is left alone where the two agree.

    Who pays is counted for each day: NEW came five days ago, LEFT left three days ago.
    """
    own = await Database.connect(database.login_url("mrr"), size=2)
    computing = Computing(PostgresStore(own, COMPUTED_SOURCES), Estimates(own))
    async with publisher(database) as world:
        of = await world.connect(uuid4())
        await world.subscriptions(of, [OLD, NEW])
        await world.changes(of, CHANGES)
        await world.publish(of, 1, NOW)
        key = ConnectionKey(of.account_id, of.source, of.connection_id)
        await computing.compute(key)
        await world.set_policy(of, "stripe")
        await world.publish(of, 2, NOW + timedelta(days=3))
        await computing.compute(key)
        rows = await world.fetch("SELECT * FROM mrr.day_basis ORDER BY day")
        assert await world.rows_of("mrr", of) > 0
        await world.disconnect(of)
        await computing.forget(key)
        assert await world.rows_of("mrr", of) == 0
    await own.close()
    ago = {(TODAY - row["day"]).days: row for row in rows}
    assert {
        n: msgspec.json.decode(row["policy"])["preset"] for n, row in ago.items()
    } == {n: "opseer" if n >= 27 else "stripe" for n in range(30, -4, -1)}
    paying = {n: (row["customers"], row["subscriptions"]) for n, row in ago.items()}
    assert [paying[n] for n in (30, 6, 5, 4, 3, 2, 0, -3)] == [
        *((2, 2), (2, 2), (3, 3), (3, 3), (2, 2), (2, 2), (2, 2), (2, 2))
    ]
    moved = {n: (row["new_customers"], row["lost_customers"]) for n, row in ago.items()}
    assert {n: one for n, one in moved.items() if any(one)} == {5: (1, 0), 3: (0, 1)}
