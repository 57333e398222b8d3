"""Which subscriptions count at an instant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opseer_common.contracts.subscription import Subscription
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.standing import standing

Build = Callable[..., Subscription]
_AT = 1_768_478_400
_DAY = 86_400


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", "counted"),
        ("past_due", "counted"),
        ("trialing", "trial"),
        ("unpaid", "unpaid"),
        ("incomplete", "incomplete"),
        ("incomplete_expired", "ended"),
        ("canceled", "ended"),
        ("paused", "paused"),
    ],
)
def test_statuses(subscription: Build, status: str, expected: str) -> None:
    """Active and past_due count (source: Stripe's glossary), the rest says why not."""
    assert standing(subscription(status=status), Policy(), _AT) == expected


def test_other_policies_count_other_statuses(subscription: Build) -> None:
    """Trials and unpaid ones count where the policy says so, ended ones never."""
    policy = Policy(trial="include", count_statuses=("unpaid",))
    found = [
        standing(subscription(status=status), policy, _AT)
        for status in ("trialing", "unpaid", "canceled")
    ]
    assert found == ["counted", "counted", "ended"]


@pytest.mark.parametrize(
    ("policy", "behavior", "expected"),
    [
        ("exclude_unless_draft", "void", "paused"),
        ("exclude_unless_draft", "mark_uncollectible", "paused"),
        ("exclude_unless_draft", "keep_as_draft", "counted"),
        ("exclude", "keep_as_draft", "paused"),
        ("include", "void", "counted"),
    ],
)
def test_paused_collection(
    subscription: Build, policy: str, behavior: str, expected: str
) -> None:
    """Nothing is billed under void and mark_uncollectible; a draft is billed later."""
    one = subscription(pause_behavior=behavior)
    assert standing(one, Policy(pause=policy), _AT) == expected


def test_a_pause_ends_by_itself(subscription: Build) -> None:
    """From `resumes_at` on the subscription counts, event or not."""
    one = subscription(pause_behavior="void", pause_resumes_at=_AT)
    assert standing(one, Policy(), _AT - 1) == "paused"
    assert standing(one, Policy(), _AT) == "counted"


@pytest.mark.parametrize("asked", [{"cancel_at_period_end": True}, {"cancel_at": _AT}])
def test_churn_at_the_click(subscription: Build, asked: dict[str, object]) -> None:
    """Under the click policy an asked-for end is the end."""
    one = subscription(**asked)
    assert standing(one, Policy(), _AT) == "counted"
    assert standing(one, Policy(churn_at="click"), _AT) == "cancelled"


def test_the_grace_of_past_due(subscription: Build) -> None:
    """After the days of grace past_due stops counting; without a date it counts."""
    policy = Policy(past_due_grace_days=10)
    late = subscription(status="past_due", past_due_since=_AT)
    assert standing(late, policy, _AT + 10 * _DAY - 1) == "counted"
    assert standing(late, policy, _AT + 10 * _DAY) == "grace_over"
    unknown = subscription(status="past_due")
    assert standing(unknown, policy, _AT) == "counted"
    paid = subscription(past_due_since=_AT - 99 * _DAY)
    assert standing(paid, policy, _AT) == "counted"
