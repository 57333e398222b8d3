"""Older history from the company's invoices: read, resumed, estimated, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from opseer_common.database import Database
from opseer_common.testing.servers import FreshDatabase
from opseer_mrr.domain.computation import ConnectionKey
from opseer_mrr.store.estimates import Estimates
from opseer_simulator.simulation import truth_of

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

from opseer_simulator.full_company import FullCompany
@pytest.mark.parametrize("company", [{"script": lambda epoch: FullCompany(4, epoch, 10, frozenset({"never_paid_currency"})).office}], indirect=True)
async def test_try(company: StripeCompany, collector: Collector, database: FreshDatabase) -> None:
    """Rule: x."""
    made = await collector.collect()
    await collector.request(made, uuid4(), "history")
    assert await collector.drive_all() == 1
    own = await Database.connect(database.login_url("mrr"), size=2)
    await Estimates(own).bring_up_to_date(ConnectionKey(made.account_id, "stripe", made.connection_id))
    await own.close()
    rows = {r["day"]: r for r in await collector.sealed.fetch("select * from mrr.estimate order by day")}
    print(await collector.sealed.fetch("select * from mrr.estimated"))
    truth = truth_of(company.simulation, "UTC", company.simulation.epoch, company.now.date())
    n = 0
    for day in truth.days:
        row = rows.get(day.date)
        t = day.grain_subscription
        if row is None:
            print(day.date, "none", day.mrr); continue
        a = (row["snapshot_minor"], row["subscriptions"], row["new_minor"], row["expansion_minor"], row["contraction_minor"], row["churned_minor"])
        b = (day.mrr, day.active_subscriptions, t.new, t.expansion, t.contraction, t.churned)
        if day.date == company.now.date(): continue
        n = max(n, abs(a[0]-b[0])*10000//max(b[0],1))
        if abs(a[0]-b[0])*100>b[0]: print(day.date, (a[0]-b[0])*100//b[0], a[1]-b[1])
        if 0 and (a[1], a[2]//10,a[5]//10) != (b[1],b[2]//10,b[5]//10): print(day.date, "est-true", [x - y for x, y in zip(a, b)], "of", b[0])
    print("differ", n, "of", len(truth.days))
    assert 0
