"""The company's departments, without customers: a story or a script moves them."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime

from opseer_simulator.amendments import Amendments
from opseer_simulator.books import Books
from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.fx import Exchange
from opseer_simulator.invoicing import NEVER, Invoicing
from opseer_simulator.payments import Payments
from opseer_simulator.records import Customer
from opseer_simulator.subscriptions import Subscriptions
from opseer_simulator.timeline import DAY, HOUR, Act, Deck, Timeline
from opseer_simulator.treasury import Treasury
from opseer_simulator.valuation import Valuation

RENEWALS = {0: 75, 1: 2, 2: 1, 3: 1, NEVER: 1}
"""How often a renewal is declined before it is paid, with how many cards of each."""

_FEE_A_SALE = 7


def midnight(day: date) -> int:
    """Return the unix second a day begins in UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


class Office:
    """Books, payments, invoices and subscriptions of a company opened on `epoch` (UTC).

    Nobody comes by itself: plan what shall happen with `plan`. `renewals` is the deck
    that decides how a renewal's payment goes; `{0: 1}` = each is paid at once.
    """

    def __init__(self, seed: int, epoch: date, renewals: dict[int, int]) -> None:
        self.opened = midnight(epoch)
        self.books = Books(seed, self.opened)
        self.rng = random.Random(seed)  # noqa: S311 - a made-up company, no secret
        self._timeline = Timeline(self.opened)
        self.valuation = Valuation(self.books)
        self.treasury = Treasury(self.books, self._timeline)
        self.exchange = Exchange(seed)
        self.payments = Payments(
            self.books, self._timeline, self.treasury, self.exchange
        )
        self.invoicing = Invoicing(
            self.books, self._timeline, self.payments, Deck(self.rng, renewals)
        )
        self.subscriptions = Subscriptions(
            self.books, self._timeline, self.invoicing, self.valuation
        )
        self.amendments = Amendments(
            self.books,
            self._timeline,
            self.invoicing,
            self.subscriptions,
            self.valuation,
        )
        self._month_sales = 0
        self._timeline.plan(self.opened, self._day)

    @property
    def lived_until(self) -> int:
        """The unix second up to which everything has happened."""
        return self._timeline.lived_until

    def live_until(self, instant: int) -> None:
        """Live on to a unix second; an earlier one changes nothing."""
        self._timeline.live_until(instant)

    def plan(self, at: int, act: Act) -> None:
        """Plan an act for a unix second."""
        self._timeline.plan(at, act)

    def register(self, at: int, name: str, currency: str = CURRENCY) -> Customer:
        """Take a new customer on record, who pays in a currency."""
        number = len(self.books.customers.order) + 1
        customer_id = self.books.ids.new("cus_")
        mailbox = name.lower().replace(" ", ".")
        customer = self.books.customers.put(
            Customer(
                id=customer_id,
                created=at,
                name=name,
                email=f"{mailbox}.{number}@example.com",
                invoice_prefix=customer_id[4:12].upper(),
                currency=currency,
            )
        )
        self.books.tell(at, "customer.created", customer, by_request=True)
        return customer

    def _day(self, at: int) -> None:
        if datetime.fromtimestamp(at, UTC).day == 1:
            self.plan(at + 2 * HOUR, self.treasury.pay_out)
            self.plan(at + 5 * HOUR, self._pay_stripe)
        self.plan(at + DAY, self._day)

    def _pay_stripe(self, at: int) -> None:
        """Stripe's fee for the sales since the last one."""
        sales = sum(
            e.amount
            for e in self.books.ledger.sales[self._month_sales :]
            if e.currency == CURRENCY
        )
        self._month_sales = len(self.books.ledger.sales)
        self.treasury.pay_stripe(at, sales * _FEE_A_SALE // 1000)
