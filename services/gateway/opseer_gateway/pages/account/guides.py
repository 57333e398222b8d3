"""How each channel's key is made, and what the card of a channel says: all the words.

Stripe's are the product description's own, in its order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source

STRIPE_KEYS: Final = "https://dashboard.stripe.com/apikeys"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `copies` are (what it is, text) with a button to copy each."""

    title: str
    text: str
    copies: tuple[tuple[str, str], ...] = ()
    link: str = ""
    warning: str = ""
    lists: tuple[tuple[str, str], ...] = ()
    """Headed lists: (head, items in a row)."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one may see, why, and what helps."""

    head: str
    text: str


@dataclass(frozen=True, slots=True)
class Guide:
    """Everything that is said about connecting one channel."""

    lead: str
    storage: str
    prerequisites: tuple[str, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    key_name: str
    key_form: str
    key_starts: tuple[str, ...]
    """Heads of keys that fit: a comfort for the browser, the server judges."""
    validation: str
    troubles: tuple[Trouble, ...]
    disconnect: str
    revoke: tuple[str, str]
    """Where the key is revoked: words and address."""


_STRIPE: Final = Guide(
    lead=(
        "Connect your Stripe account to track daily Net Revenue, charges/refunds, "
        "active subscriptions, and MRR in one place."
    ),
    storage=(
        "The Stripe integration uses a user-issued Restricted API Key (read-only) to "
        "query payment and subscription data. Keys are stored AES-256-GCM encrypted, "
        "and full-permission sk_ keys are rejected."
    ),
    prerequisites=(
        "A Stripe account (Live or Test mode)",
        "Permission to create API Keys (Owner / Developer role)",
        "Starter / Plus / Max plan (revenue alerts are paid features)",
    ),
    steps=(
        Step(
            "Open Stripe API Keys",
            'Go to dashboard.stripe.com/apikeys. Scroll to the "Restricted keys" '
            "section near the bottom (NOT Standard keys).",
            link=STRIPE_KEYS,
        ),
        Step("Create restricted key", 'Click "+ Create restricted key".'),
        Step(
            "Choose Third-party application",
            'Select "Providing this key to a third-party application".',
        ),
        Step(
            "Enter app details",
            "Name: Opseer / URL: https://opseer.com",
            copies=(("Name", "Opseer"), ("URL", "https://opseer.com")),
        ),
        Step(
            "Permissions — Permissions column only",
            "Read permissions (12 items)",
            warning=(
                "In Customize permissions, ⚠️ use the Permissions column only. Leave "
                "the Connect permissions column entirely as None."
            ),
            lists=(
                (
                    "Core",
                    (
                        "Balance, Balance Transaction Source, Charges and Refunds, "
                        "Customers, Disputes, Events, Payment Intents, Payouts, "
                        "Products"
                    ),
                ),
                ("Billing", "Invoices, Prices, Subscriptions"),
            ),
        ),
    ),
    notes=(
        (
            "Leave all other items AND the entire Connect permissions column as None. "
            "Only check Read for these 12 items."
        ),
        (
            "Events permission is required for MRR trend tracking (Yesterday MRR card "
            "and MRR Movement chart). Without it, the MRR trend chart will not "
            "populate, but daily revenue data continues to collect normally."
        ),
    ),
    key_name="Restricted API Key",
    key_form="rk_live_... or rk_test_...",
    key_starts=("rk_live_", "rk_test_"),
    validation=(
        "Opseer validates the prefix (rejects sk_) and dry-runs a Stripe API call "
        "(balance retrieve) to confirm the key is valid. Other permissions "
        "(Subscriptions, etc.) are required when their respective data is actually "
        "fetched. Connection is established immediately on success."
    ),
    troubles=(
        Trouble(
            '"INVALID_PREFIX"',
            "You entered a Standard key (pk_ or sk_). Only Restricted Keys (rk_) are "
            "allowed.",
        ),
        Trouble(
            '"AUTH_FAILED"',
            "The key is expired or the balance permission is missing. Note that "
            "validation only checks key validity via balance retrieve — a successful "
            "connection does not guarantee all other permissions (Subscriptions, etc.) "
            "are enabled. Verify all 12 read permissions are checked, then issue a new "
            "key.",
        ),
        Trouble(
            "MRR shows zero",
            "Subscriptions permission is missing, or there are no active "
            "subscriptions. Re-check permissions.",
        ),
        Trouble(
            'Yesterday MRR shows "—"',
            "The MRR movement cron has not run yet (runs once per day), or Events "
            "permission is missing from your Restricted API Key. Check that Events → "
            "Read is enabled, then wait for the next daily collection (or re-connect "
            "to trigger a 30-day backfill).",
        ),
    ),
    disconnect=(
        "Encrypted key and cache are deleted. Your Stripe account is unaffected; for "
        "extra safety, also Revoke the key from Stripe Dashboard."
    ),
    revoke=("Revoke the key at dashboard.stripe.com/apikeys", STRIPE_KEYS),
)
_REVENUECAT: Final = Guide(
    lead=(
        "Connect RevenueCat to see the revenue of your app stores beside the rest: "
        "MRR, Revenue, Orders, New Subs and Churned."
    ),
    storage=(
        "Opseer uses a secret API key of version 2 with read permissions. Keys are "
        "stored AES-256-GCM encrypted."
    ),
    prerequisites=(
        "A RevenueCat project",
        "Permission to create API keys (Admin or Developer)",
    ),
    steps=(
        Step(
            "Open API keys",
            'In RevenueCat choose the project, then "API keys" in its settings.',
            link="https://app.revenuecat.com",
        ),
        Step(
            "New secret key",
            'Click "+ New secret API key" and choose version V2: keys of version 1 do '
            "not work here.",
            copies=(("Name", "Opseer"),),
        ),
        Step(
            "Permissions",
            "Set these to read and leave the rest as it is.",
            lists=(
                (
                    "Read",
                    ", ".join(CHANNELS["revenuecat"].permissions.values()),
                ),
            ),
        ),
    ),
    notes=(
        (
            "RevenueCat counts days in UTC, and some figures of a day arrive on the "
            'next one: until then they are "—".'
        ),
        "An app that also sells through Stripe shows the same money in both channels.",
    ),
    key_name="Secret API key (V2)",
    key_form="sk_... or atk_...",
    key_starts=("sk_", "atk_"),
    validation="Opseer tries the key with one read call before anything is stored.",
    troubles=(
        Trouble(
            '"INVALID_PREFIX"',
            "That key is not one of RevenueCat. A Stripe key (sk_live_, sk_test_, "
            "rk_) is never sent there.",
        ),
        Trouble(
            '"AUTH_FAILED"',
            "The key was deleted, is of version 1, or a read permission is missing.",
        ),
    ),
    disconnect=(
        "Encrypted key and cache are deleted. Your RevenueCat project is unaffected; "
        "for extra safety, also delete the key in RevenueCat."
    ),
    revoke=("Delete the key at app.revenuecat.com", "https://app.revenuecat.com"),
)
_POLAR: Final = Guide(
    lead=(
        "Connect Polar to see its subscriptions and orders beside the rest: MRR, "
        "Revenue, Orders, New Subs and Churned."
    ),
    storage=(
        "Opseer uses an Organization Access Token with read scopes. Tokens are stored "
        "AES-256-GCM encrypted."
    ),
    prerequisites=(
        "A Polar organization",
        "Permission to create access tokens in it",
    ),
    steps=(
        Step(
            "Open the organization's settings",
            'In Polar choose the organization, then "Settings" and "Developers".',
            link="https://polar.sh/dashboard",
        ),
        Step(
            "New token",
            "Create an Organization Access Token without an end, or renew it in time.",
            copies=(("Name", "Opseer"),),
        ),
        Step(
            "Scopes",
            "Check these and leave the rest unchecked.",
            lists=(
                (
                    "Read",
                    ", ".join(CHANNELS["polar"].permissions.values()),
                ),
            ),
        ),
    ),
    notes=(
        "A token of Polar's sandbox works as well: its figures are marked TEST MODE.",
    ),
    key_name="Organization Access Token",
    key_form="polar_oat_...",
    key_starts=("polar_oat_",),
    validation="Opseer tries the token with one read call before anything is stored.",
    troubles=(
        Trouble(
            '"INVALID_PREFIX"',
            "Only organization access tokens (polar_oat_) are allowed.",
        ),
        Trouble(
            '"AUTH_FAILED"',
            "The token has ended, was deleted, or a read scope is missing.",
        ),
    ),
    disconnect=(
        "Encrypted key and cache are deleted. Your Polar organization is unaffected; "
        "for extra safety, also delete the token in Polar."
    ),
    revoke=("Delete the token at polar.sh", "https://polar.sh/dashboard"),
)
GUIDES: Mapping[Source, Guide] = MappingProxyType(
    {"stripe": _STRIPE, "revenuecat": _REVENUECAT, "polar": _POLAR}
)
COSTS: Mapping[str, str] = MappingProxyType(
    {
        "balance": "the key can't be checked, and nothing is collected",
        "balance_transaction_source": "no Net Revenue, Charges, Refunds or Disputes",
        "charges_and_refunds": "no Failed Payments, and no charges behind a day",
        "customers": "no names and addresses of customers, only their ids",
        "disputes": "no disputes behind a day; their count stays",
        "events": "no Yesterday MRR, no MRR Trend and no MRR Waterfall",
        "payment_intents": "nothing today; later releases may ask for it",
        "payouts": "nothing today; later releases may ask for it",
        "products": "no plan names, only the ids of their prices",
        "invoices": "no usage-based MRR",
        "prices": "no MRR of tiered and metered prices",
        "subscriptions": "no MRR and no Active Subscriptions",
        "projects": "the key can't be checked, and nothing is collected",
        "overview": "no Active Subscriptions of today",
        "charts": "no MRR, Revenue, Orders, New Subs and Churned",
        "organizations": "no names of organizations, and none to choose",
        "metrics": "the key can't be checked: no MRR, Orders, New Subs and Churned",
        "refunds": "no Revenue: refunds could not be taken off",
        "orders": "refunds in other currencies than US dollars can't be converted",
    }
)
"""What is not there without a permission of a provider's key."""
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "partial": "Some days are not complete yet; the next collection goes on.",
        "drift": "A second reading differed, or the balance did; all is read anew.",
        "stale": "The last collection is more than 26 hours old.",
        "quarantine": "Some objects could not be read and are not counted.",
        "permission": "The key lacks a permission.",
    }
)
STATES: Mapping[str, str] = MappingProxyType(
    {
        "collecting": "Collecting initial data",
        "connected": "Connected",
        "auth_failed": "Key refused",
        "disconnected": "Not connected",
    }
)
ENVIRONMENTS: Mapping[str, str] = MappingProxyType(
    {"live": "Live mode", "test": "Test mode", "demo": "Demo data"}
)
PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "opseer": "Opseer: usage counts with its newest invoice",
        "stripe": "As Stripe: without usage, like Stripe's dashboard",
        "stripe_all_discounts": "All discounts: as Stripe, and every discount off",
        "committed": "Committed: as Opseer, without what is set to cancel",
    }
)
