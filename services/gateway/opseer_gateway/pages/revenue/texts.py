"""The words of the revenue page that are the same for everyone, in one place.

Labels are the product description's own. A note of `HOW` is a title and paragraphs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from opseer_common.channels import CAVEATS, CHANNELS, Channel
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import MetricKey

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
RATES: Mapping[str, str] = MappingProxyType(
    {
        "customer_churn_rate": "Customer churn",
        "subscription_churn_rate": "Subscription churn",
        "revenue_churn_rate": "MRR churn",
        "net_revenue_churn_rate": "Net MRR churn",
    }
)
NO_BASE: Final = "nothing to compare with"
_OF_DAYS: Final = "A day is one of the time zone shown at the top of the page."
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
        "customer_churn_rate": (
            (
                "Customers who went from some MRR to none, per customer with MRR "
                "at the start."
            ),
        ),
        "subscription_churn_rate": (
            (
                "Subscriptions that went from some MRR to none, per subscription "
                "with MRR at the start."
            ),
        ),
        "revenue_churn_rate": (
            "Churned MRR and Contraction MRR, per MRR at the start.",
        ),
        "net_revenue_churn_rate": (
            (
                "The same less Expansion MRR and reactivation: below zero where "
                "those who stay pay more than those who leave took along."
            ),
        ),
    }
)
_METRICS: Mapping[str, MetricKey] = MappingProxyType(
    {
        "mrr": "mrr",
        "yesterday_mrr": "mrr",
        "trend": "mrr",
        "net_revenue": "revenue",
        "revenue": "revenue",
        "charges": "orders",
    }
)
"""Which of a channel's own definitions a note is about."""
_OTHER: Mapping[str, str] = MappingProxyType(
    {
        "active": "Active subscriptions, as {name} counts them.",
        "waterfall": "What moved MRR, as {name} has it.",
        "table": "Each day's figures, as {name} has them.",
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
        **RATES,
    }
)
_DAILY: Final = frozenset({"net_revenue", "charges", "revenue", "table"})


def how(source: Source, key: str) -> tuple[str, tuple[str, ...]]:
    """Return the title and the paragraphs on how a figure is computed."""
    channel = CHANNELS[source]
    if channel.computed:
        paragraphs = _STRIPE[key]
        if key in _DAILY:
            paragraphs = (*paragraphs, _OF_DAYS)
        return _TITLES[key], paragraphs
    return _TITLES[key], _defined(channel, key)


def _defined(channel: Channel, key: str) -> tuple[str, ...]:
    """Return how a channel that computes its figures itself defines one."""
    metric = _METRICS.get(key)
    if metric is None:
        told = _OTHER[key].replace("{name}", channel.name) if key in _OTHER else ""
        codes = channel.movement_caveats if key == "waterfall" else ()
        paragraphs = (told or _STRIPE[key][0],)
    else:
        codes, paragraphs = (
            channel.caveats.get(metric, ()),
            (channel.definitions[metric],),
        )
    if not codes:
        return paragraphs
    words = "; ".join(CAVEATS[code] for code in codes)
    return (*paragraphs, f"Note: {words}.")


def label(source: Source, key: str) -> str:
    """Return the label of a card; other channels count orders."""
    if key == "charges" and not CHANNELS[source].computed:
        return "Orders"
    return _TITLES[key]
