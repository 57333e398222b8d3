"""The company that has everything: each story twice, and then by chance.

Every story is told once in the first weeks and once so late that most of it falls into
the last 30 days of a company of four months; further customers come as to the plain
company, dealt from all stories.
"""

from __future__ import annotations

import random
from datetime import date
from functools import partial

from opseer_simulator.assortment import ABROAD, Assortment, stock
from opseer_simulator.full_stories import FullStories
from opseer_simulator.office import RENEWALS, Office
from opseer_simulator.records import Charge, Customer, Intent, Item
from opseer_simulator.stories import Stories, Story
from opseer_simulator.timeline import DAY, HOUR

_EARLY = 3 * DAY
_LATE = 76 * DAY
_APART = 9 * HOUR
_POUNDS_KEPT = 70 * DAY
_SALE_EVERY = 37 * HOUR
_PURCHASE = 12_340


class FullCompany:
    """An office with every kind of customer; `customers` is its size by chance.

    `without` names stories of `FullStories` that are left out, and may name
    `pounds_kept`: after ten weeks pounds are no longer converted. `told` are the
    stories that are told at least twice, by name, `further` those of `FullStories`.
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
        further = {
            name: story
            for name, story in FullStories(self.office, self.assortment).all()
            if name not in without
        }
        self._stories.tell_all(dict.fromkeys(further.values(), 1))
        self.further = set(further)
        self.told = {**further, **dict(self._stories.all())}
        told = list(self.told.values())
        if "pounds_kept" not in without:
            self.office.exchange.keep("gbp", self.office.opened + _POUNDS_KEPT)
        self.office.invoicing.on_sale = self._stories.after_sale
        self.office.subscriptions.use = self._usage
        self._premiere(told, _EARLY, _APART)
        self._premiere(told, _LATE, _APART)
        self.office.plan(self.office.opened, self._day)
        self._money_stories()

    def _day(self, at: int) -> None:
        self._stories.plan_day(at, (at - self.office.opened) // DAY)
        self.office.plan(at + DAY, self._day)

    def _premiere(self, stories: list[Story], first: int, apart: int) -> None:
        for place, story in enumerate(stories):
            at = self.office.opened + first + place * apart + self._rng.randrange(HOUR)

            self.office.plan(at, partial(self._tell, story=story))

    def _tell(self, at: int, story: Story) -> None:
        story(at, self.office.register(at, f"Guest {at % 9973}"))

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
                    partial(payments.capture, charge_id=charge.id, amount=amount),
                )

    def _returned_refund(self, at: int) -> None:
        """Refunds that do not arrive, in part and in full."""
        payments = self.office.payments
        for currency, part in (("usd", None), ("jpy", 5000), ("gbp", None)):
            charge = self._buy(at, currency).id
            self.office.plan(
                at + HOUR,
                partial(payments.refund, charge_id=charge, amount=part, fails=True),
            )

    def _complaints(self, at: int) -> None:
        """A dispute won, one lost and a question, at home and abroad."""
        payments = self.office.payments
        for currency in ("usd", "eur", "kwd"):
            for end in ("won", "lost", "inquiry"):
                charge = self._buy(at, currency).id
                self.office.plan(
                    at + HOUR,
                    partial(
                        payments.dispute,
                        charge_id=charge,
                        reason="fraudulent",
                        inquiry=end == "inquiry",
                    ),
                )
                self.office.plan(
                    at + 15 * DAY,
                    partial(self._decide, charge=charge, end=end),
                )

    def _decide(self, at: int, charge: str, end: str) -> None:
        payments = self.office.payments
        if end == "inquiry":
            payments.close_inquiry(at, charge)
        else:
            payments.close_dispute(at, charge, won=end == "won")
