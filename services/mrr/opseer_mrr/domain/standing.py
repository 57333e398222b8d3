"""Whether a subscription counts at an instant, and if not, why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from opseer_common.contracts.subscription import Discount, Subscription
from opseer_mrr.domain.policy import Policy

Standing = Literal[
    "counted",
    "trial",
    "incomplete",
    "unpaid",
    "paused",
    "cancelled",
    "ended",
    "grace_over",
]

_ENDED = frozenset({"canceled", "incomplete_expired"})
_OUTSIDE: Mapping[str, Standing] = {
    "trialing": "trial",
    "incomplete": "incomplete",
    "paused": "paused",
}
_DAY_SECONDS = 86_400
# Which durations of a discount each choice of the policy subtracts.
_SUBTRACTED = {
    "forever": frozenset({"forever"}),
    "recurring": frozenset({"forever", "repeating"}),
    "all": frozenset({"forever", "repeating", "once"}),
}


def standing(subscription: Subscription, policy: Policy, at: int) -> Standing:
    """Return how a subscription stands at `at` (unix seconds) under the policy."""
    status = subscription.status
    if status not in policy.count_statuses and not _is_counted_trial(status, policy):
        return "ended" if status in _ENDED else _OUTSIDE.get(status, "unpaid")
    if policy.churn_at == "click" and is_cancelling(subscription):
        return "cancelled"
    if subscription.pause_behavior is not None and is_paused(subscription, policy, at):
        return "paused"
    if status == "active":
        return "counted"
    end = grace_end(subscription, policy)
    return "grace_over" if end is not None and at >= end else "counted"


def _is_counted_trial(status: str, policy: Policy) -> bool:
    return status == "trialing" and policy.trial == "include"


def is_cancelling(subscription: Subscription) -> bool:
    """Tell whether an end is already asked for."""
    return subscription.cancel_at_period_end or subscription.cancel_at is not None


def is_paused(subscription: Subscription, policy: Policy, at: int) -> bool:
    """Tell whether collection is paused so that nothing is billed.

    A pause whose `resumes_at` has passed is over, event or not.
    """
    behavior = subscription.pause_behavior
    if behavior is None or policy.pause == "include":
        return False
    if policy.pause == "exclude_unless_draft" and behavior == "keep_as_draft":
        return False
    resumes = subscription.pause_resumes_at
    return resumes is None or at < resumes


def grace_end(subscription: Subscription, policy: Policy) -> int | None:
    """Return when a past_due subscription stops counting; None for never."""
    days, since = policy.past_due_grace_days, subscription.past_due_since
    if subscription.status != "past_due" or days is None or since is None:
        return None
    return since + days * _DAY_SECONDS


def in_force(discount: Discount, policy: Policy, at: int) -> bool:
    """Tell whether the policy subtracts a discount at `at`."""
    if discount.duration not in _SUBTRACTED[policy.discounts]:
        return False
    return discount.end is None or at < discount.end


def applied(subscription: Subscription, at: int) -> tuple[Discount, ...]:
    """Return the discounts of the whole subscription, else its customer's at `at`.

    One that is over is none. The customer's are those of all time; of one second, what
    comes then is there.
    """
    own = subscription.discounts
    if own:
        own = tuple(one for one in own if one.end is None or at < one.end)
    return own or tuple(
        one
        for one in subscription.customer_discounts
        if (one.start is None or one.start <= at) and (one.end is None or at < one.end)
    )


def turning_points(subscription: Subscription, policy: Policy) -> list[int]:
    """Return the instants at which the state's worth may change without an event."""
    discounts = [*subscription.discounts, *subscription.customer_discounts]
    points = [one.start for one in subscription.customer_discounts]
    for item in subscription.items:
        discounts.extend(item.discounts)
        points.extend(charge.at for charge in item.usage)
    points.extend(one.end for one in discounts)
    if subscription.pause_behavior is not None:
        points.append(subscription.pause_resumes_at)
    if subscription.status == "past_due":
        points.append(grace_end(subscription, policy))
    return [point for point in points if point is not None]
