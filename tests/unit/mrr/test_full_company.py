"""The company that has everything, read by the collector and computed by the engine.

What is expected is its own ledger's, counted by the simulator, which knows nothing of
either. Only the rows of the database between the two are left out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp.test_utils import TestServer

from opseer_collector.domain.daily import DailyRow, Facts, Sum, daily_rows
from opseer_collector.domain.fetching import Request
from opseer_collector.domain.rates import Rate, RateTable
from opseer_collector.domain.records import Batch, Fetched
from opseer_collector.domain.windows import bounds, span, window
from opseer_collector.providers.stripe.client import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_common.days import zone
from opseer_common.sealing import Secret
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    ObservedRate,
    Settings,
    compute,
)
from opseer_simulator.event_shapes import BASIL, VERSIONS
from opseer_simulator.full_company import FullCompany
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation, truth_of
from opseer_simulator.truth import Truth

SHALLOW = 20
"""So many companies are always compared, a thousand with the full counts."""
ZONES = (
    *("UTC", "Asia/Seoul", "Pacific/Auckland", "America/New_York", "Europe/Berlin"),
    *("Asia/Kolkata", "America/Los_Angeles"),
)
KEY = "rk_" + "test_" + "Full" * 5
NOW = datetime(2026, 11, 24, 15, 7, tzinfo=UTC)
EPOCH = date(2026, 7, 12)
CATEGORIES = (
    *("new", "expansion", "contraction", "churned", "net"),
    "of_which_reactivation",
)
PARTS = (
    *("mrr", "active_subscriptions", "usage_mrr", "at_risk_mrr", "trial_mrr"),
    *("committed_mrr", "mrr_stripe_comparable", "native", "unconverted"),
)
MONEY = (
    *("charges_count", "charges_amount", "refunds_count", "refunds_amount"),
    *("net_revenue", "failed_payments", "disputes"),
)


@dataclass
class Intake:
    """Keeps what a run stores."""

    batches: list[Batch] = field(default_factory=list)

    async def store(self, batch: Batch) -> None:
        """Keep a batch."""
        self.batches.append(batch)

    def began(self, currencies: frozenset[str]) -> None:
        """Ignore the currencies."""

    async def covered(self, listing: str, since: int) -> None:
        """Ignore how far a list was read."""

    async def progress(self, done: Mapping[str, int], total: int) -> None:
        """Ignore how far the run is."""


@dataclass(frozen=True)
class Account:
    """A first collection of a full company, and the truth of its zone."""

    simulation: Simulation
    fetched: Fetched
    whole: Batch
    timezone: str

    @cached_property
    def truth(self) -> Truth:
        """Return what the ledger says of the days that are shown."""
        days = window(NOW, zone(self.timezone))
        return truth_of(self.simulation, self.timezone, days.first, days.last)

    def rates(self) -> list[Rate]:
        """Return what the account's charges were converted at."""
        paid_in = {charge.id: charge.currency for charge in self.whole.charges}
        return [
            Rate(paid_in[row.source_id], row.currency, row.created, rate, row.id)
            for row in self.whole.transactions
            if (rate := row.exchange_rate) is not None and row.source_id in paid_in
        ]

    @cached_property
    def figures(self) -> Figures:
        """Return what the engine makes of it under the usual policy."""
        return self.figures_under("opseer")

    def figures_under(self, preset: str) -> Figures:
        """Return what the engine makes of it under one."""

        def shown(rows: object) -> list[str]:
            assert isinstance(rows, list)
            return [msgspec.json.encode(row).decode() for row in rows]

        found = compute(
            Inputs(
                key=ConnectionKey(UUID(int=1), "stripe", UUID(int=2)),
                revision=1,
                as_of=NOW,
                settings=Settings(1, {"preset": preset}, self.timezone),
                settlement="usd",
                permissions=self.fetched.permissions,
                subscriptions=shown(self.whole.subscriptions),
                changes=shown(self.whole.changes),
                ended=shown(self.whole.ended),
                rates=[
                    ObservedRate(one.origin, one.target, one.at, one.rate)
                    for one in self.rates()
                ],
            )
        )
        assert found is not None
        return found

    def daily(self) -> list[DailyRow]:
        """Return the rows of the daily cache."""
        tz = zone(self.timezone)
        days = window(NOW, tz)
        starts = bounds(days, tz)

        def day(at: int) -> int:
            return sum(start <= at for start in starts) - 1

        sums: dict[tuple[int, str, str], list[tuple[int, str | None]]]
        sums = defaultdict(list)
        for row in self.whole.transactions:
            place = (day(row.created), row.currency, row.category)
            sums[place].append((row.amount, row.source_id))
        failed: dict[int, int] = defaultdict(int)
        for charge in self.whole.charges:
            if charge.status == "failed" and not charge.has_failure_balance_transaction:
                failed[day(charge.created)] += 1
        facts = Facts(
            sums=[
                Sum(
                    *place,
                    amount=sum(amount for amount, _ in rows),
                    count=len(rows),
                    paid=sum(amount > 0 for amount, _ in rows),
                    sources=len({source for _, source in rows}),
                )
                for place, rows in sums.items()
            ],
            failed=failed,
        )
        return daily_rows(days, starts, facts, "usd", RateTable(self.rates()), NOW)


async def collected(seed: int, timezone: str = "UTC", version: str = BASIL) -> Account:
    """Return a first collection of a full company."""
    simulation = Simulation(
        seed,
        EPOCH,
        now=lambda: NOW,
        script=lambda: FullCompany(seed, EPOCH, 4).office,
        event_version=version,
    )
    intake = Intake()
    reads = span(NOW, None, whole=True)
    async with TestServer(make_app(simulation, [KEY])) as server, open_session() as web:
        provider = StripeProvider(web, {"test": str(server.make_url(""))}, 5000)
        request = Request(
            "first", "test", Secret(KEY), reads.since, reads.until, reads.events, NOW
        )
        fetched = await provider.fetch(request, intake)
    batches = intake.batches
    # What is stored again replaces itself.
    transactions = {row.id: row for batch in batches for row in batch.transactions}
    charges = {row.id: row for batch in batches for row in batch.charges}
    whole = Batch(
        transactions=list(transactions.values()),
        charges=list(charges.values()),
        subscriptions=[row for batch in batches for row in batch.subscriptions],
        ended=[row for batch in batches for row in batch.ended],
        changes=[row for batch in batches for row in batch.changes],
        quarantined=[row for batch in batches for row in batch.quarantined],
    )
    return Account(simulation, fetched, whole, timezone)


def numbered(seed: int) -> Any:
    """Return a seed as a parameter: beyond the first twenty, with the full counts."""
    return pytest.param(seed, marks=() if seed <= SHALLOW else pytest.mark.deep)


@pytest.fixture(scope="module", params=[numbered(seed) for seed in range(1, 1001)])
def account(request: pytest.FixtureRequest) -> Account:
    """Return the first collection of a full company, in one of its zones and shapes."""
    seed: int = request.param
    zone_of, shape = ZONES[seed % len(ZONES)], VERSIONS[seed % len(VERSIONS)]
    return asyncio.run(collected(seed, zone_of, shape))


def test_todays_figures_are_the_ledgers(account: Account) -> None:
    """MRR, its parts, what stands beside it, by currency and without a rate."""
    snapshot = account.figures.snapshot
    assert snapshot is not None
    assert {name: getattr(snapshot, name) for name in PARTS} == {
        name: getattr(account.truth, name) for name in PARTS
    }
    assert not account.whole.quarantined
    assert set(account.fetched.permissions.values()) == {"ok"}


def test_every_days_revenue_is_the_ledgers(account: Account) -> None:
    """90 days: refunds that came back, parts captured, disputes, failures, pounds."""
    rows = account.daily()
    for row, day in zip(rows, account.truth.days, strict=True):
        for name in MONEY:
            assert (name, getattr(row, name)) == (name, getattr(day, name)), row.day
        assert row.unconverted == day.revenue_unconverted


def test_every_days_movements_are_the_ledgers(account: Account) -> None:
    """The last 29 days in both grains, whatever version the events are shown in."""
    truth = {day.date: day for day in account.truth.days}
    compared = 0
    for grain, row in account.figures.movements:
        if row.reason == "BEFORE_HISTORY":
            continue
        day = truth[row.day]
        moved = getattr(day, f"grain_{grain}")
        for name in CATEGORIES:
            told = (row.day, grain, name)
            assert (*told, getattr(row, name)) == (*told, getattr(moved, name))
        assert (row.snapshot, row.fx) == (day.mrr, day.fx)
        assert (row.new_subs, row.churned_subs) == (day.new_subs, day.churned_subs)
        compared += 1
    assert compared >= 2 * 29


async def test_other_presets_are_the_ledgers_other_figures() -> None:
    """Without usage, and without those whose end is asked for."""
    account = await collected(1)
    truth = account.truth
    for preset, name in (
        ("stripe", "mrr_stripe_comparable"),
        ("committed", "committed_mrr"),
    ):
        snapshot = account.figures_under(preset).snapshot
        assert snapshot is not None
        assert snapshot.mrr == getattr(truth, name) != truth.mrr
