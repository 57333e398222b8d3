"""What a subscription is worth, in the company's own bookkeeping, as it changes.

A metered item is worth what its latest final invoice charged. Nothing here is read by
the API; the API's objects are not read here.
"""

from __future__ import annotations

from fractions import Fraction

from opseer_simulator.books import Books
from opseer_simulator.catalogue import less_forever, period_price, periods_a_month
from opseer_simulator.ledger import Standing, Worth
from opseer_simulator.records import Discount, Item, Subscription

_NOTHING = Fraction(0)
_PAYING = frozenset({"active", "past_due"})


class Valuation:
    """Writes worths and standings into the ledger."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._charged: dict[str, int] = {}
        self._standings: dict[str, tuple[bool, bool, Fraction]] = {}

    def charge_usage(self, item: str, amount: int) -> None:
        """Note what an item's period was charged, after discounts."""
        self._charged[item] = amount

    def note(self, at: int, sub: Subscription, why: str) -> None:
        """Write down what a subscription is worth from now on."""
        licensed = usage = _NOTHING
        if counts(sub):
            licensed, usage = self._parts(sub)
        worth = Worth(
            at, sub.id, sub.customer, licensed + usage, why, sub.currency, usage
        )
        self._books.ledger.worths.append(worth)

    def stand(self, at: int, sub: Subscription) -> None:
        """Write down how a subscription stands, where that is news."""
        trial = sum(self._parts(sub)) if sub.status == "trialing" else _NOTHING
        standing = (
            sub.status == "past_due",
            sub.ends_at is not None,
            Fraction(trial),
        )
        if standing != self._standings.get(sub.id, (False, False, _NOTHING)):
            self._standings[sub.id] = standing
            self._books.ledger.standings.append(
                Standing(at, sub.id, *standing, sub.currency)
            )

    def _parts(self, sub: Subscription) -> tuple[Fraction, Fraction]:
        """Return the exact monthly worth: licensed and metered."""
        licensed = [item for item in sub.items if not item.plan.metered]
        worth = sum((_item_worth(item) for item in licensed), _NOTHING)
        if licensed:
            often = max(periods_a_month(item.plan) for item in licensed)
            for discount in self.discounts(sub):
                worth = less_forever(worth, discount.coupon, often)
            # Nobody sells with and without tax at once here.
            worth *= Fraction(100, 100 + licensed[0].plan.tax)
        usage = sum(
            (
                self._charged.get(item.id, 0) * periods_a_month(item.plan)
                for item in sub.items
                if item.plan.metered
            ),
            _NOTHING,
        )
        return worth, usage

    def discounts(self, sub: Subscription) -> tuple[Discount, ...]:
        """Return the subscription's discounts, else the customer's."""
        own = self._books.customers[sub.customer].discount
        return sub.discounts or (() if own is None else (own,))


def counts(sub: Subscription) -> bool:
    """Return whether a subscription is worth anything: it is billed and owed."""
    if sub.status not in _PAYING:
        return False
    return sub.pause is None or sub.pause.behavior == "keep_as_draft"


def _item_worth(item: Item) -> Fraction:
    often = periods_a_month(item.plan)
    worth = period_price(item.plan, item.seats) * often
    for discount in item.discounts:
        worth = less_forever(worth, discount.coupon, often)
    return worth
