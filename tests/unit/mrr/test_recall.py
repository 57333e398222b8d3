"""Coupons that end without an event still move MRR on their day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)
from opseer_mrr.domain.computation import (
    ConnectionKey,
    Figures,
    Inputs,
    Settings,
    Stored,
    compute,
)
from opseer_mrr.domain.recall import Ending, endings, recalled
from opseer_mrr.domain.rows import DayRow

Build = Callable[..., Subscription]
Change = Callable[..., SubscriptionChange]
_DAY = date(2026, 11, 20)
_END = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
_BEFORE = datetime(2026, 11, 20, 9, tzinfo=UTC)
_AFTER = datetime(2026, 11, 22, 9, tzinfo=UTC)
_HALF = Discount("di_1", "repeating", percent_off="50", end=_END)
_KEPT = {"sub_1": (Ending(None, _HALF),)}


def _computed(
    live: Subscription,
    at: datetime,
    stored: Stored,
    *changes: SubscriptionChange,
) -> Figures:
    found = compute(
        Inputs(
            key=ConnectionKey(UUID(int=1), "stripe", UUID(int=2)),
            revision=1,
            as_of=at,
            settings=Settings(1, {"preset": "stripe_all_discounts"}, "UTC"),
            settlement="usd",
            permissions={},
            subscriptions=[msgspec.json.encode(live).decode()],
            changes=[msgspec.json.encode(one).decode() for one in changes],
            rates=[],
            stored=stored,
        )
    )
    assert found is not None
    return found


def _row(figures: Figures, day: date = _DAY) -> DayRow:
    (row,) = (
        row
        for grain, row in figures.movements
        if grain == "subscription" and row.day == day
    )
    return row


def _next(figures: Figures) -> Stored:
    """Return what a computation leaves for the next one."""
    yesterday = figures.days.last - timedelta(days=1)
    return Stored(
        settings_revision=1,
        closed=(yesterday, _row(figures, yesterday).snapshot, "usd"),
        holdings=figures.holdings,
        endings=figures.endings,
    )


def test_it_moves_mrr_on_its_day(subscription: Build) -> None:
    """Shown the day before, gone two days after, and no event in between."""
    first = _computed(subscription(discounts=(_HALF,)), _BEFORE, Stored())
    assert first.endings == _KEPT
    second = _computed(subscription(), _AFTER, _next(first))
    (change,) = second.changes
    assert (change.day, change.reason, change.event_ids) == (
        _DAY,
        "discount_ended",
        (),
    )
    assert (_row(second).expansion, _row(second).snapshot) == (500, 1000)
    assert _row(second).complete
    assert second.reconciliation is not None
    assert second.reconciliation.difference == 0


def test_an_end_before_the_first_collection_is_told_by_its_event(
    subscription: Build, change: Change
) -> None:
    """No subscription shows it any more; the event of the discount has its terms."""
    told = subscription(discounts=(_HALF,))
    gone = msgspec.structs.replace(change(told, told, _END), kind="discount_ended")
    found = _computed(subscription(), _AFTER, Stored(), gone)
    assert (_row(found).expansion, _row(found).snapshot) == (500, 1000)
    assert _row(found, _DAY - timedelta(days=3)).snapshot == 500
    assert found.endings == _KEPT


def test_it_is_kept_while_its_day_is_shown(subscription: Build) -> None:
    """Every later collection tells the same, until the day leaves the window."""
    figures = _computed(subscription(discounts=(_HALF,)), _BEFORE, Stored())
    for days in (1, 9, 29):
        at = _BEFORE + timedelta(days=days)
        figures = _computed(subscription(), at, _next(figures))
        assert _row(figures).expansion == 500
    later = _BEFORE + timedelta(days=38)
    figures = _computed(subscription(), later, _next(figures))
    assert figures.endings == {}
    assert figures.changes == ()


def test_events_since_do_not_hide_it(subscription: Build, change: Change) -> None:
    """A renewal after the end shows no discount on either side."""
    plain = subscription()
    renewal = change(plain, plain, _END + 3600)
    found = _computed(plain, _AFTER, Stored(endings=_KEPT), renewal)
    assert (_row(found).expansion, _row(found).complete) == (500, True)


def test_events_before_know_its_terms(subscription: Build, change: Change) -> None:
    """They name the discount by its id, which nothing else explains any more."""
    named = subscription(discounts=(Discount("di_1", "unknown"),))
    renewal = change(named, named, _END - 9 * 86_400)
    found = _computed(subscription(), _AFTER, Stored(endings=_KEPT), renewal)
    assert _row(found).reason is None
    assert _row(found, _DAY - timedelta(days=12)).snapshot == 500


def test_what_was_taken_away_early_stays_away(
    subscription: Build, change: Change
) -> None:
    """An event tells that it went before its end: nothing happens on that day."""
    had, plain = subscription(discounts=(_HALF,)), subscription()
    told = change(had, plain, _END - 4 * 86_400)
    found = _computed(plain, _AFTER, Stored(endings=_KEPT), told)
    days = {one.day for one in found.changes}
    assert days == {_DAY - timedelta(days=4)}


def test_discounts_of_items_too(subscription: Build) -> None:
    """An item's coupon is given back to that item alone."""
    shown = subscription(item={"discounts": (_HALF,)})
    kept = endings([shown], {}, _END)
    assert kept == {"sub_1": (Ending("si_1", _HALF),)}
    (live,), _ = recalled([subscription()], [], kept, _END + 5)
    assert live.items[0].discounts == (_HALF,)
    assert live.discounts == ()


def test_what_has_no_end_is_not_kept(subscription: Build) -> None:
    """Nor what ended before the days that are shown."""
    forever = Discount("di_2", percent_off="5")
    shown = [subscription(discounts=(forever, _HALF))]
    assert endings(shown, {}, _END) == _KEPT
    assert endings(shown, {}, _END + 1) == {}
    assert endings([], _KEPT, _END) == _KEPT
