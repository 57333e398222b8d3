"""Why a subscription's MRR changed in a day: the closed list of codes, with words.

The mrr service gives a code to each change behind a day (rules: docs/MRR.md,
"Reasons"); the API, the pages and the command line say it in these words.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASON_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "new": "started a paid subscription",
        "reactivated": "came back after having left",
        "recovered": "paid after it had been given up",
        "trial_converted": "began to pay after the trial",
        "trial_extended": "got a free trial while it was paying",
        "resumed": "resumed after a pause",
        "cancellation_undone": "took the cancellation back",
        "upgrade": "moved to a dearer plan",
        "downgrade": "moved to a cheaper plan",
        "interval_change": "changed how often it is billed",
        "items_added": "added something to the subscription",
        "items_removed": "dropped something from the subscription",
        "price_edit": "pays another amount for the same plan",
        "seats": "changed the number of seats",
        "usage": "was billed for another amount of usage",
        "tax_change": "has another tax inside the price",
        "discount_started": "got a discount, or a larger one",
        "discount_ended": "has no discount any more, or a smaller one",
        "currency_change": "changed its currency",
        "paused": "paused",
        "unpaid": "was marked unpaid after failed payments",
        "grace_over": "is past due for longer than the days of grace",
        "cancelled": "cancelled",
        "ended": "ended as it had been set to",
        "came_and_went": "started and ended on the same day",
        "missed_event": "changed without an event that tells of it",
    }
)
"""Each code with words that follow the customer's name or "the subscription"."""
