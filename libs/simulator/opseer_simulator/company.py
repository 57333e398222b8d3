"""A small made-up company, lived day by day from its first day.

A pure function of (seed, first day, size, instant): ids and everything that happened
up to an instant stay the same however far it lives on, so a restart shows the same
history.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime

from opseer_simulator.books import Books
from opseer_simulator.invoicing import NEVER, Invoicing
from opseer_simulator.payments import Payments
from opseer_simulator.stories import Stories
from opseer_simulator.subscriptions import Subscriptions
from opseer_simulator.timeline import DAY, HOUR, Deck, Timeline

_RENEWALS = {0: 75, 1: 2, 2: 1, 3: 1, NEVER: 1}
_FEE_A_SALE = 7


def midnight(day: date) -> int:
    """Return the unix second a day begins in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


class Company:
    """The company with its books.

    `epoch` is its first day (UTC), `customers` its size: how many subscriptions run
    after about four months.
    """

    def __init__(self, seed: int, epoch: date, customers: int) -> None:
        self.opened = midnight(epoch)
        self.books = Books(seed, self.opened)
        self._timeline = Timeline(self.opened)
        rng = random.Random(seed)  # noqa: S311 - a made-up company, no secret
        self._payments = Payments(self.books, self._timeline)
        invoicing = Invoicing(
            self.books, self._timeline, self._payments, Deck(rng, _RENEWALS)
        )
        subscriptions = Subscriptions(self.books, self._timeline, invoicing)
        self._stories = Stories(
            rng, self.books, self._timeline, self._payments, subscriptions, customers
        )
        invoicing.on_sale = self._stories.after_sale
        self._month_sales = 0
        self._timeline.plan(self.opened, self._day)

    @property
    def lived_until(self) -> int:
        """The unix second up to which everything has happened."""
        return self._timeline.lived_until

    def live_until(self, instant: int) -> None:
        """Live on to a unix second; an earlier one changes nothing."""
        self._timeline.live_until(instant)

    def _day(self, at: int) -> None:
        self._stories.plan_day(at, (at - self.opened) // DAY)
        if datetime.fromtimestamp(at, UTC).day == 1:
            self._timeline.plan(at + 2 * HOUR, self._payments.pay_out)
            self._timeline.plan(at + 5 * HOUR, self._month)
        self._timeline.plan(at + DAY, self._day)

    def _month(self, at: int) -> None:
        """Stripe's fee for the sales since the last one."""
        sales = sum(e.amount for e in self.books.ledger.sales[self._month_sales :])
        self._month_sales = len(self.books.ledger.sales)
        self._payments.pay_stripe(at, sales * _FEE_A_SALE // 1000)
