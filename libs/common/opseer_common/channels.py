"""What is known of each payment channel, whoever asks: its words and its definitions.

The channels define the five metrics differently. Here stands how, once, for pages,
reports and the API: figures of two channels are never added without a word about it.
Sources: docs/CHANNELS.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from opseer_common.contracts.daily_report import MetricKey
from opseer_common.contracts.message import Source

POLAR_API: Final = "https://api.polar.sh"
POLAR_SANDBOX_API: Final = "https://sandbox-api.polar.sh"

CAVEATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "UTC_DAY": "days are UTC, whatever time zone is set",
        "TAX_INCLUDED": "taxes are included",
        "TAX_EXCLUDED": "taxes are not included",
        "NET_OF_REFUNDED": "the provider may take refunded purchases out",
        "NET_OF_RESUBSCRIPTIONS": (
            "who came back is taken off, so that it can be below zero"
        ),
        "PRODUCT_CHANGES_COUNT": "a change of product counts as an end and a start",
        "TRIALS_COUNT": "trials count, too",
        "NOT_SPLIT": "the provider does not tell every movement apart",
        "PROVIDER_GIVEN": "as the provider computes it, not from subscriptions",
        "CENTS_OF_USD": "the provider converts everything to US dollars",
    }
)
"""Every caveat in words. The codes stand beside the figures that they are about."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. `permissions` are the API's names and the provider's for them.

    `caveats` are codes of CAVEATS by metric, `definitions` one sentence per metric.
    `currencies` are those that it can be shown in, None where it is not the provider
    who converts. `fixed_zone` is the zone of its days where that cannot be chosen.
    `settings` are the fields of PATCH that have an effect on its figures. `computed`
    where figures are computed here, from rows that stand behind each of them; others
    tell sums alone. Without one of `movement_permissions` there are no movements.
    """

    source: Source
    name: str
    permissions: Mapping[str, str]
    definitions: Mapping[MetricKey, str]
    caveats: Mapping[MetricKey, tuple[str, ...]] = field(default_factory=dict)
    movement_caveats: tuple[str, ...] = ()
    currencies: tuple[str, ...] | None = None
    fixed_zone: str | None = None
    settings: frozenset[str] = frozenset()
    computed: bool = False
    movement_permissions: tuple[str, ...] = ()


STRIPE: Final = Channel(
    source="stripe",
    name="Stripe",
    permissions=MappingProxyType(
        {
            "balance": "Balance",
            "balance_transaction_source": "Balance Transaction Source",
            "charges_and_refunds": "Charges and Refunds",
            "customers": "Customers",
            "disputes": "Disputes",
            "events": "Events",
            "payment_intents": "Payment Intents",
            "payouts": "Payouts",
            "products": "Products",
            "invoices": "Invoices",
            "prices": "Prices",
            "subscriptions": "Subscriptions",
        }
    ),
    definitions=MappingProxyType(
        {
            "mrr": (
                "What paying subscriptions are worth a month at the end of the day, "
                "after discounts, without trials: computed from the subscriptions."
            ),
            "revenue": (
                "Charges minus refunds, each on its own day, before fees, "
                "taxes included."
            ),
            "orders": "Successful charges above zero, renewals included.",
            "new_subs": (
                "Subscriptions that began to pay that day: a trial counts when it "
                "converts."
            ),
            "churned": "Paying subscriptions whose access ended that day.",
        }
    ),
    settings=frozenset({"timezone", "settlement_currency", "policy"}),
    computed=True,
    movement_permissions=("subscriptions", "events"),
)

REVENUECAT: Final = Channel(
    source="revenuecat",
    name="RevenueCat",
    permissions=MappingProxyType(
        {
            "projects": "project_configuration:projects:read",
            "overview": "charts_metrics:overview:read",
            "charts": "charts_metrics:charts:read",
        }
    ),
    definitions=MappingProxyType(
        {
            "mrr": (
                "RevenueCat's MRR at the end of the UTC day: active paid subscriptions "
                "until they expire, store prices with tax."
            ),
            "revenue": (
                "RevenueCat's Revenue: purchases of the UTC day minus the refunds "
                "made that day, before fees, taxes included."
            ),
            "orders": (
                "RevenueCat's Transactions: purchases and renewals; it may take "
                "refunded ones out."
            ),
            "new_subs": (
                "RevenueCat's New Actives: subscriptions that began to pay; a change "
                "of product counts as a new one."
            ),
            "churned": (
                "RevenueCat's Churned Actives: paid subscriptions that expired, minus "
                "those that came back; it can be below zero."
            ),
        }
    ),
    caveats=MappingProxyType(
        {
            "mrr": ("UTC_DAY", "TAX_INCLUDED", "PROVIDER_GIVEN"),
            "revenue": ("UTC_DAY", "TAX_INCLUDED"),
            "orders": ("UTC_DAY", "NET_OF_REFUNDED"),
            "new_subs": ("UTC_DAY", "PRODUCT_CHANGES_COUNT"),
            "churned": ("UTC_DAY", "NET_OF_RESUBSCRIPTIONS", "PRODUCT_CHANGES_COUNT"),
        }
    ),
    movement_caveats=(
        *("UTC_DAY", "PROVIDER_GIVEN", "NOT_SPLIT"),
        *("NET_OF_RESUBSCRIPTIONS", "PRODUCT_CHANGES_COUNT"),
    ),
    currencies=(
        *("usd", "eur", "gbp", "aud", "cad", "jpy"),
        *("brl", "krw", "cny", "mxn", "sek", "pln"),
    ),
    fixed_zone="UTC",
    settings=frozenset({"settlement_currency", "projects", "excluded_stores"}),
    movement_permissions=("charts",),
)

POLAR: Final = Channel(
    source="polar",
    name="Polar",
    permissions=MappingProxyType(
        {
            "organizations": "organizations:read",
            "metrics": "metrics:read",
            "refunds": "refunds:read",
            "orders": "orders:read",
        }
    ),
    definitions=MappingProxyType(
        {
            "mrr": (
                "Polar's Monthly Recurring Revenue at the end of the day: live "
                "subscriptions after discounts, before tax, without trials."
            ),
            "revenue": (
                "Orders of the day before fees and tax, minus the refunds made that "
                "day."
            ),
            "orders": "Paid orders, renewals included.",
            "new_subs": "Subscriptions that were made that day, trials included.",
            "churned": (
                "Subscriptions whose access ended that day, ended trials included."
            ),
        }
    ),
    caveats=MappingProxyType(
        {
            "mrr": ("TAX_EXCLUDED", "PROVIDER_GIVEN", "CENTS_OF_USD"),
            "revenue": ("TAX_EXCLUDED", "CENTS_OF_USD"),
            "new_subs": ("TRIALS_COUNT",),
            "churned": ("TRIALS_COUNT",),
        }
    ),
    movement_caveats=("PROVIDER_GIVEN", "NOT_SPLIT", "TRIALS_COUNT"),
    currencies=("usd",),
    settings=frozenset({"timezone", "projects"}),
    movement_permissions=("metrics",),
)

CHANNELS: Final[Mapping[Source, Channel]] = MappingProxyType(
    {one.source: one for one in (STRIPE, REVENUECAT, POLAR)}
)
"""In the order in which they are shown."""


def polar_sandbox(production: str, sandbox: str | None) -> str | None:
    """Return the base of Polar's sandbox, given what is set.

    Beside a production that was set by hand there is none unless it is set, too.
    """
    if sandbox is None and production == POLAR_API:
        return POLAR_SANDBOX_API
    return sandbox


def demo_base(base: str | None, source: Source) -> str | None:
    """Return where the bundled company answers for a source; None without it."""
    if base is None or source == "stripe":
        return base
    return f"{base}/{source}"
