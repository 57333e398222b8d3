"""A subscription's states over time, from today's state and the events before it.

The state at an instant is what the last event at or before it said, or else what the
first event after it says there was before. A `created` event means there was nothing;
a `deleted` one does not say what was, so it is inferred (docs/MRR.md, "Backwards").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from opseer_common.contracts.subscription import (
    Item,
    Subscription,
    SubscriptionChange,
)
from opseer_mrr.domain.customer_discounts import CUSTOMER_DISCOUNT, with_history
from opseer_mrr.domain.gaps import Gap
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.snapshot import value

ALWAYS = -(2**62)
_ONE_DAY = 86_400
_replace = msgspec.structs.replace


class Segment(msgspec.Struct, frozen=True, gc=False):
    """From `at` on (unix seconds) the subscription is in `state`; None: not there."""

    at: int
    state: Subscription | None
    event_id: str | None = None


@dataclass(slots=True)
class Timeline:
    """The segments of one subscription, ascending; the first one is from ALWAYS.

    `gaps` are where two neighbours do not fit: an event between them was not seen.
    """

    subscription_id: str
    customer: str
    segments: list[Segment]
    gaps: list[Gap] = field(default_factory=list)

    def state_at(self, at: int) -> Subscription | None:
        """Return the state at an instant: of one second, the last."""
        found = None
        for segment in self.segments:
            if segment.at > at:
                break
            found = segment.state
        return found

    def at_second(self, at: int) -> list[Segment]:
        """Return what begins in a second, in order; else what goes on through it."""
        begun = [segment for segment in self.segments if segment.at == at]
        return begun or [Segment(at, self.state_at(at))]


def build_timelines(
    live: Sequence[Subscription],
    changes: Iterable[SubscriptionChange],
    policy: Policy,
    start: int,
    now: int,
) -> Iterator[Timeline]:
    """Yield the timeline of every subscription that `live` or `changes` name.

    `live` are the states at `now`; changes after it are left for the next time.
    `start` is where the days begin: a subscription that `live` says was created after
    it without an event appears where it was created, marked as missed.
    """
    by_id = changes_by_subscription(changes, now)
    for subscription in live:
        own = by_id.pop(subscription.id, [])
        if _is_quiet(subscription, own, start):
            whole = [Segment(ALWAYS, subscription)]
            yield Timeline(subscription.id, subscription.customer, whole)
        else:
            yield _timeline(own, subscription, policy, start, now)
    for own in by_id.values():
        if any(change.kind != CUSTOMER_DISCOUNT for change in own):
            yield _timeline(own, None, policy, start, now)


def _is_quiet(
    live: Subscription, changes: Sequence[SubscriptionChange], start: int
) -> bool:
    """Tell whether a subscription was the same all along, as nearly all are."""
    return not changes and live.created < start and not live.customer_discounts


def changes_by_subscription(
    changes: Iterable[SubscriptionChange], now: int
) -> dict[str, list[SubscriptionChange]]:
    """Group changes up to `now` by subscription, each event once, in their order."""
    unique = {change.event_id: change for change in changes if change.at <= now}
    by_id: dict[str, list[SubscriptionChange]] = {}
    for change in sorted(unique.values(), key=_order):
        by_id.setdefault(change.subscription_id, []).append(change)
    return by_id


def _order(change: SubscriptionChange) -> tuple[int, int, str]:
    return change.at, change.position, change.event_id


def _timeline(
    changes: Sequence[SubscriptionChange],
    live: Subscription | None,
    policy: Policy,
    start: int,
    now: int,
) -> Timeline:
    """Join one subscription's changes and live state."""
    beside, changes = _parted(changes)
    if live is not None:
        live = _since(live, changes)
    known = with_history(live or changes[-1].after, (*beside, *changes))
    live = known if live is not None else None
    opening = live if not changes else _before_first(changes[0])
    line = Timeline(known.id, known.customer, [Segment(ALWAYS, opening)])
    meter = _Meter(line, known, policy)
    meter.check_opening(changes, start, now)
    for change in changes:
        last = line.segments[-1].state
        if change.before is not None:
            before = _dated(change.before, last, change.at)
            meter.compare(last, before, change.at)
        after = _dated(change.after, last, change.at)
        line.segments.append(Segment(change.at, after, change.event_id))
    if meter.compare(line.segments[-1].state, live, now):
        line.segments.append(Segment(now, live))
    line.segments = [
        segment
        if segment.state is None
        else Segment(segment.at, _overlaid(segment.state, known), segment.event_id)
        for segment in line.segments
    ]
    for change in beside:
        told = Segment(change.at, line.state_at(change.at), change.event_id)
        line.segments.append(told)
        line.segments.sort(key=lambda segment: segment.at)
    return line


def _parted(
    changes: Iterable[SubscriptionChange],
) -> tuple[list[SubscriptionChange], list[SubscriptionChange]]:
    """Return the changes of the customer's discounts, and those of the state."""
    beside: list[SubscriptionChange] = []
    own: list[SubscriptionChange] = []
    for change in changes:
        (beside if change.kind == CUSTOMER_DISCOUNT else own).append(change)
    return beside, own


def _first_at(changes: Sequence[SubscriptionChange], now: int) -> int:
    return changes[0].at if changes else now


def _before_first(change: SubscriptionChange) -> Subscription | None:
    """Return the state before the first event, inferred where it does not say."""
    if change.kind == "created":
        return None
    if change.before is not None:
        return change.before
    after = change.after
    if change.kind == "deleted":
        return _before_deletion(after, change.at)
    if change.kind == "paused":
        return _replace(after, status=running(after, change.at))
    if change.kind == "resumed":
        return _replace(after, status="paused")
    return after


def running(state: Subscription, end: int) -> str:
    """Return trialing for a state whose trial reaches its end, else active.

    The end comes some time after the trial's: a day is allowed for.
    """
    in_trial = state.trial_end is not None and state.trial_end >= end - _ONE_DAY
    return "trialing" if in_trial else "active"


def _before_deletion(after: Subscription, at: int) -> Subscription:
    """Infer what a deleted subscription was: on trial, ending as asked, or active."""
    end = after.ended_at if after.ended_at is not None else at
    asked = after.canceled_at is not None and after.canceled_at < end
    return _replace(
        after,
        status=running(after, end),
        ended_at=None,
        cancel_at=end if asked else None,
    )


def _dated(state: Subscription, last: Subscription | None, at: int) -> Subscription:
    """Note since when a state is past_due."""
    if state.status != "past_due" or state.past_due_since is not None:
        return state
    was = last is not None and last.status == "past_due"
    since = last.past_due_since if last is not None and was else at
    return _replace(state, past_due_since=since)


@dataclass(frozen=True, slots=True)
class _Meter:
    """Finds the gaps of a timeline; usage and customer discounts are as `known`."""

    line: Timeline
    known: Subscription
    policy: Policy

    def compare(
        self, one: Subscription | None, other: Subscription | None, at: int
    ) -> bool:
        """Note a gap where two states that should be the same are worth other amounts.

        Returns whether they are not the same.
        """
        if one is other:
            return False
        if one is not None and other is not None and _overlaid(one, other) == other:
            return False
        before, after = self._worth(one, at), self._worth(other, at)
        if before == after:
            return False
        (old, left), (new, right) = before, after
        if left and right and old != new:
            steps = [(old, left, 0), (new, 0, right)]
        else:
            steps = [(new if right else old, left, right)]
        self.line.gaps.extend(Gap(at, *step) for step in steps)
        return True

    def check_opening(
        self, changes: Sequence[SubscriptionChange], start: int, now: int
    ) -> None:
        """Note where the timeline begins without an event that says how."""
        opening = self.line.segments[0].state
        if opening is not None and start <= opening.created <= _first_at(changes, now):
            # Its `created` event was not seen.
            born = Segment(opening.created, opening)
            self.line.segments = [Segment(ALWAYS, None), born]
            self.compare(None, opening, opening.created)
        first = changes[0] if changes else None
        if first is not None and first.kind == "updated" and first.before is None:
            # Nobody knows what there was before: taken as the same.
            currency, minor = self._worth(first.after, first.at)
            self.line.gaps.append(Gap(first.at, currency, minor, minor))

    def _worth(self, state: Subscription | None, at: int) -> tuple[str, int]:
        """Return a state's currency and MRR."""
        if state is None:
            return "", 0
        found = value(_overlaid(state, self.known), self.policy, at)
        return found.currency if found.minor else "", found.minor


def _overlaid(state: Subscription, known: Subscription) -> Subscription:
    """Give a state what events never tell: usage and the customer's own discounts."""
    if state is known:
        return state
    usage: Mapping[str, Item] = {
        item.id: item for item in known.items if _metered(item)
    }
    if not usage and state.customer_discounts == known.customer_discounts:
        return state
    items = tuple(
        _with_usage(item, usage[item.id]) if item.id in usage else item
        for item in state.items
    )
    return _replace(state, items=items, customer_discounts=known.customer_discounts)


def _metered(item: Item) -> bool:
    return item.price.usage_type == "metered"


def _with_usage(item: Item, known: Item) -> Item:
    return _replace(item, usage=known.usage, usage_amount=known.usage_amount)


def dated(
    live: Iterable[Subscription], changes: Iterable[SubscriptionChange], now: int
) -> list[Subscription]:
    """Return the live states with what only changes tell.

    That is `past_due_since`, and the customer's discounts with their times.
    """
    by_id = changes_by_subscription(changes, now)
    return [
        with_history(_since(state, _parted(own)[1]), own)
        if own or state.customer_discounts
        else state
        for state in live
        for own in [by_id.get(state.id, [])]
    ]


def _since(state: Subscription, changes: Sequence[SubscriptionChange]) -> Subscription:
    last: Subscription | None = None
    for change in changes:
        last = _dated(change.after, change.before or last, change.at)
    if last is None or state.status != "past_due" or last.status != "past_due":
        return state
    return _replace(state, past_due_since=last.past_due_since)
