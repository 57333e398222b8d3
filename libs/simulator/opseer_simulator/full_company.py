"""The company that has everything: each story twice, and then by chance.

Every story is told once in the first weeks and once so late that most of it falls into
the last 30 days of a company of four months; further customers come as to the plain
company, dealt from all stories.
"""

from __future__ import annotations

import random
from datetime import date

from opseer_simulator.assortment import ABROAD, Assortment, stock
from opseer_simulator.full_stories import FullStories
from opseer_simulator.office import RENEWALS, Office
from opseer_simulator.records import Charge, Customer, Intent, Item
from opseer_simulator.stories import Stories, Story
from opseer_simulator.timeline import DAY, HOUR

_EARLY = 3 * DAY
_LATE = 78 * DAY
_EARLY_ONLY = frozenset({"many_items"})
"""Events show the first ten items: nothing may happen to more in the last 30 days."""

_SALE_EVERY = 37 * HOUR
_PURCHASE = 12_340


class FullCompany:
    """An office with every kind of customer; `customers` is its size by chance.

    `without` names stories of `FullStories` that are left out.
    """

    def __init__(
        self,
        seed: int,
        epoch: date,
        customers: int,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.office = Office(seed, epoch, RENEWALS)
        self._rng = random.Random(seed)  # noqa: S311 - a made-up company, no secret
        self._stories = Stories(self.office, customers)
        self.assortment: Assortment = stock(self.office.books, self.office.opened)
        every = FullStories(self.office, self.assortment).all()
        named = {name: story for name, story in every if name not in without}
        told = list(named.values())
        by_chance = [story for name, story in named.items() if name not in _EARLY_ONLY]
        self._stories.tell_all(dict.fromkeys(by_chance, 1))
        self.office.invoicing.on_sale = self._stories.after_sale
        self.office.subscriptions.use = self._usage
        self._premiere(told, _EARLY, 11 * HOUR)
        self._premiere(told, _LATE, 13 * HOUR)
        self.office.plan(self.office.opened, self._day)
        self._money_stories()

    def _day(self, at: int) -> None:
        self._stories.plan_day(at, (at - self.office.opened) // DAY)
        self.office.plan(at + DAY, self._day)

    def _premiere(self, stories: list[Story], first: int, apart: int) -> None:
        for place, story in enumerate(stories):
            at = self.office.opened + first + place * apart + self._rng.randrange(HOUR)

            def tell(then: int, story: Story = story) -> None:
                story(then, self.office.register(then, f"Guest {then % 9973}"))

            self.office.plan(at, tell)

    def _usage(self, _: Item) -> int:
        return self.office.rng.randrange(0, 9000)

    # Money beside subscriptions.

    def _money_stories(self) -> None:
        plan, opened = self.office.plan, self.office.opened
        treasury = self.office.treasury
        plan(opened + 5 * DAY, lambda t: treasury.top_up(t, 50_000))
        for month in range(1, 60):
            start = opened + month * 20 * DAY
            plan(start + HOUR, lambda t: treasury.reserve(t, 10_000, 9))
            plan(start + 2 * HOUR, lambda t: treasury.pay_tax(t, 321))
            plan(start + 3 * HOUR, lambda t: treasury.adjust(t, -150))
            plan(start + 4 * HOUR, treasury.validate_card)
            plan(start + 6 * HOUR, lambda t: treasury.pay_out(t, arrives=False))
            plan(start + 7 * HOUR, self._captures)
            plan(start + 8 * HOUR, self._returned_refund)
            plan(start + 9 * HOUR, self._complaints)
        plan(opened + DAY, self._sell_abroad)

    def _buy(self, at: int, currency: str = "usd") -> Charge:
        customer = self.office.register(at, "Passing Guest", currency)
        return self.office.payments.take(at, self._intent(at, customer))

    def _intent(self, at: int, customer: Customer, method: str = "card") -> Intent:
        amount = _PURCHASE + 10 * self._rng.randrange(500)
        return self.office.payments.open_intent(
            at, customer, amount, "Workshop", method
        )

    def _sell_abroad(self, at: int) -> None:
        """Somebody abroad buys once; now and then a bank debit, which may fail."""
        currency = self._rng.choice(ABROAD)
        self._stories.after_sale(at, self._buy(at, currency))
        if currency == "eur":
            payer = self.office.register(at, "Bank Guest", currency)
            intent = self._intent(at, payer, "sepa_debit")
            clears = self._rng.randrange(3) > 0
            self.office.payments.debit(at, intent, clears=clears)
        self.office.plan(at + _SALE_EVERY, self._sell_abroad)

    def _captures(self, at: int) -> None:
        """Money promised and taken in part, in dollars and in euros; once never."""
        payments = self.office.payments
        for currency, part in (("usd", 60), ("eur", 35), ("usd", 100), ("usd", 0)):
            customer = self.office.register(at, "Reserved Guest", currency)
            charge = payments.authorise(at, self._intent(at, customer))
            if part:
                amount = charge.amount * part // 1000 * 10
                self.office.plan(
                    at + 2 * DAY,
                    lambda t, c=charge.id, a=amount: payments.capture(t, c, a),  # type: ignore[misc]
                )

    def _returned_refund(self, at: int) -> None:
        """Refunds that do not arrive, in part and in full."""
        payments = self.office.payments
        for currency, part in (("usd", None), ("jpy", 5000), ("gbp", None)):
            charge = self._buy(at, currency).id
            self.office.plan(
                at + HOUR,
                lambda t, c=charge, p=part: payments.refund(t, c, p, fails=True),  # type: ignore[misc]
            )

    def _complaints(self, at: int) -> None:
        """A dispute won, one lost and a question, at home and abroad."""
        payments = self.office.payments
        for currency in ("usd", "eur", "kwd"):
            for end in ("won", "lost", "inquiry"):
                charge = self._buy(at, currency).id
                self.office.plan(
                    at + HOUR,
                    lambda t, c=charge, e=end: payments.dispute(  # type: ignore[misc]
                        t, c, "fraudulent", inquiry=e == "inquiry"
                    ),
                )
                self.office.plan(
                    at + 15 * DAY,
                    lambda t, c=charge, e=end: self._decide(t, c, e),  # type: ignore[misc]
                )

    def _decide(self, at: int, charge: str, end: str) -> None:
        payments = self.office.payments
        if end == "inquiry":
            payments.close_inquiry(at, charge)
        else:
            payments.close_dispute(at, charge, won=end == "won")
