"""Properties that hold for any company: made-up histories against their own ledger."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    SubscriptionChange,
)
from opseer_common.days import DayRange, start_of, zone
from opseer_mrr.domain.movements import compute_movements
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.rates import RateTable
from opseer_mrr.domain.rows import DayRow, Movements
from opseer_mrr.domain.snapshot import compute_snapshot

_TZ = zone("Asia/Seoul")
_DAYS = DayRange(date(2026, 1, 2), date(2026, 1, 11))
_START = int(start_of(_DAYS.first, _TZ).timestamp())
_NOW = _START + 10 * 86_400 - 1
_LONG_AGO = _START - 400 * 86_400
_POLICY = Policy(discounts="recurring")


@dataclass(frozen=True)
class _Company:
    """What really happened: each subscription's states by instant, and the events."""

    states: tuple[tuple[tuple[int, Subscription | None], ...], ...]
    changes: tuple[SubscriptionChange, ...]

    def at(self, instant: int) -> list[Subscription]:
        """Return the subscriptions as they are at an instant."""
        found = []
        for history in self.states:
            state = [state for at, state in history if at <= instant][-1]
            if state is not None:
                found.append(state)
        return found


_prices = st.builds(
    lambda amount, interval, count, currency: Price(
        id=f"price_{amount}_{interval}_{count}",
        currency=currency,
        interval=interval,
        interval_count=count,
        unit_amount=str(amount),
    ),
    st.integers(0, 50_000),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 3),
    st.sampled_from(["usd", "eur"]),
)
_discounts = st.builds(
    Discount,
    id=st.just("di_1"),
    duration=st.sampled_from(["forever", "repeating", "once"]),
    percent_off=st.sampled_from(["10", "33.3", "100"]),
    end=st.none() | st.integers(_START, _NOW),
)
_statuses = st.sampled_from(["active", "past_due", "trialing", "unpaid", "canceled"])


@st.composite
def _lives(
    draw: st.DrawFn, number: int
) -> tuple[list[tuple[int, Subscription | None]], list[SubscriptionChange]]:
    """One subscription: there before the days or created in them, then updates."""
    first_price = draw(_prices)
    instants = sorted(draw(st.sets(st.integers(_START, _NOW), max_size=5)))
    created_inside = bool(instants) and draw(st.booleans())
    created = instants[0] if created_inside else _LONG_AGO

    def state() -> Subscription:
        price = draw(_prices)
        price = msgspec.structs.replace(price, currency=first_price.currency)
        quantity = draw(st.integers(0, 4))
        discounts = draw(st.lists(_discounts, max_size=1))
        return Subscription(
            id=f"sub_{number}",
            customer=f"cus_{number % 3}",
            status=draw(_statuses),
            currency=first_price.currency,
            created=created,
            items=(Item(id=f"si_{number}", price=price, quantity=quantity),),
            discounts=tuple(discounts),
        )

    last = None if created_inside else state()
    history: list[tuple[int, Subscription | None]] = [(_LONG_AGO, last)]
    changes = []
    for step, at in enumerate(instants):
        after = state()
        changes.append(
            SubscriptionChange(
                event_id=f"evt_{number}_{step}",
                subscription_id=after.id,
                at=at,
                position=step,
                kind="created" if last is None else "updated",
                before=last,
                after=after,
            )
        )
        history.append((at, after))
        last = after
    return history, changes


@st.composite
def _companies(draw: st.DrawFn) -> _Company:
    lives = [draw(_lives(number)) for number in range(draw(st.integers(1, 5)))]
    return _Company(
        states=tuple(tuple(history) for history, _ in lives),
        changes=tuple(change for _, changes in lives for change in changes),
    )


_rate_tables = st.builds(
    lambda first, second: RateTable(
        {
            ("eur", "usd"): {
                date(2025, 12, 1): Fraction(first, 1000),
                date(2026, 1, 6): Fraction(second, 1000),
            }
        }
    ),
    st.integers(500, 2000),
    st.integers(500, 2000),
)


def _moved(
    live: Sequence[Subscription],
    changes: Sequence[SubscriptionChange],
    rates: RateTable,
) -> Movements:
    return compute_movements(
        live,
        changes,
        _POLICY,
        "usd",
        rates,
        days=_DAYS,
        tz=_TZ,
        now=datetime.fromtimestamp(_NOW, UTC),
    )


def _snapshot(states: Sequence[Subscription], instant: int, rates: RateTable) -> int:
    at = datetime.fromtimestamp(instant, UTC)
    return compute_snapshot(states, _POLICY, "usd", rates, at, _TZ).mrr


@given(_companies(), _rate_tables)
@settings(max_examples=50, deadline=None)
def test_every_day_ends_at_what_was_there(company: _Company, rates: RateTable) -> None:
    """Each day's snapshot, walked back from today, is MRR of the true states then."""
    _check_every_day(company, rates)


@pytest.mark.deep
@pytest.mark.timeout(600)
@given(_companies(), _rate_tables)
@settings(max_examples=1000, deadline=None)
def test_every_day_of_a_thousand_companies(company: _Company, rates: RateTable) -> None:
    """The same for a thousand companies."""
    _check_every_day(company, rates)


def _check_every_day(company: _Company, rates: RateTable) -> None:
    found = _moved(company.at(_NOW), company.changes, rates)
    assert found.opening == _snapshot(company.at(_START - 1), _START - 1, rates)
    for row in found.by_subscription:
        end = int(start_of(row.day + timedelta(days=1), _TZ).timestamp()) - 1
        assert row.snapshot == _snapshot(company.at(end), end, rates)
        assert row.complete


@given(_companies(), _rate_tables)
@settings(max_examples=50, deadline=None)
def test_movements_are_the_difference_of_snapshots(
    company: _Company, rates: RateTable
) -> None:
    """In both grains net and FX lead from the first to the last snapshot."""
    found = _moved(company.at(_NOW), company.changes, rates)
    for rows in (found.by_subscription, found.by_customer):
        snapshot = found.opening
        for row in rows:
            snapshot += row.net + row.fx
            assert row.snapshot == snapshot
            assert row.contraction <= 0
            assert row.churned <= 0
            assert 0 <= row.of_which_reactivation <= row.new
            assert row.expansion >= 0
    nets = [row.net for row in found.by_subscription]
    assert nets == [row.net for row in found.by_customer]


@given(_companies(), _rate_tables)
@settings(max_examples=50, deadline=None)
def test_the_changes_of_a_day_add_up_to_its_row(
    company: _Company, rates: RateTable
) -> None:
    """The drill-down is the headline to the cent, category by category."""
    found = _moved(company.at(_NOW), company.changes, rates)
    for row in found.by_subscription:
        sums = dict.fromkeys(("new", "expansion", "contraction", "churned"), 0)
        for change in found.changes:
            if change.day == row.day and change.category != "none":
                assert change.settlement_minor is not None
                sums[change.category] += change.settlement_minor
        assert sums == {name: getattr(row, name) for name in sums}


@given(_companies(), _rate_tables)
@settings(max_examples=50, deadline=None)
def test_fx_is_nil_while_the_rate_stands(company: _Company, rates: RateTable) -> None:
    """Only the day with another rate has an FX line."""
    found = _moved(company.at(_NOW), company.changes, rates)
    assert {row.day for row in found.by_subscription if row.fx} <= {date(2026, 1, 6)}


@given(_companies(), _rate_tables, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_duplicates_do_not_matter(
    company: _Company, rates: RateTable, random: Random
) -> None:
    """Events that come twice and in any order give the same movements."""
    again = [*company.changes, *company.changes[::2]]
    random.shuffle(again)
    live = company.at(_NOW)
    random.shuffle(live)
    expected = _moved(company.at(_NOW), company.changes, rates)
    assert _moved(live, again, rates) == expected


@given(_companies(), _rate_tables, st.integers(_START, _NOW))
@settings(max_examples=40, deadline=None)
def test_batches_do_not_matter(company: _Company, rates: RateTable, until: int) -> None:
    """A collection halfway and one at the end agree on every day that was over."""
    earlier = compute_movements(
        company.at(until),
        [change for change in company.changes if change.at <= until],
        *(_POLICY, "usd", rates),
        days=_DAYS,
        tz=_TZ,
        now=datetime.fromtimestamp(until, UTC),
    )
    found = _moved(company.at(_NOW), company.changes, rates)
    assert earlier.opening == found.opening
    for grain in ("by_subscription", "by_customer"):
        over, whole = getattr(earlier, grain)[:-1], getattr(found, grain)
        assert over == whole[: len(over)]


def _without_discounts(company: _Company) -> _Company:
    """Return the company without what ends by itself."""
    bare = msgspec.structs.replace
    return _Company(
        states=tuple(
            tuple((at, state and bare(state, discounts=())) for at, state in history)
            for history in company.states
        ),
        changes=tuple(
            bare(
                change,
                before=change.before and bare(change.before, discounts=()),
                after=bare(change.after, discounts=()),
            )
            for change in company.changes
        ),
    )


@given(_companies(), _rate_tables, st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_missing_event_is_never_hidden(
    company: _Company, rates: RateTable, number: int
) -> None:
    """Without an event that others follow or precede: right, or marked and told.

    The first event of one that was there before is the exception: what it changed
    stands nowhere else. The last snapshot is today's whatever is missing.
    """
    company = _without_discounts(company)
    seen: set[str] = set()
    candidates = []
    for change in sorted(company.changes, key=lambda one: one.at):
        if change.subscription_id in seen or change.before is None:
            candidates.append(change)
        seen.add(change.subscription_id)
    lost = candidates[number % len(candidates)] if candidates else None
    live = company.at(_NOW)
    whole = _moved(live, company.changes, rates)
    found = _moved(live, [one for one in company.changes if one is not lost], rates)
    rows = found.by_subscription
    assert rows[-1].snapshot == _snapshot(live, _NOW, rates)
    for before, row in itertools.pairwise(rows):
        assert row.snapshot == before.snapshot + row.net + row.fx
    if rows != whole.by_subscription:
        assert "MISSED_EVENT" in {row.reason for row in rows}


def _added(one: DayRow, other: DayRow) -> tuple[int, ...]:
    names = (
        *("new", "expansion", "contraction", "churned", "of_which_reactivation"),
        *("fx", "snapshot", "new_subs", "churned_subs"),
    )
    return tuple(getattr(one, name) + getattr(other, name) for name in names)


@given(_companies())
@settings(max_examples=40, deadline=None)
def test_two_halves_make_the_whole(company: _Company) -> None:
    """Splitting a company by customer and adding the rows gives the company's rows."""
    rates = RateTable({("eur", "usd"): {date(2025, 12, 1): Fraction(2)}})

    def part(*customers: str) -> Movements:
        return _moved(
            [one for one in company.at(_NOW) if one.customer in customers],
            [one for one in company.changes if one.after.customer in customers],
            rates,
        )

    whole, left, right = (
        part("cus_0", "cus_1", "cus_2"),
        part("cus_0"),
        part("cus_1", "cus_2"),
    )
    nothing = part()
    for grain in ("by_subscription", "by_customer"):
        rows = zip(
            getattr(whole, grain),
            getattr(left, grain),
            getattr(right, grain),
            getattr(nothing, grain),
            strict=True,
        )
        for all_of_it, one, other, none in rows:
            assert _added(all_of_it, none) == _added(one, other)


def _scaled(state: Subscription, factor: int) -> Subscription:
    """Charge `factor` times as much, at monthly prices, without discounts."""
    items = tuple(
        msgspec.structs.replace(
            item,
            price=msgspec.structs.replace(
                item.price,
                interval="month",
                interval_count=1,
                unit_amount=str(int(item.price.unit_amount or 0) * factor),
            ),
        )
        for item in state.items
    )
    return msgspec.structs.replace(state, items=items, discounts=())


@given(_companies(), st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_prices_scale(company: _Company, factor: int) -> None:
    """A company that charges k times as much moves k times as much."""
    rates = RateTable({("eur", "usd"): {date(2025, 12, 1): Fraction(3)}})

    def scaled(by: int) -> Movements:
        changes = [
            msgspec.structs.replace(
                change,
                before=None if change.before is None else _scaled(change.before, by),
                after=_scaled(change.after, by),
            )
            for change in company.changes
        ]
        live = [_scaled(state, by) for state in company.at(_NOW)]
        return _moved(live, changes, rates)

    for small, large in zip(
        scaled(1).by_subscription, scaled(factor).by_subscription, strict=True
    ):
        for name in ("new", "expansion", "contraction", "churned", "snapshot"):
            assert getattr(large, name) == factor * getattr(small, name)
