"""The ledger of a channel: what happened, as it happened, in the business's words.

Kept beside what the provider's API shows and never read out of it. The truth counts it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec


class Sale(msgspec.Struct, frozen=True):
    """Money taken: `amount` minor units before tax, worth `usd` exact US cents."""

    at: int
    id: str
    amount: int
    currency: str
    usd: Fraction
    place: str


class Refund(msgspec.Struct, frozen=True):
    """Money given back for a sale, worth `usd` exact US cents."""

    at: int
    sale: Sale
    amount: int
    usd: Fraction


class Worth(msgspec.Struct, frozen=True):
    """From `at` on a subscription is worth that much a month, exact minor units.

    `usd` is the same in US cents at the rate it was paid at. 0 = no longer.
    """

    at: int
    subscription: str
    monthly: Fraction
    currency: str
    usd: Fraction
    place: str


Kind = Literal[
    "trial_began", "began_to_pay", "back", "ended", "end_asked", "end_taken_back"
]


class Step(msgspec.Struct, frozen=True):
    """A step in a subscription's life.

    `paid`: of `ended`, whether it was being paid; `after_trial`: of `began_to_pay`,
    whether it had been tried before.
    """

    at: int
    kind: Kind
    subscription: str
    place: str
    paid: bool = True
    after_trial: bool = False


class ChannelLedger:
    """The books by kind, each in the order of time."""

    def __init__(self) -> None:
        self.sales: list[Sale] = []
        self.refunds: list[Refund] = []
        self.worths: list[Worth] = []
        self.steps: list[Step] = []
