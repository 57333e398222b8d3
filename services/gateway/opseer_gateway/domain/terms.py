"""What figures of MRR are under: the policy and the zone of the days.

A change of either computes the days anew whose events are known. Older days stay as
they were, so that a range may have more than one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

import msgspec

from opseer_gateway.domain.integrations import Preset

PRESET_TEXTS: Mapping[Preset, str] = MappingProxyType(
    {
        "opseer": "Opseer's rules: usage counts as the last invoice charged it",
        "stripe": "as Stripe's dashboard: usage does not count",
        "stripe_all_discounts": "as Stripe's dashboard, less every running discount",
        "committed": "Opseer's rules: who has asked to cancel does not count",
    }
)
"""Each preset in a few words (rules: docs/MRR.md, "Presets")."""


class Terms(msgspec.Struct, frozen=True):
    """The policy and IANA zone that the days from `first` to `last` are under.

    They are called `from` and `to` in answers.
    """

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    timezone: str
    policy: Mapping[str, Any]


class StoredBasis(msgspec.Struct, frozen=True):
    """A row of mrr's v1_day_basis: what a day is under and who paid at its end.

    New and lost ones of the day are None where they are not known.
    """

    day: date
    timezone: str
    policy: Mapping[str, Any]
    customers: int
    new_customers: int | None
    lost_customers: int | None
    subscriptions: int
    new_subscriptions: int | None
    lost_subscriptions: int | None


def terms_of(stored: Sequence[StoredBasis]) -> tuple[Terms, ...]:
    """Return the terms of ascending days: one for all days in a row that share them."""
    found: list[Terms] = []
    for one in stored:
        if found and (found[-1].timezone, found[-1].policy) == (
            one.timezone,
            one.policy,
        ):
            found[-1] = msgspec.structs.replace(found[-1], last=one.day)
        else:
            found.append(Terms(one.day, one.day, one.timezone, one.policy))
    return tuple(found)


def policy_text(policy: Mapping[str, Any] | None) -> str:
    """Return a stored policy in words; its name where it has none, "" for none."""
    if policy is None:
        return ""
    name = policy.get("preset", "")
    return next((text for preset, text in PRESET_TEXTS.items() if preset == name), name)
