"""The ledger: what happened to the company's money and subscriptions, in its words.

Kept while the company lives, beside the objects the API shows and never read out of
them. `truth.py` counts it. Money is minor units, times are unix seconds.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from opseer_simulator.catalogue import CURRENCY


class Entry(msgspec.Struct, frozen=True):
    """Money that moved, or a try that failed, for one object.

    `amount` is minor units of `currency`, the one of the balance that moved.
    """

    at: int
    id: str
    amount: int
    currency: str = CURRENCY


class Worth(msgspec.Struct, frozen=True):
    """From `at` on the subscription is worth `monthly` exact minor units a month.

    `usage` is the part of it that was metered.
    """

    at: int
    subscription: str
    customer: str
    monthly: Fraction
    why: str
    currency: str = CURRENCY
    usage: Fraction = Fraction(0)


class Standing(msgspec.Struct, frozen=True):
    """From `at` on: whether it is behind, ending, and what a trial would be worth."""

    at: int
    subscription: str
    past_due: bool
    ending: bool
    trial: Fraction
    currency: str = CURRENCY


class PaidRate(msgspec.Struct, frozen=True):
    """An actual payment was converted: `rate` millionths for a minor unit."""

    at: int
    currency: str
    balance: str
    rate: int


class Ledger:
    """The books by kind, each in the order of time.

    sales: money taken (or, by bank debit, promised) on its own day;
    uncaptured: the parts of sales that were never captured;
    refunds: money given back on its own day; returned: refunds that came back;
    bounces: bank debits that failed later, on the day they failed;
    declines: tries to take money that failed at once;
    disputes: complaints that took money away;
    worths: changes of what a subscription is worth a month;
    standings: changes of how a subscription stands;
    rates: what payments were converted at.
    """

    def __init__(self) -> None:
        self.sales: list[Entry] = []
        self.uncaptured: list[Entry] = []
        self.refunds: list[Entry] = []
        self.returned: list[Entry] = []
        self.bounces: list[Entry] = []
        self.declines: list[Entry] = []
        self.disputes: list[Entry] = []
        self.worths: list[Worth] = []
        self.standings: list[Standing] = []
        self.rates: list[PaidRate] = []
