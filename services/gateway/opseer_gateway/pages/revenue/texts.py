"""The words of the revenue page that are the same for everyone, in one place.

Labels are the product description's own. A note of `HOW` is a title and paragraphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from opseer_common.contracts import Source
from opseer_gateway.domain.integrations import SOURCE_NAMES

MRR: Final = "MRR"
YESTERDAY_MRR: Final = "Yesterday MRR"
NET_REVENUE: Final = "Net Revenue"
CHARGES: Final = "Charges"
ACTIVE: Final = "Active Subscriptions"
SNAPSHOT: Final = "MRR Snapshot"
REVENUE_COLUMNS: Final = (
    *(NET_REVENUE, CHARGES, "Refunds", "Refunded", "Failed Payments", "Disputes"),
)
MOVEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "new": "New MRR",
        "expansion": "Expansion MRR",
        "contraction": "Contraction MRR",
        "churned": "Churned MRR",
        "net": "Net MRR Movement",
    }
)
_DAY: Mapping[Source, str] = MappingProxyType(
    {
        "stripe": "A day is one of the time zone shown at the top of the page.",
        "revenuecat": "RevenueCat counts days in UTC.",
        "polar": "A day is one of the time zone shown at the top of the page.",
    }
)
_STRIPE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mrr": (
            (
                "The sum over all running subscriptions, each brought to a month: a "
                "yearly price counts a twelfth, a weekly one 52 twelfths of a "
                "week's price."
            ),
            (
                "Past due subscriptions count as long as they run, trials and "
                "paused ones do not. Coupons that run forever are taken off, usage "
                "counts with its newest invoice, and other currencies at the rate "
                "of the latest actual payment."
            ),
        ),
        "yesterday_mrr": (
            (
                "MRR at the end of yesterday. It is carried forward each day by "
                "what Stripe's events say was created, changed or ended, and "
                "checked daily against a full count."
            ),
        ),
        "net_revenue": (
            (
                "Charges minus refunds, from Stripe's balance transactions, before "
                "fees. Disputes and payouts are not part of it."
            ),
        ),
        "charges": ("How many payments reached your Stripe balance.",),
        "active": (
            (
                "Subscriptions that add to MRR: running, not in a trial, not "
                "paused, and worth more than zero."
            ),
        ),
        "trend": (
            (
                "MRR at the end of each day (MRR Snapshot), carried forward by the "
                "day's movements. Stripe keeps events for 30 days: before that "
                "there is no history until it has grown here."
            ),
        ),
        "waterfall": (
            (
                "New MRR: new subscriptions. Expansion MRR: upgrades. Contraction "
                "MRR: downgrades. Churned MRR: cancellations. Net MRR Movement is "
                "their sum."
            ),
            (
                "MRR Snapshot of a day = the day before + Net MRR Movement + FX, "
                "which is what exchange rates did to subscriptions in other "
                "currencies."
            ),
        ),
        "revenue": (
            (
                "Each day's charges minus refunds. Click a day to see every "
                "payment, refund and dispute behind it."
            ),
        ),
        "table": (
            (
                "Charges, refunds and disputes are Stripe's balance transactions, "
                "failed payments are charges that did not go through. A refund "
                "counts on the day it is made."
            ),
        ),
        "plans": ("What each price adds to MRR now. The shares sum to 100 %.",),
        "arr": ("Annual run rate: 12 times MRR.",),
        "arpa": ("Average revenue per account: MRR / Active Subscriptions.",),
    }
)
_OTHER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mrr": ("MRR as {name} computes it: read once a day, not changed here.",),
        "yesterday_mrr": ("MRR of {name} at the end of yesterday.",),
        "net_revenue": ("Revenue of the days shown, less refunds, as {name} has it.",),
        "charges": ("Orders of the days shown, as {name} counts them.",),
        "active": ("Active subscriptions, as {name} counts them.",),
        "trend": ("MRR of each day, as {name} has it.",),
        "waterfall": ("What moved MRR, as {name} has it.",),
        "revenue": ("Each day's revenue less refunds, as {name} has it.",),
        "table": ("Each day's figures, as {name} has them.",),
        "plans": ("What each product adds to MRR now.",),
    }
)
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "mrr": MRR,
        "yesterday_mrr": YESTERDAY_MRR,
        "net_revenue": NET_REVENUE,
        "charges": CHARGES,
        "active": ACTIVE,
        "trend": "MRR Trend",
        "waterfall": "MRR Waterfall",
        "revenue": NET_REVENUE,
        "table": "The days",
        "plans": "MRR by plan",
        "arr": "ARR",
        "arpa": "ARPA",
    }
)
_DAILY: Final = frozenset({"net_revenue", "charges", "revenue", "table"})


def how(source: Source, key: str) -> tuple[str, tuple[str, ...]]:
    """Return the title and the paragraphs on how a figure is computed."""
    texts = _STRIPE[key] if source == "stripe" else _OTHER.get(key, _STRIPE[key])
    paragraphs = tuple(text.replace("{name}", SOURCE_NAMES[source]) for text in texts)
    if key in _DAILY:
        paragraphs = (*paragraphs, _DAY[source])
    return _TITLES[key], paragraphs
