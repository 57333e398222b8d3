"""Where a timeline has gaps, and where one only seems to be."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)
from opseer_mrr.domain.gaps import Gap
from opseer_mrr.domain.policy import PRESETS
from opseer_mrr.domain.timeline import Timeline, build_timelines

Build = Callable[..., Subscription]
Change = Callable[..., SubscriptionChange]
_START, _NOW = 1_767_000_000, 1_769_000_000
_AT = 1_768_000_000


def _line(
    live: Subscription | None, *changes: SubscriptionChange, start: int = _START
) -> Timeline:
    states = [] if live is None else [live]
    (found,) = build_timelines(states, changes, PRESETS["opseer"], start, _NOW)
    return found


def test_events_that_chain_have_no_gap(subscription: Build, change: Change) -> None:
    """Each begins where the one before it ended, and the last is today's state."""
    one, two, three = (subscription(quantity=n) for n in (1, 2, 3))
    line = _line(three, change(one, two, _AT), change(two, three, _AT + 9))
    assert line.gaps == []
    assert [segment.state for segment in line.segments] == [one, two, three]


def test_a_step_between_events(subscription: Build, change: Change) -> None:
    """It is known when the next event says what there was before."""
    one, two, three, four = (subscription(quantity=n) for n in (1, 2, 3, 4))
    line = _line(four, change(one, two, _AT), change(three, four, _AT + 9))
    assert line.gaps == [Gap(_AT + 9, "usd", 2000, 3000)]


def test_a_step_up_to_today(subscription: Build, change: Change) -> None:
    """It is known from the live state, now."""
    one, two, three = (subscription(quantity=n) for n in (1, 2, 3))
    assert _line(three, change(one, two, _AT)).gaps == [Gap(_NOW, "usd", 2000, 3000)]
    assert _line(None, change(one, two, _AT)).gaps == [Gap(_NOW, "usd", 2000, 0)]


def test_a_currency_that_changed_untold(subscription: Build, change: Change) -> None:
    """Two steps: out of the old one and into the new one."""
    one, two = subscription(), subscription(quantity=2)
    euro = subscription(price={"currency": "eur"}, quantity=2)
    line = _line(euro, change(one, two, _AT))
    assert line.gaps == [Gap(_NOW, "usd", 2000, 0), Gap(_NOW, "eur", 0, 2000)]


def test_a_creation_without_its_event(subscription: Build, change: Change) -> None:
    """A gap where it was worth something; where it was on trial nothing is missing."""
    new = subscription(created=_AT)
    assert _line(new).gaps == [Gap(_AT, "usd", 0, 1000)]
    trial = msgspec.structs.replace(new, status="trialing")
    line = _line(new, change(trial, new, _AT + 9))
    assert line.gaps == []
    assert line.state_at(_AT - 1) is None
    assert line.state_at(_AT) == trial


def test_an_update_that_tells_no_before(subscription: Build, change: Change) -> None:
    """The first one is taken as the same, and marked; later ones follow from it."""
    one, two = subscription(), subscription(quantity=2)
    first = change(None, one, _AT, kind="updated")
    assert _line(one, first).gaps == [Gap(_AT, "usd", 1000, 1000)]
    assert "what it was before" in Gap(_AT, "usd", 1000, 1000).words()
    second = change(None, two, _AT + 9, kind="updated")
    assert _line(two, change(one, one, _AT), second).gaps == []


@pytest.mark.parametrize(
    "fields",
    [
        {"cancel_at_period_end": True},
        {"trial_end": 5},
        {"discounts": (Discount("di_1", "once", percent_off="50"),)},
    ],
)
def test_what_is_worth_the_same_is_no_gap(
    subscription: Build, change: Change, fields: dict[str, object]
) -> None:
    """Something was not told, and no figure depends on it."""
    one, two = subscription(), subscription(quantity=2)
    line = _line(subscription(quantity=2, **fields), change(one, two, _AT))
    assert line.gaps == []


def test_events_of_one_second(subscription: Build, change: Change) -> None:
    """They apply in their order; the last one is the state, each is a segment."""
    states = [subscription(quantity=n) for n in (1, 2, 3)]
    first = change(states[0], states[1], _AT, position=1, event_id="evt_b")
    second = change(states[1], states[2], _AT, position=2, event_id="evt_a")
    line = _line(states[2], second, first, second)
    assert line.gaps == []
    assert line.state_at(_AT) == states[2]
    assert [one.event_id for one in line.at_second(_AT)] == ["evt_b", "evt_a"]
    assert [one.state for one in line.at_second(_AT - 5)] == [states[0]]
