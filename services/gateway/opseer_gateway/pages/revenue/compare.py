"""Why MRR here differs from the provider's own, with the figures that are stored."""

from __future__ import annotations

from dataclasses import dataclass

from opseer_common.rendering import money_text
from opseer_gateway.actions.board import Board
from opseer_gateway.domain.figures import Mrr
from opseer_gateway.domain.terms import policy_text
from opseer_gateway.pages import formats


@dataclass(frozen=True, slots=True)
class Difference:
    """One reason: what it is about, its amount, and how the two treat it."""

    subject: str
    amount: str
    words: str


def differences(board: Board) -> list[Difference]:
    """Return the reasons, those with an amount of their own first."""
    mrr, zone = board.mrr, board.integration.timezone or "UTC"
    return [
        *_amounts(mrr),
        Difference(
            "Unconverted",
            _unconverted(mrr),
            "Subscriptions in a currency without an actual payment yet have no rate, "
            "and are left out here rather than guessed.",
        ),
        Difference(
            "Paused",
            "",
            "Subscriptions whose collection is paused (void or mark uncollectible) "
            "count 0 here. Stripe's MRR may go on counting them.",
        ),
        Difference(
            "Coupons",
            "",
            "Coupons that run forever are taken off, as Stripe does. Those that run "
            "once or for some months are not, unless you choose so.",
        ),
        *_rules(mrr),
        Difference(
            "Time zone",
            zone,
            "A day here is one of this zone. Stripe's dashboard uses the zone of "
            "your Stripe account, so days may differ at their edges.",
        ),
    ]


def _rules(mrr: Mrr) -> list[Difference]:
    """Return the policy that the figures are under."""
    if mrr.policy is None:
        return []
    rules = policy_text(mrr.policy)
    return [Difference("Rules", str(mrr.policy.get("preset", "")), f"Here: {rules}.")]


def _amounts(mrr: Mrr) -> list[Difference]:
    """Return the parts of MRR that others count in another way."""
    currency = mrr.currency
    return [
        Difference(
            "Usage",
            formats.money(mrr.usage_mrr, currency),
            "Metered items count here with their newest invoice. Stripe's MRR leaves "
            "them out.",
        ),
        Difference(
            "Past due",
            formats.money(mrr.at_risk_mrr, currency),
            "Part of MRR here as long as the subscription runs: it is at risk, not "
            "lost. Stripe counts it as well.",
        ),
        Difference(
            "Trials",
            formats.money(mrr.trial_mrr, currency),
            "Not part of MRR, neither here nor at Stripe: it would be added if all "
            "trials became paid.",
        ),
        Difference(
            "Set to cancel",
            _leaving(mrr),
            "Counts until it ends. Without it MRR would be "
            f"{formats.money(mrr.committed_mrr, currency)}.",
        ),
    ]


def _leaving(mrr: Mrr) -> str:
    """Return the MRR of subscriptions that are set to cancel."""
    if mrr.mrr is None or mrr.committed_mrr is None:
        return formats.NONE
    return formats.money(mrr.mrr - mrr.committed_mrr, mrr.currency)


def _unconverted(mrr: Mrr) -> str:
    if not mrr.unconverted:
        return formats.NONE if mrr.mrr is None else "none"
    return ", ".join(
        money_text(minor, code) for code, minor in sorted(mrr.unconverted.items())
    )
