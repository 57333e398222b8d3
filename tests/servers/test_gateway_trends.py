"""Rates, comparisons and what figures are under, through the API."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from opseer_common.clock import utc_now
from opseer_common.testing.gateway import Owner, RunningGateway
from opseer_common.testing.published import Connected, Publisher

BASE = "/api/v1/mrr"
OPSEER = {"preset": "opseer", "version": 1}
STRIPE = {"preset": "stripe", "version": 1}
PARTS = '[{"cause": "price_edit", "subscription_id": "sub_1", "difference_minor": 400}]'
ASK = "/api/v1/integrations/{}/history"


async def rows(world: Publisher, of: Connected, today: date) -> None:
    """Write forty days in euros, the oldest ten under another policy.

    MRR grows by 1.00 a day, from 100.00 at the end of the oldest; on the first of the
    newer ones history is 5.00 off.
    """
    await world.fetch(
        """
        INSERT INTO mrr.movement (account_id, source, connection_id, day, grain,
            currency, new_minor, expansion_minor, contraction_minor, churned_minor,
            net_minor, of_which_reactivation_minor, fx_minor, snapshot_minor, new_subs,
            churned_subs, timezone, complete, reason, as_of, missed_minor)
        SELECT $1, 'stripe', $2, $3::date - n, 'subscription', 'eur', 300, 0, -100,
            -100, 100, 0, 0, 13900 - 100 * n + CASE WHEN n < 30 THEN 500 ELSE 0 END,
            1, 1, 'Europe/Berlin', n > 0, CASE n WHEN 0 THEN 'CRON_PENDING' END, now(),
            CASE n WHEN 3 THEN -40 END
        FROM generate_series(0, 39) n
        """,
        *(of.account_id, of.connection_id, today),
    )
    await world.fetch(
        """
        INSERT INTO mrr.day_basis
        SELECT $1, 'stripe', $2, $3::date - n, jsonb_build_object('preset',
            CASE WHEN n < 30 THEN 'opseer' ELSE 'stripe' END, 'version', 1),
            'Europe/Berlin', 50, 1, 1, 60, 2, 2
        FROM generate_series(0, 39) n
        """,
        *(of.account_id, of.connection_id, today),
    )
    await world.fetch(
        """
        INSERT INTO mrr.reconciliation (account_id, source, connection_id, revision,
            day, currency, carried_from, carried_minor, recomputed_minor,
            difference_minor, at, cause, parts)
        SELECT $1, 'stripe', $2, 7 + n, $3::date, 'eur', $3::date - 1, 14000,
            14000 + 400 * n, 400 * n, now(),
            CASE n WHEN 1 THEN 'price_edit' END,
            CASE n WHEN 1 THEN $4::jsonb ELSE '[]' END
        FROM generate_series(0, 1) n
        """,
        *(of.account_id, of.connection_id, today, PARTS),
    )


async def get(gateway: RunningGateway, owner: Owner, path: str) -> Any:
    """Return a good answer's JSON."""
    answer = await gateway.call("GET", path, owner=owner)
    assert answer.status == 200, answer.text
    return answer.json


@pytest.fixture
async def stored(world: Publisher, owner: Owner) -> date:
    """Write the rows; return the newest day."""
    of = await world.connect(owner.account_id)
    await world.publish(of, 1, utc_now(), currency="eur")
    today = utc_now().date()
    await rows(world, of, today)
    return today


async def test_rates(gateway: RunningGateway, owner: Owner, stored: date) -> None:
    """Rates of 29 closed days by default; a day under way marks them incomplete.

    They are the account's alone.
    """
    path = f"{BASE}/metrics?source=stripe"
    found = await get(gateway, owner, path)
    first, last = (stored - timedelta(days=days) for days in (29, 1))
    assert (found["from"], found["to"]) == (first.isoformat(), last.isoformat())
    assert (found["complete"], found["timezone"]) == (True, "Europe/Berlin")
    assert found["policy"] == OPSEER
    assert (found["mrr"]["opening"], found["mrr"]["closing"]) == (11_400, 14_300)
    assert found["customers"] == {"opening": 50, "new": 29, "lost": 29, "closing": 50}
    assert found["rates"] == {
        "customer_churn_rate": 5_800,  # 29 of 50
        "subscription_churn_rate": 9_667,  # 58 of 60
        "revenue_churn_rate": 5_088,  # 58.00 of 114.00
        "net_revenue_churn_rate": 5_088,
        "quick_ratio": 15_000,  # 87.00 per 58.00
    }
    with_today = await get(gateway, owner, f"{path}&to={stored}")
    assert (with_today["complete"], with_today["reason"]) == (False, "CRON_PENDING")
    no_rows = await get(gateway, owner, f"{path}&grain=customer")
    assert no_rows["reasons"]["quick_ratio"] == "CRON_PENDING"
    await nothing(gateway, await gateway.sign_up("other@example.com"))


async def nothing(gateway: RunningGateway, stranger: Owner) -> None:
    """Look into the answers of another account, and of nobody."""
    for name in ("metrics", "reconciliations", "history"):
        path = f"{BASE}/{name}?source=stripe"
        found = await get(gateway, stranger, path)
        assert [found.get(field) for field in ("as_of", "mrr")] == [None, None]
        assert found.get("rows", []) == []
        assert (await gateway.call("GET", path)).status == 401


async def test_comparisons_and_terms(
    gateway: RunningGateway, owner: Owner, stored: date
) -> None:
    """Each comparison is a row, each seam a line, each change of policy is told."""
    compared = await get(gateway, owner, f"{BASE}/reconciliations?source=stripe")
    assert [(one["difference"], one["rebased"]) for one in compared["rows"]] == [
        *((0, False), (400, True))
    ]
    assert [one["cause"] for one in compared["rows"]] == [None, "price_edit"]
    assert compared["rows"][1]["parts"] == [
        {"cause": "price_edit", "subscription_id": "sub_1", "difference": 400}
    ]
    seam = (stored - timedelta(days=29)).isoformat()
    third = (stored - timedelta(days=3)).isoformat()
    assert compared["missed"] == [{"date": third, "amount": -40}]
    assert compared["rebases"] == [{"date": seam, "amount": 500, "reason": None}]
    path = f"{BASE}/movements?source=stripe&from={stored - timedelta(days=39)}"
    moved = await get(gateway, owner, path)
    assert len(moved["rows"]) == 40
    assert moved["rebases"] == compared["rebases"]
    assert [(term["to"], term["policy"]) for term in moved["terms"]] == [
        ((stored - timedelta(days=30)).isoformat(), STRIPE),
        (stored.isoformat(), OPSEER),
    ]


async def test_older_history_is_asked_for(
    gateway: RunningGateway, owner: Owner, world: Publisher
) -> None:
    """A request names one run until it is over, and the answer tells how far it is."""
    refused = await gateway.call("POST", ASK.format("stripe"), owner=owner)
    assert (refused.status, refused.code) == (409, "NOT_CONNECTED")
    refused = await gateway.call("POST", ASK.format("polar"), owner=owner)
    assert (refused.status, refused.code) == (422, "SOURCE_NOT_SUPPORTED")
    of = await world.connect(owner.account_id)
    await world.publish(of, 1, utc_now(), permissions={"invoices": "missing"})
    path = f"{BASE}/history?source=stripe"
    assert (await get(gateway, owner, path))["reason"] == "INVOICES_PERMISSION"
    asked = [
        await gateway.call("POST", ASK.format("stripe"), owner=owner) for _ in range(2)
    ]
    assert [one.status for one in asked] == [202, 202]
    [run_id] = {one.json["run_id"] for one in asked}
    await world.fetch(
        """
        INSERT INTO collector.run (run_id, account_id, source, connection_id, kind,
            state, stage, done, total, not_before, created_at)
        VALUES ($1, $2, 'stripe', $3, 'history', 'running', 'invoices', 40, 200, now(),
            now())
        """,
        *(run_id, of.account_id, of.connection_id),
    )
    found = await get(gateway, owner, path)
    assert (found["reason"], found["rows"]) == ("COLLECTING", [])
    progress = {"stage": "invoices", "done": 40, "total": 200, "eta_s": None}
    assert found["run"] == {"run_id": run_id, "state": "running", "progress": progress}
    await world.fetch("UPDATE collector.run SET state = 'done', finished_at = now()")
    # A read that is never kept: what follows is read anew.
    await get(gateway, owner, "/api/v1/integrations/stripe")
    computing = (await get(gateway, owner, path))["run"]["progress"]
    assert computing == {"stage": "computing", "done": 200, "total": 200, "eta_s": 0}
    again = await gateway.call("POST", ASK.format("stripe"), owner=owner)
    assert again.json["run_id"] != run_id


async def test_estimated_days_stay_apart(
    gateway: RunningGateway, owner: Owner, world: Publisher, stored: date
) -> None:
    """Days with exact rows have no estimated ones; they tell how far it is off."""
    await world.fetch(
        """
        INSERT INTO mrr.estimate (account_id, source, connection_id, day, currency,
            new_minor, expansion_minor, contraction_minor, churned_minor, net_minor,
            fx_minor, snapshot_minor, subscriptions)
        SELECT account_id, source, connection_id, $1::date - n, 'eur', 100, 0, 0, 0,
            100, 0, 14500 - 100 * n, 7
        FROM gateway.opseer_user_integration, generate_series(20, 50) n
        """,
        stored,
    )
    await world.fetch(
        """
        INSERT INTO mrr.estimated
        SELECT account_id, source, connection_id, 1, 1, 'eur', $1::date - 50,
            $1::date - 20, policy, 'Europe/Berlin', NULL, now()
        FROM gateway.opseer_user_integration
        """,
        stored,
    )
    found = await get(gateway, owner, f"{BASE}/history?source=stripe")
    exact_from = stored - timedelta(days=39)
    assert (found["exact_from"], found["complete"]) == (exact_from.isoformat(), True)
    assert [row["date"] for row in found["rows"]] == [
        (exact_from - timedelta(days=back)).isoformat() for back in range(11, 0, -1)
    ]
    assert {row["estimated"] for row in (found, *found["rows"])} == {True}
    # 1.00 off where exact rows have the seam's 5.00 more, and 6.00 before it.
    assert found["checked"] == {"days": 20, "largest_difference": 600, "of": 10_900}
