"""The ledger: what happened to the company's money and subscriptions, in its words.

Kept while the company lives, beside the objects the API shows and never read out of
them. `truth.py` counts it. Money is US cents, times are unix seconds.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """Money that moved, or a try that failed, for one object."""

    at: int
    id: str
    amount: int


class Worth(msgspec.Struct, frozen=True):
    """From `at` on the subscription is worth `monthly` exact cents a month."""

    at: int
    subscription: str
    customer: str
    monthly: Fraction
    why: str


class Ledger:
    """The books by kind, each in the order of time.

    sales: money taken (or, by bank debit, promised) on its own day;
    refunds: money given back on its own day;
    bounces: bank debits that failed later, on the day they failed;
    declines: tries to take money that failed at once;
    disputes: complaints that took money away;
    worths: changes of what a subscription is worth a month.
    """

    def __init__(self) -> None:
        self.sales: list[Entry] = []
        self.refunds: list[Entry] = []
        self.bounces: list[Entry] = []
        self.declines: list[Entry] = []
        self.disputes: list[Entry] = []
        self.worths: list[Worth] = []
