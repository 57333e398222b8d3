"""The customers: who comes when, what each signs up for and does afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opseer_simulator.catalogue import NEVER_PAID, Plan
from opseer_simulator.office import Office
from opseer_simulator.records import Charge, Customer
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY, HOUR, Deck

Story = Callable[[int, Customer], None]
"""What a customer does, from the second of arrival on."""

_PLANS = {"monthly": 19, "seats": 11, "quarterly": 5, "yearly": 5, "weekly": 13}
_SALES = {
    "keeps": 140,
    "full_refund": 5,
    "partial_refund": 4,
    "dispute_lost": 1,
    "dispute_won": 1,
    "inquiry": 1,
}
_FIRST_DAYS = 30
_SHARE_OF_FIRST_DAYS = (65, 100)
_NEW_A_DAY = (7, 1000)
_ONCE_A_DAY = (10, 1000)
_FIRST = "Ada Ben Chloe Dario Elif Femi Grete Hana Ivo Jun Kaya Liam Mina Noor Otto Pia"
_LAST = (
    "Abara Bauer Costa Dahl Evans Fujii Garcia Haas Ito Jansen Kim Lopez Moreau Novak"
)


class Stories:
    """Deals each new customer a story and lives it. `size`: roughly how many stay."""

    def __init__(self, office: Office, size: int) -> None:
        rng = office.rng
        self._rng = rng
        self._office = office
        self._books = office.books
        self._payments = office.payments
        self._subscriptions = office.subscriptions
        self._size = size
        self._copies: dict[Story, int] = {
            self._stays: 14,
            self._signs_up_slowly: 2,
            self._tries_and_stays: 4,
            self._tries_and_leaves: 2,
            self._leaves_in_trial: 1,
            self._never_pays: 1,
            self._comes_with_forever_coupon: 2,
            self._comes_with_once_coupon: 2,
            self._earns_coupon: 1,
            self._upgrades: 3,
            self._downgrades: 2,
            self._pays_ahead: 1,
            self._grows_and_shrinks: 4,
            self._up_and_down_in_a_day: 1,
            self._leaves_now: 3,
            self._leaves_at_end: 3,
            self._thinks_again: 2,
            self._comes_back: 2,
            self._subscribes_twice: 1,
            self._leaves_on_first_day: 1,
            self._buys_once: 3,
            self._pays_by_bank: 2,
            self._bounces: 1,
        }
        self._stories: Deck[Story] = Deck(rng, self._copies)
        self._plans = Deck(rng, _PLANS)
        self._sales = Deck(rng, _SALES)
        self._owed: dict[str, int] = {}

    def plan_day(self, at: int, day: int) -> None:
        """Plan the arrivals and single purchases of a day that begins at `at`."""
        part, whole = _NEW_A_DAY
        if day < _FIRST_DAYS:
            part, whole = _SHARE_OF_FIRST_DAYS
            whole *= _FIRST_DAYS
        for _ in range(self._share("arrivals", part, whole)):
            self._office.plan(self._moment(at), self._arrive)
        for _ in range(self._share("purchases", *_ONCE_A_DAY)):
            self._office.plan(self._moment(at), self._buy)

    def after_sale(self, at: int, charge: Charge) -> None:
        """Let chance decide whether money taken is asked back later."""
        rng = self._rng
        fate = self._sales.draw()
        later = at + rng.randrange(HOUR, 21 * DAY)
        if fate == "full_refund":
            self._office.plan(later, lambda t: self._payments.refund(t, charge.id))
        elif fate == "partial_refund":
            part = charge.amount * rng.randrange(10, 90) // 100
            # The last digit of a dinar's thousandths is always 0.
            part -= part % 10 if charge.currency == "kwd" else 0
            self._office.plan(
                later, lambda t: self._payments.refund(t, charge.id, part)
            )
        elif fate != "keeps":
            reason = rng.choice(("fraudulent", "product_not_received", "general"))
            self._office.plan(
                later,
                lambda t: self._payments.dispute(
                    t, charge.id, reason, inquiry=fate == "inquiry"
                ),
            )
            self._office.plan(
                later + 20 * DAY,
                lambda t: self._payments.close_dispute(
                    t, charge.id, won=fate == "dispute_won"
                ),
            )

    def _share(self, what: str, part: int, whole: int) -> int:
        """Return a day's whole number of a rate of `size * part / whole` a day."""
        owed = self._owed.get(what, 0) + self._size * part * self._rng.randrange(3)
        count, self._owed[what] = divmod(owed, whole)
        return count

    def _moment(self, day: int) -> int:
        """Return a second of a day; twice as many by day as by night."""
        rng = self._rng
        hour = rng.randrange(24) if rng.random() < 0.5 else rng.randrange(8, 20)  # noqa: PLR2004
        return day + hour * HOUR + rng.randrange(HOUR)

    def _arrive(self, at: int) -> None:
        rng = self._rng
        name = f"{rng.choice(_FIRST.split())} {rng.choice(_LAST.split())}"
        customer = self._office.register(at, name)
        self._stories.draw()(at, customer)

    def _buy(self, at: int) -> None:
        """A customer on record buys the workshop, with extras in odd cents."""
        customers = self._books.customers.order
        if customers:
            customer = self._books.customers[self._rng.choice(customers)]
            if customer.currency != NEVER_PAID:
                self._sell(at, customer)

    def _sell(self, at: int, customer: Customer) -> None:
        workshop = self._books.catalogue.workshop
        amount = (workshop.unit_amount or 0) + self._rng.randrange(0, 9000)
        intent = self._payments.open_intent(at, customer, amount, workshop.nickname)
        self.after_sale(at, self._payments.take(at, intent))

    def all(self) -> Iterator[tuple[str, Story]]:
        """Yield every story with its name."""
        for story in self._copies:
            yield story.__name__.removeprefix("_"), story

    def tell_all(self, more: dict[Story, int]) -> None:
        """Deal further stories too."""
        self._stories = Deck(self._rng, {**self._copies, **more})

    # What the stories are made of.

    def _plan(self) -> Plan:
        return self._books.catalogue.plans[self._plans.draw()]

    def _offer(self, **terms: object) -> Offer:
        plan = self._plan()
        seats = self._rng.randrange(2, 9) if plan.key == "seats" else 1
        start = "checkout" if self._rng.randrange(3) == 0 else "paid"
        return Offer(**({"plan": plan, "seats": seats, "start": start} | terms))  # type: ignore[arg-type]

    def _begin(self, at: int, customer: Customer, **terms: object) -> str:
        return self._subscriptions.begin(at, customer.id, self._offer(**terms))

    def later(self, at: int, least: int = 5, most: int = 90) -> int:
        """Return a second some days after another."""
        return at + self._rng.randrange(least * DAY, most * DAY)

    def change_later(self, at: int, sub_id: str, key: str, seats: int) -> None:
        """Plan a move to one of the plain catalogue's plans."""
        plan = self._books.catalogue.plans[key]

        def change(then: int) -> None:
            before = self._books.subscriptions[sub_id]
            why = "seats" if before.plan == plan else "plan"
            self._subscriptions.change(then, sub_id, plan, seats, why)

        self._office.plan(at, change)

    # The stories.

    def _stays(self, at: int, customer: Customer) -> None:
        self._begin(at, customer)

    def _signs_up_slowly(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, start="slow")

    def _never_pays(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, start="unpaid")

    def _tries_and_stays(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, trial_days=14)

    def _tries_and_leaves(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, trial_days=14)
        then = self.later(at, 1, 13)
        self._office.plan(then, lambda t: self._subscriptions.cancel_at_end(t, sub))

    def _leaves_in_trial(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, trial_days=14)
        then = self.later(at, 1, 13)
        self._office.plan(then, lambda t: self._subscriptions.cancel(t, sub))

    def _comes_with_forever_coupon(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, coupon=self._books.catalogue.loyal)

    def _comes_with_once_coupon(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, coupon=self._books.catalogue.welcome)

    def _earns_coupon(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer)
        coupon = self._books.catalogue.loyal
        self._office.plan(
            self.later(at), lambda t: self._subscriptions.give_coupon(t, sub, coupon)
        )

    def _upgrades(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, plan=self._books.catalogue.plans["monthly"])
        self.change_later(self.later(at), sub, "seats", self._rng.randrange(3, 9))

    def _downgrades(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, plan=self._books.catalogue.plans["seats"])
        self.change_later(self.later(at), sub, "monthly", 1)

    def _pays_ahead(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, plan=self._books.catalogue.plans["monthly"])
        self.change_later(self.later(at), sub, "yearly", 1)

    def _grows_and_shrinks(self, at: int, customer: Customer) -> None:
        plan = self._books.catalogue.plans["seats"]
        sub = self._begin(at, customer, plan=plan, seats=5)
        then = self.later(at, 5, 50)
        self.change_later(then, sub, "seats", 5 + self._rng.randrange(1, 5))
        self.change_later(self.later(then, 5, 50), sub, "seats", 3)

    def _up_and_down_in_a_day(self, at: int, customer: Customer) -> None:
        plan = self._books.catalogue.plans["seats"]
        sub = self._begin(at, customer, plan=plan, seats=4)
        then = self.later(at)
        self.change_later(then, sub, "seats", 10)
        self.change_later(then + HOUR, sub, "seats", 6)

    def _leaves_now(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer)
        self._office.plan(self.later(at), lambda t: self._subscriptions.cancel(t, sub))

    def _leaves_at_end(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer)
        then = self.later(at)
        self._office.plan(then, lambda t: self._subscriptions.cancel_at_end(t, sub))

    def _thinks_again(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer)
        then = self.later(at)
        self._office.plan(then, lambda t: self._subscriptions.cancel_at_end(t, sub))
        self._office.plan(
            then + 30 * HOUR, lambda t: self._subscriptions.think_again(t, sub)
        )

    def _comes_back(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer)
        gone = self.later(at, 5, 50)
        self._office.plan(gone, lambda t: self._subscriptions.cancel(t, sub))
        self._office.plan(self.later(gone, 5, 40), lambda t: self._stays(t, customer))

    def _subscribes_twice(self, at: int, customer: Customer) -> None:
        self._begin(at, customer)
        self._office.plan(self.later(at), lambda t: self._stays(t, customer))

    def _leaves_on_first_day(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer)
        self._office.plan(at + 60, lambda t: self._subscriptions.cancel(t, sub))

    def _buys_once(self, at: int, customer: Customer) -> None:
        self._sell(at, customer)

    def _pays_by_bank(self, at: int, customer: Customer) -> None:
        self._debit(at, customer, clears=True)

    def _bounces(self, at: int, customer: Customer) -> None:
        self._debit(at, customer, clears=False)

    def _debit(self, at: int, customer: Customer, *, clears: bool) -> None:
        workshop = self._books.catalogue.workshop
        intent = self._payments.open_intent(
            at,
            customer,
            workshop.unit_amount or 0,
            workshop.nickname,
            "us_bank_account",
        )
        self._payments.debit(at, intent, clears=clears)
