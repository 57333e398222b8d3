"""How fast MRR is computed: processor seconds, and memory that stays.

Subscriptions are decoded already. `plain` are of monthly and annual prices; `mix` are
those of the simulator's small company, `everything` those of its full one, each copied
with ids of its own. Movements are of the last 30 days.

    python tests/bench/bench_mrr.py
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import islice
from typing import Any, Literal

import msgspec
import psutil

from opseer_collector.providers.stripe.prices import discount_index
from opseer_collector.providers.stripe.subscriptions import (
    Known,
    change_from,
    order_events,
    subscription_from,
)
from opseer_common.contracts.subscription import (
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import last_days, zone
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import PRESETS
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.snapshot import compute_snapshot
from opseer_simulator.rendering import render
from opseer_simulator.simulation import Simulation

SUBSCRIPTIONS = 100_000
EVENTS = 20_000
NOW = datetime(2026, 11, 24, 15, 7, tzinfo=UTC)
EPOCH = date(2026, 7, 12)
UTC_ZONE = zone("UTC")
MOST = {"plain": 0.3, "mix": 1.0, "movements": 2.0}
"""The most processor seconds that each may take."""
_ENDED = frozenset({"canceled", "incomplete_expired"})
_RUNS = 4


@dataclass(frozen=True)
class Company:
    """A company's subscriptions as they are now, and its events of 30 days."""

    live: list[Subscription]
    changes: list[SubscriptionChange]


def company(stories: Literal["plain", "full"], customers: int) -> Company:
    """Return what the collector reads of a simulated company."""
    simulation = Simulation(1, EPOCH, customers, lambda: NOW, stories=stories)
    books, now = simulation.books(), int(NOW.timestamp())

    def shown(record: Any) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(json.dumps(render(record, books, now)))
        return fields

    events = [
        shown(event)
        for event in books.events.all()
        if event.created >= now - 30 * 86_400 and event.type.startswith("customer.")
    ][::-1]
    subscriptions = []
    for one in books.subscriptions.all():
        discounts = [shown(discount) for discount in one.discounts]
        subscriptions.append({**shown(one), "discounts": discounts})
    known = Known(discounts=discount_index(subscriptions, events, {}))
    changes = (
        change_from(event, place, known) for place, event in order_events(events)
    )
    return Company(
        [
            subscription_from(s, known)
            for s in subscriptions
            if s["status"] not in _ENDED
        ],
        [change for change in changes if change is not None],
    )


def plain(count: int) -> list[Subscription]:
    """Return subscriptions of monthly and annual prices."""
    return [
        Subscription(
            id=f"sub_{number}",
            customer=f"cus_{number}",
            status="active",
            currency="usd",
            created=1_000_000_000,
            items=(
                Item(
                    id=f"si_{number}",
                    price=Price(
                        id=f"price_{number % 12}",
                        currency="usd",
                        interval="month" if number % 3 else "year",
                        unit_amount=str(999 + 1000 * (number % 12)),
                        product="prod_1",
                    ),
                    quantity=1 + number % 4,
                ),
            ),
        )
        for number in range(count)
    ]


def copies(states: Iterable[Subscription], count: int) -> list[Subscription]:
    """Return so many copies, decoded one by one as from the database."""
    bodies = [msgspec.json.encode(state) for state in states]
    decoder = msgspec.json.Decoder(Subscription)
    return [
        msgspec.structs.replace(
            decoder.decode(body), id=f"sub_{n}", customer=f"cus_{n}"
        )
        for n, body in enumerate(islice(_again(bodies), count))
    ]


def _again(bodies: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from bodies


def copied(one: Company, events: int) -> Company:
    """Return copies of a company, with ids of their own, of so many events together."""
    live: list[Subscription] = []
    changes: list[SubscriptionChange] = []
    while len(changes) < events:
        mark = f"_{len(changes)}"
        live.extend(_renamed(state, mark) for state in one.live)
        changes.extend(
            msgspec.structs.replace(
                change,
                event_id=change.event_id + mark,
                subscription_id=change.subscription_id + mark,
                before=None if change.before is None else _renamed(change.before, mark),
                after=_renamed(change.after, mark),
            )
            for change in one.changes
        )
    return Company(live, changes[:events])


def _renamed(state: Subscription, mark: str) -> Subscription:
    return msgspec.structs.replace(
        state, id=state.id + mark, customer=state.customer + mark
    )


def snapshot(states: list[Subscription]) -> None:
    """Compute MRR now."""
    compute_snapshot(states, PRESETS["opseer"], "usd", RateTable(), NOW, UTC_ZONE)


def movements(one: Company) -> None:
    """Compute what moved in the last 30 days."""
    compute_movements(
        *(one.live, one.changes, PRESETS["opseer"], "usd", RateTable()),
        days=last_days(30, NOW.date()),
        tz=UTC_ZONE,
        now=NOW,
    )


def measured(work: Callable[[], None]) -> tuple[float, float]:
    """Return the least processor seconds of some runs, and by how many MB they grew.

    The first run is not looked at: it warms what is kept on purpose.
    """
    work()
    gc.collect()
    before, seconds = resident_mb(), []
    for _ in range(_RUNS):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    gc.collect()
    return min(seconds), resident_mb() - before


def resident_mb() -> float:
    """Return the memory of this process."""
    return float(psutil.Process().memory_info().rss) / 1e6


def say(name: str, size: int, work: Callable[[], None]) -> bool:
    """Print a line of the table; tell whether it is within its bound."""
    seconds, grown = measured(work)
    most = MOST.get(name)
    bound = "" if most is None else f"   (<= {most} s)"
    sys.stdout.write(f"{name:<24}{size:>9}{seconds:9.3f}{grown:11.1f}{bound}\n")
    sys.stdout.flush()
    return most is None or seconds <= most


def main() -> None:
    """Print the table; exit 1 where something took longer than it may."""
    sys.stdout.write("what                         size    CPU s   grown MB\n")
    small, everything = company("plain", 400), company("full", 40)
    well = True
    for count in (SUBSCRIPTIONS // 2, SUBSCRIPTIONS):
        for name, states in (
            ("plain", plain(count)),
            ("mix", copies(small.live, count)),
            ("everything", copies(everything.live, count)),
        ):
            well &= say(name, count, partial(snapshot, states))
    half, moved = copied(everything, EVENTS // 2), copied(everything, EVENTS)
    for one in (half, moved):
        well &= say("movements", len(one.changes), partial(movements, one))
    among = Company(moved.live + plain(SUBSCRIPTIONS), moved.changes)
    well &= say("movements among 100,000", EVENTS, partial(movements, among))
    sys.exit(not well)


if __name__ == "__main__":
    main()
