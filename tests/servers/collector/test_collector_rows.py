"""Stored rows: order, batches and repeats do not matter, and money is not lost."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from opseer_collector.domain.records import (
    BalanceTransaction,
    Batch,
    Charge,
    Fetched,
    Quarantined,
)
from opseer_collector.domain.windows import Span
from opseer_collector.domain.work import Reading
from opseer_common.contracts import CollectionRequested

if TYPE_CHECKING:
    from tests.servers.collector.conftest import Collector, StripeCompany

    from opseer_collector.domain.work import Claim

PLUS, MINUS = ("charge", "refund_failure"), ("refund", "charge_failure")
FIRST = date(2026, 8, 26)


def transactions(seed: int) -> list[BalanceTransaction]:
    """Return 400 made-up transactions over the window, in dollars."""
    rng = random.Random(seed)  # noqa: S311 - made-up money
    start = int(datetime(2026, 8, 26, tzinfo=UTC).timestamp())
    rows = []
    for number in range(400):
        category = rng.choice(PLUS + MINUS)
        amount = rng.randrange(1, 10**9) * (1 if category in PLUS else -1)
        created = start + rng.randrange(90 * 86_400)
        rows.append(
            BalanceTransaction(
                *(f"txn_{number}", created, amount, 0, amount, "usd", None),
                *(category, category, f"ch_{number}"),
            )
        )
    return rows


def counted(rows: list[BalanceTransaction]) -> dict[date, int]:
    """Return the net of each day by a few lines of one's own."""
    nets: dict[date, int] = defaultdict(int)
    for row in rows:
        nets[datetime.fromtimestamp(row.created, UTC).date()] += row.amount
    return {
        FIRST + timedelta(days=n): nets[FIRST + timedelta(days=n)] for n in range(91)
    }


async def publish(
    collector: Collector, claim: Claim, *, currencies: frozenset[str]
) -> None:
    """End the run with everything as read."""
    now = collector.company.now
    span = Span(int((now - timedelta(days=92)).timestamp()), int(now.timestamp()), 0)
    lists = frozenset({"balance_transactions", "charges"})
    await collector.publisher.publish(
        claim, now, Reading(now, span), Fetched({}, currencies, lists)
    )


async def begin(collector: Collector) -> Claim:
    """Return the claim of a first run."""
    await collector.connect()
    claim = await collector.claim()
    assert claim is not None
    return claim


@pytest.mark.parametrize("seed", range(6))
async def test_order_repeats_and_batches_do_not_matter(
    collector: Collector, seed: int
) -> None:
    """Any way in which the same rows arrive gives the days of a plain count."""
    claim = await begin(collector)
    rng = random.Random(seed)  # noqa: S311 - an order, no secret
    rows = transactions(seed)
    arriving = [*rows, *rng.sample(rows, 150)]
    rng.shuffle(arriving)
    while arriving:
        size = rng.randrange(1, 120)
        await collector.rows.store(claim, Batch(transactions=arriving[:size]))
        arriving = arriving[size:]
    await publish(collector, claim, currencies=frozenset({"usd"}))
    stored = await collector.sealed.fetch(
        "SELECT day, net_revenue_minor FROM collector.revenue_daily_cache ORDER BY day"
    )
    assert {row["day"]: row["net_revenue_minor"] for row in stored} == counted(rows)


async def test_payments_tell_the_rates_of_other_money(
    company: StripeCompany, collector: Collector
) -> None:
    """A charge of 10.00 eur came as 11.00 usd: 5.00 eur of that day are 5.50 usd."""
    claim = await begin(collector)
    at = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
    rate = Decimal("1.1")
    await collector.rows.store(
        claim,
        Batch(
            transactions=[
                BalanceTransaction(
                    *("txn_1", at, 1100, 0, 1100, "usd", rate),
                    *("charge", "charge", "ch_1"),
                ),
                BalanceTransaction(
                    *("txn_2", at + 9, 500, 0, 500, "eur", None),
                    *("charge", "charge", "ch_2"),
                ),
                BalanceTransaction(
                    *("txn_3", at - 86_400, 700, 0, 700, "eur", None),
                    *("charge", "charge", "ch_3"),
                ),
            ],
            charges=[
                Charge("ch_1", at, 1000, "eur", "succeeded", False, None, None),  # noqa: FBT003
            ],
        ),
    )
    await publish(collector, claim, currencies=frozenset({"usd", "eur"}))
    query = (
        "SELECT day, currency, net_revenue_minor, unconverted, reason"
        " FROM collector.revenue_daily_cache WHERE day BETWEEN '2026-11-19' AND"
        " '2026-11-20' ORDER BY day"
    )
    rows = await collector.sealed.fetch(query)
    assert [tuple(row)[1:] for row in rows] == [
        ("usd", 0, '{"eur": 700}', "NO_RATE"),
        ("usd", 1650, "{}", None),
    ]
    [stored] = await collector.sealed.fetch("SELECT * FROM collector.fx_rate")
    assert (stored["origin"], stored["target"], stored["rate"]) == ("eur", "usd", rate)
    # The user's own choice stands over what was found, and is computed without a call.
    await collector.sealed.execute(
        "UPDATE gateway.opseer_user_integration"
        " SET settlement_currency = 'eur', settings_revision = settings_revision + 1"
    )
    assert await collector.connections.sweep(company.now) == 1
    assert await collector.drive_all() == 1
    rows = await collector.sealed.fetch(query)
    assert [tuple(row)[1:] for row in rows] == [
        ("eur", 700, "{}", None),
        ("eur", 500, '{"usd": 1100}', "NO_RATE"),
    ]
    # And without it the one that was found is there again.
    await collector.sealed.execute(
        "UPDATE gateway.opseer_user_integration"
        " SET settlement_currency = NULL, settings_revision = settings_revision + 1"
    )
    assert await collector.connections.sweep(company.now) == 1
    assert await collector.drive_all() == 1
    rows = await collector.sealed.fetch(query)
    assert [tuple(row)[1:] for row in rows] == [
        ("usd", 0, '{"eur": 700}', "NO_RATE"),
        ("usd", 1650, "{}", None),
    ]
    assert company.account.calls.total() == 0


async def test_what_was_put_aside_marks_its_day_until_it_is_read(
    company: StripeCompany, collector: Collector
) -> None:
    """QUARANTINE on that day alone; a later reading without it heals the day."""
    claim = await begin(collector)
    at = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
    aside = Quarantined(
        *("balance_transactions", "txn_bad", "$.amount", b"x" * 32, at, at + 1)
    )
    await collector.rows.store(claim, Batch(quarantined=[aside]))
    await publish(collector, claim, currencies=frozenset({"usd"}))
    query = (
        "SELECT day, reason FROM collector.revenue_daily_cache"
        " WHERE NOT complete ORDER BY day"
    )
    assert [tuple(row) for row in await collector.sealed.fetch(query)] == [
        (date(2026, 11, 20), "QUARANTINE"),
        (date(2026, 11, 24), "ARRIVES_TOMORROW"),
    ]
    [found] = await collector.sealed.fetch("SELECT flags FROM collector.connection")
    assert found["flags"] == ["quarantine"]
    await collector.connections.requested(
        CollectionRequested.of(
            claim.account_id, "stripe", claim.connection_id, uuid4(), "refresh"
        ),
        company.now,
    )
    assert await collector.drive_all() == 1
    rows = await collector.sealed.fetch(query)
    assert [row["reason"] for row in rows] == ["ARRIVES_TOMORROW"]


@pytest.mark.parametrize("pages", [1, 2])
async def test_one_id_with_two_bodies_is_put_aside(
    collector: Collector, pages: int
) -> None:
    """On one page or on two: the days of both are not complete; the same twice is."""
    claim = await begin(collector)
    at = int(datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp())
    rest = (0, 900, "usd", None, "charge", "charge", "ch_1")
    same = BalanceTransaction("txn_1", at, 900, *rest)
    first = BalanceTransaction("txn_2", at, 900, *rest)
    other = BalanceTransaction("txn_2", at + 86_400, 900, *rest)
    batches = [[same, first, same, other], []]
    if pages == 2:
        batches = [[same, first], [same, other]]
    for rows in batches:
        await collector.rows.store(claim, Batch(transactions=rows))
    await publish(collector, claim, currencies=frozenset({"usd"}))
    found = await collector.sealed.fetch(
        "SELECT day, reason FROM collector.revenue_daily_cache"
        " WHERE reason = 'QUARANTINE' ORDER BY day"
    )
    assert [row["day"].day for row in found] == [18, 19]
    [aside] = await collector.sealed.fetch("SELECT * FROM collector.quarantine")
    assert (aside["object_id"], aside["path"]) == ("txn_2", "$.id")


async def test_a_debit_that_bounced_counts_once_on_its_day(
    collector: Collector,
) -> None:
    """A declined card on its own day; a bounced debit on the day it bounced alone."""
    claim = await begin(collector)
    at = int(datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp())
    bounced = at + 2 * 86_400
    charges = [
        Charge("ch_1", at, 900, "usd", "failed", True, None, None),  # noqa: FBT003
        Charge("ch_2", at, 700, "usd", "failed", False, "card_declined", None),  # noqa: FBT003
        Charge("ch_3", at, 500, "usd", "pending", False, None, None),  # noqa: FBT003
    ]
    moved = [
        BalanceTransaction(
            *("txn_1", at, 900, 0, 900, "usd", None, "charge", "payment", "ch_1")
        ),
        BalanceTransaction(
            *("txn_2", bounced, -900, 0, -900, "usd", None),
            *("charge_failure", "payment_failure_refund", "ch_1"),
        ),
    ]
    await collector.rows.store(claim, Batch(transactions=moved, charges=charges))
    await publish(collector, claim, currencies=frozenset({"usd"}))
    rows = await collector.sealed.fetch(
        "SELECT failed_payments, net_revenue_minor FROM collector.revenue_daily_cache"
        " WHERE day BETWEEN '2026-11-18' AND '2026-11-20' ORDER BY day"
    )
    assert [tuple(row) for row in rows] == [(1, 900), (0, 0), (1, -900)]
