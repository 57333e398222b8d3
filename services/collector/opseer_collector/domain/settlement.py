"""Which currency an account is shown in, where its user chose none.

Stripe names no default currency to a restricted key, so it follows from what is there:
one currency in the balance is it; of several it is the one that others are converted
into, then the one most charges are in, then the first by name. Once found it stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the stored rows say, by currency of the balance.

    `conversions` counts transactions with an exchange rate, `charges` all charges.
    """

    conversions: Mapping[str, int] = field(default_factory=dict)
    charges: Mapping[str, int] = field(default_factory=dict)


def settlement_currency(
    known: str | None,
    candidates: frozenset[str],
    evidence: Evidence,
) -> str | None:
    """Return the currency; None where nothing at all is known.

    `known` is the one that was found before: it stays.
    """
    if known:
        return known
    allowed = candidates or frozenset(evidence.charges)
    if not allowed:
        return None
    converted, charged = Counter(evidence.conversions), Counter(evidence.charges)
    return min(allowed, key=lambda code: (-converted[code], -charged[code], code))
