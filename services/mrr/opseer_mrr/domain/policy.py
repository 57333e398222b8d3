"""Which of the field's definitions of MRR is used: the switches and their presets.

Sources of the rules and who does what: docs/MRR.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from opseer_common.days import zone
from opseer_common.errors import RefusedError

# Raised when the same policy and input would give another figure than before.
VERSION = 1

_CHOICES = {
    "trial": ("exclude", "include"),
    "discounts": ("forever", "recurring", "all"),
    "metered": ("exclude", "last_invoice"),
    "pause": ("exclude_unless_draft", "exclude", "include"),
    "churn_at": ("period_end", "click"),
    "grain": ("subscription", "customer"),
}
_STATUSES = frozenset(
    {"active", "past_due", "unpaid", "trialing", "paused", "incomplete"}
)
_MOST_DAYS = 366


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The switches. The defaults are Stripe's own dashboard's.

    `week_factor` and `day_factor` are how many weeks and days a month has, as exact
    fractions. `discounts`: which durations are subtracted (forever; and repeating;
    and once). `past_due_grace_days`: after how many days past_due stops counting,
    None for never. `timezone` is the IANA zone of the days.
    """

    week_factor: str = "52/12"
    day_factor: str = "365/12"
    count_statuses: tuple[str, ...] = ("active", "past_due")
    trial: str = "exclude"
    discounts: str = "forever"
    metered: str = "exclude"
    pause: str = "exclude_unless_draft"
    churn_at: str = "period_end"
    grain: str = "subscription"
    past_due_grace_days: int | None = None
    timezone: str = "UTC"


PRESETS: Mapping[str, Policy] = {
    "opseer": Policy(metered="last_invoice"),
    "stripe": Policy(),
    "stripe_all_discounts": Policy(discounts="all"),
    "committed": Policy(metered="last_invoice", churn_at="click"),
}


def policy_from(document: object, *, default: str = "opseer") -> Policy:
    """Return the policy that a document asks for, checked.

    `document` is a preset's name, or an object of switches over the preset that its
    `preset` names (`default` where it names none). Raises
    RefusedError(INVALID_POLICY), and RefusedError(INVALID_TIMEZONE) for its zone.
    """
    if isinstance(document, str):
        document = {"preset": document}
    if not isinstance(document, Mapping):
        raise _refused("A policy is a preset's name or an object of switches.")
    switches = dict(document)
    name = switches.pop("preset", default)
    if not isinstance(name, str) or name not in PRESETS:
        raise _refused(f"The presets are {', '.join(PRESETS)}.")
    try:
        asked = {**msgspec.structs.asdict(PRESETS[name]), **switches}
        policy = msgspec.convert(asked, Policy)
    except (msgspec.ValidationError, TypeError):
        raise _refused(
            "A switch of the policy is unknown or of another type."
        ) from None
    check(policy)
    return policy


def check(policy: Policy) -> None:
    """Raise RefusedError(INVALID_POLICY or INVALID_TIMEZONE) for impossible values."""
    for name, choices in _CHOICES.items():
        if getattr(policy, name) not in choices:
            raise _refused(f"{name} is one of {', '.join(choices)}.")
    if not policy.count_statuses or not _STATUSES.issuperset(policy.count_statuses):
        raise _refused(f"count_statuses are of {', '.join(sorted(_STATUSES))}.")
    grace = policy.past_due_grace_days
    if grace is not None and not 0 <= grace <= _MOST_DAYS:
        raise _refused(f"past_due_grace_days is 0 to {_MOST_DAYS}, or null.")
    for name in ("week_factor", "day_factor"):
        if factor(getattr(policy, name)) <= 0:
            raise _refused(f"{name} is above zero.")
    zone(policy.timezone)


def factor(text: str) -> Fraction:
    """Return a factor such as 52/12 exactly; RefusedError(INVALID_POLICY)."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise _refused("A factor is a number or a fraction such as 52/12.") from None


def _refused(detail: str) -> RefusedError:
    return RefusedError("INVALID_POLICY", detail)
