"""The company that has everything, read by the collector and computed by the engine.

What is expected is its own ledger's, counted by the simulator, which knows nothing of
either. Only the rows of the database between the two are left out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import web_app
from aiohttp.test_utils import TestServer

from opseer_collector.domain.daily import DailyRow, Facts, Sum, daily_rows
from opseer_collector.domain.fetching import Request
from opseer_collector.domain.rates import Rate, RateTable
from opseer_collector.domain.records import Batch, Fetched
from opseer_collector.domain.windows import bounds, span, window
from opseer_collector.providers.session import open_session
from opseer_collector.providers.stripe.collect import StripeProvider
from opseer_common.days import day_of, last_days, start_of, zone
from opseer_common.sealing import Secret
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    ObservedRate,
    Settings,
    compute,
)
from opseer_simulator.event_shapes import VERSIONS
from opseer_simulator.full_company import FullCompany
from opseer_simulator.server import make_app
from opseer_simulator.simulation import Simulation, truth_of
from opseer_simulator.truth import Truth

WHOLE, SHALLOW, DEEP = 20, 100, 1000
"""Always compared: so many companies with every story, then up to so many with a
quarter of the stories each. With the full counts: a thousand, more with every story.
"""
ZONES = (
    *("UTC", "Asia/Seoul", "Pacific/Auckland", "America/New_York", "Europe/Berlin"),
    *("Asia/Kolkata", "America/Los_Angeles", "Australia/Lord_Howe", "Africa/Cairo"),
)
MOMENTS = (
    datetime(2026, 11, 24, 15, 7, tzinfo=UTC),  # clocks go back in America
    datetime(2027, 1, 12, 0, 30, tzinfo=UTC),  # a year ends
    datetime(2028, 3, 14, 23, 59, 59, tzinfo=UTC),  # 29 February; forward in America
    datetime(
        2026, 4, 28, 9, tzinfo=UTC
    ),  # back in Australia, forward at midnight in Cairo
)
AGE = timedelta(days=135)
KEY = "rk_" + "test_" + "Full" * 5
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
    now: datetime

    @cached_property
    def truth(self) -> Truth:
        """Return what the ledger says of the days that are shown."""
        days = window(self.now, zone(self.timezone))
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
                as_of=self.now,
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
        days = window(self.now, tz)
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
        return daily_rows(days, starts, facts, "usd", RateTable(self.rates()), self.now)


def stories_of(seed: int) -> frozenset[str]:
    """Return the stories that a company of the smaller ones does without."""
    if seed <= WHOLE or seed > SHALLOW:
        return frozenset()
    further = sorted(FullCompany(seed, MOMENTS[0].date(), 0).further)
    return frozenset(further) - frozenset(further[seed // 4 % 4 :: 4])


async def collected(seed: int) -> Account:
    """Return a first collection of a company, at its moment, in its zone and shape."""
    now, without = MOMENTS[seed % len(MOMENTS)], stories_of(seed)
    epoch, customers = (now - AGE).date(), 0 if without else 4
    simulation = Simulation(
        seed,
        epoch,
        now=lambda: now,
        script=lambda: FullCompany(seed, epoch, customers, without).office,
        event_version=VERSIONS[seed % len(VERSIONS)],
    )
    intake = Intake()
    reads = span(now, None, whole=True)
    async with TestServer(make_app(simulation, [KEY])) as server, open_session() as web:
        provider = StripeProvider(web, {"test": str(server.make_url(""))}, 5000)
        request = Request(
            "first", "test", Secret(KEY), reads.since, reads.until, reads.events, now
        )
        fetched = await provider.fetch(request, intake)
    # It keeps the handlers of many applications, and they their companies.
    web_app._cached_build_middleware.cache_clear()
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
    return Account(simulation, fetched, whole, ZONES[seed % len(ZONES)], now)


def numbered(seed: int) -> Any:
    """Return a seed as a parameter: beyond the first hundred, with the full counts."""
    return pytest.param(seed, marks=() if seed <= SHALLOW else pytest.mark.deep)


@pytest.fixture(scope="module", params=[numbered(seed) for seed in range(1, DEEP + 1)])
def account(request: pytest.FixtureRequest) -> Account:
    """Return the first collection of a full company, in one of its zones and shapes."""
    return asyncio.run(collected(request.param))


def test_every_story_is_in_the_smaller_companies_too() -> None:
    """Each with every moment; the first ones have all stories anyway."""
    every = FullCompany(1, MOMENTS[0].date(), 0).further
    told: dict[int, set[str]] = defaultdict(set)
    for seed in range(WHOLE + 1, SHALLOW + 1):
        told[seed % len(MOMENTS)] |= every - stories_of(seed)
    assert [told[moment] for moment in range(len(MOMENTS))] == [every] * len(MOMENTS)


def test_odd_days_are_among_those_compared() -> None:
    """Short and long ones, also of half an hour, without midnight, and rare dates."""
    seen: set[date] = set()
    hours: set[float] = set()
    for seed in range(1, SHALLOW + 1):
        tz = zone(ZONES[seed % len(ZONES)])
        today = day_of(MOMENTS[seed % len(MOMENTS)], tz)
        for day in last_days(29, today):
            seen.add(day)
            length = start_of(day + timedelta(days=1), tz) - start_of(day, tz)
            hours.add(length / timedelta(hours=1))
    assert hours == {23, 24, 24.5, 25}
    assert seen >= {date(2028, 2, 29), date(2026, 12, 31), date(2027, 1, 1)}


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
