"""Who has paid before, as the states of subscriptions tell it."""

from __future__ import annotations

from opseer_common.contracts.subscription import Subscription
from opseer_mrr.domain.normalise import worth
from opseer_mrr.domain.policy import Policy
from opseer_mrr.domain.standing import standing
from opseer_mrr.domain.timeline import running

# Why something that was paid for is worth nothing at present.
_STOPPED = frozenset({"unpaid", "paused", "grace_over"})


def has_paid(state: Subscription, policy: Policy, at: int) -> bool:
    """Tell whether a subscription that is worth nothing at `at` was, before.

    The status `paused` is what a trial without a payment method ends in (source:
    Stripe API, "Pausing trials"): nothing was paid there. On trial is one that paid
    before it was given free time.
    """
    stands = standing(state, policy, at)
    if stands == "trial":
        stopped = _was_given_later(state)
    else:
        after_trial = state.status == "paused" and state.trial_end is not None
        stopped = stands in _STOPPED and not after_trial
    return stopped and worth(state, policy, at).total > 0


def paid_before_end(ended: Subscription, policy: Policy) -> bool:
    """Tell whether an ended subscription was worth something while it ran.

    That it was paused or asked to end by then does not matter. What metered items were
    charged is not known any more: they are worth nothing here.
    """
    end = ended.created if ended.ended_at is None else ended.ended_at
    on_trial = running(ended, end) == "trialing" and not _was_given_later(ended)
    if policy.trial != "include" and on_trial:
        return False
    return worth(ended, policy, end - 1).total > 0


def _was_given_later(state: Subscription) -> bool:
    """Tell whether a trial began after the subscription: free time for who paid."""
    return state.trial_start is not None and state.trial_start > state.created
