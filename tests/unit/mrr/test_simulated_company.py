"""A made-up company's API objects against its own ledger, day by day.

The objects go through the collector's reading and the engine; the ledger is counted by
the simulator, which knows nothing of either.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from opseer_collector.providers.stripe.prices import discount_index
from opseer_collector.providers.stripe.subscriptions import (
    Known,
    change_from,
    order_events,
    subscription_from,
)
from opseer_common.days import day_of, last_days, zone
from opseer_mrr.domain.computation import past_customers
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import PRESETS
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.snapshot import compute_snapshot
from opseer_simulator.books import Books
from opseer_simulator.rendering import render
from opseer_simulator.simulation import Simulation, truth_of

_NOW = datetime(2026, 11, 24, 15, 7, tzinfo=UTC)
_CATEGORIES = (
    "new",
    "expansion",
    "contraction",
    "churned",
    "net",
    "of_which_reactivation",
)
_ENDED = {"canceled", "incomplete_expired"}


class _Account:
    """What the API of the account shows at `_NOW`, discounts expanded."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._now = int(_NOW.timestamp())
        events = [
            self._shown(event)
            for event in books.events.all()
            if event.created >= self._now - 30 * 86_400
            and event.type.startswith("customer.")
        ]
        self.events = events[::-1]
        subscriptions = [
            {
                **self._shown(one),
                "discounts": [self._shown(one.discount)] if one.discount else [],
            }
            for one in books.subscriptions.all()
        ]
        self.live = [one for one in subscriptions if one["status"] not in _ENDED]
        self.ended = [one for one in subscriptions if one["status"] == "canceled"]

    def _shown(self, record: Any) -> dict[str, Any]:
        rendered = render(record, self._books, self._now, livemode=False)
        shown: dict[str, Any] = json.loads(json.dumps(rendered))
        return shown


@pytest.mark.parametrize(
    ("seed", "timezone"),
    [
        (1, "UTC"),
        (2, "Asia/Seoul"),
        (3, "America/New_York"),
        (6, "Pacific/Auckland"),
        (24, "Asia/Kathmandu"),
        (29, "America/Los_Angeles"),
        (100, "Europe/Berlin"),
    ],
)
def test_every_day_is_the_ledgers(seed: int, timezone: str) -> None:
    """The last 29 days' movements and snapshots, both grains, are the ledger's."""
    simulation = Simulation(seed, date(2026, 7, 12), 40, lambda: _NOW)
    books = simulation.books()
    account = _Account(books)
    shown = [*account.live, *account.ended]
    known = Known(discounts=discount_index(shown, account.events, {}))
    live = [subscription_from(fields, known) for fields in account.live]
    ended = [subscription_from(fields, known) for fields in account.ended]
    changes = [
        change
        for position, event in order_events(account.events)
        if (change := change_from(event, position, known)) is not None
    ]
    tz = zone(timezone)
    days = last_days(29, day_of(_NOW, tz))
    start = int(days.bounds(tz)[0].timestamp())
    found = compute_movements(
        live,
        changes,
        PRESETS["opseer"],
        "usd",
        RateTable(),
        days=days,
        tz=tz,
        now=_NOW,
        past_customers=past_customers(ended, changes, PRESETS["opseer"], start),
    )
    truth = truth_of(simulation, timezone, days.first, days.last)
    rows = zip(found.by_subscription, found.by_customer, truth.days, strict=True)
    for row, customers, day in rows:
        for name in _CATEGORIES:
            assert getattr(row, name) == getattr(day.grain_subscription, name)
            assert getattr(customers, name) == getattr(day.grain_customer, name)
        assert row.snapshot == day.mrr
        assert (row.new_subs, row.churned_subs) == (day.new_subs, day.churned_subs)
        assert row.complete
    now = compute_snapshot(live, PRESETS["opseer"], "usd", RateTable(), _NOW, tz)
    assert (now.mrr, now.active_subscriptions) == (
        truth.mrr,
        truth.active_subscriptions,
    )
