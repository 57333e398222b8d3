"""The customers of the full company: every kind of subscription and of change to it.

Each story stands for one thing that happens at real accounts. Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from opseer_simulator.assortment import ABROAD, Assortment
from opseer_simulator.catalogue import NEVER_PAID
from opseer_simulator.invoicing import NEVER
from opseer_simulator.office import Office
from opseer_simulator.records import Customer
from opseer_simulator.stories import Story
from opseer_simulator.subscriptions import Offer
from opseer_simulator.timeline import DAY, HOUR, Act

_SIZES = (1, 5, 6, 12, 20, 21, 55, 3)
"""Numbers of seats on both sides of the tiers' borders."""


class FullStories:
    """Lives the stories that the plain company does not have."""

    def __init__(self, office: Office, assortment: Assortment) -> None:
        self._office = office
        self._books = office.books
        self._rng = office.rng
        self._plans = assortment.plans
        self._coupons = assortment.coupons
        self._subscriptions = office.subscriptions
        self._amend = office.amendments

    def all(self) -> Iterator[tuple[str, Story]]:
        """Yield every story with its name."""
        for key in ("annual", "two_years", "half_yearly", "fortnightly", "daily"):
            yield f"stays_{key}", partial(self._stays, key)
        for key in ("monthly", "quarterly", "weekly", "seats"):
            yield f"stays_{key}", partial(self._stays, key)
        for key in ("three_days", "exact", "packages", "full_packages"):
            yield f"stays_{key}", partial(self._stays, key)
        for key in ("graduated", "volume", "packages"):
            yield f"grows_{key}", partial(self._grows, key)
        yield from self._with_items()
        yield from self._with_coupons()
        yield from self._with_trials()
        yield from self._with_trouble()
        yield from self._abroad()

    def _with_items(self) -> Iterator[tuple[str, Story]]:
        yield "mixed_intervals", self._mixed_intervals
        yield "adds_and_removes_items", self._adds_and_removes_items
        yield "many_items", self._many_items
        yield "metered_too", self._metered_too
        yield "metered_only", self._metered_only
        yield "metered_among_others", self._metered_among_others
        yield "metered_leaves", self._metered_leaves

    def _with_coupons(self) -> Iterator[tuple[str, Story]]:
        for key in ("launch", "quarter", "five_off", "ten_once", "three_months"):
            yield f"coupon_{key}", partial(self._coupon, key)
        yield "everything_free", partial(self._coupon, "friend")
        yield "item_coupon_percent", partial(self._item_coupon, "partner")
        yield "item_coupon_amount", partial(self._item_coupon, "five_off")
        yield "stacked_coupons", self._stacked_coupons
        yield "customer_coupon", self._customer_coupon
        yield "customer_coupon_later", self._customer_coupon_later
        yield "customer_coupon_hidden", self._customer_coupon_hidden
        yield "free_to_paid_and_back", self._free_to_paid_and_back

    def _with_trials(self) -> Iterator[tuple[str, Story]]:
        yield "trial_extended", self._trial_extended
        yield "long_trial", self._long_trial
        yield "trial_upgraded", self._trial_upgraded
        yield "trial_pauses", self._trial_pauses
        yield "trial_pauses_and_resumes", self._trial_pauses_and_resumes
        yield "free_month", self._free_month

    def _with_trouble(self) -> Iterator[tuple[str, Story]]:
        for behavior in ("void", "mark_uncollectible", "keep_as_draft"):
            yield f"pause_{behavior}", partial(self._pauses, behavior, None)
            yield f"pause_{behavior}_until", partial(self._pauses, behavior, 20)
        yield "pauses_and_leaves", self._pauses_and_leaves
        yield "recovers", partial(self._dunning, 2, "cancel")
        yield "lost_to_dunning", partial(self._dunning, NEVER, "cancel")
        yield "left_unpaid", partial(self._dunning, NEVER, "unpaid")
        yield "unpaid_and_recovers", self._unpaid_and_recovers
        yield "shortens_interval", partial(self._swaps, "annual", "monthly")
        yield "lengthens_interval", partial(self._swaps, "weekly", "half_yearly")
        yield "cancels_on_a_date", self._cancels_on_a_date
        yield "will_not_renew", self._will_not_renew
        yield "takes_a_date_back", self._takes_a_date_back
        yield "comes_back_twice", self._comes_back_twice
        yield "stays_an_hour_and_returns", self._stays_an_hour_and_returns

    def _abroad(self) -> Iterator[tuple[str, Story]]:
        for currency in ABROAD:
            yield f"pays_in_{currency}", partial(self._pays_in, currency)
            yield f"leaves_{currency}", partial(self._leaves_in, currency)
        yield "swaps_in_eur", self._swaps_in_euros
        yield "coupon_four_euros", self._euro_coupon
        yield "changes_currency", self._changes_currency
        yield "tax_inside", self._tax_inside
        yield "tax_inside_and_coupon", self._tax_inside_and_coupon
        yield "never_paid_currency", self._never_paid_currency

    # What the stories are made of.

    def _begin(self, at: int, customer: Customer, key: str, **terms: object) -> str:
        offer = Offer(**({"plan": self._plans[key]} | terms))  # type: ignore[arg-type]
        return self._subscriptions.begin(at, customer.id, offer)

    def _after(self, at: int, act: Act, least: int = 12, most: int = 75) -> int:
        """Plan an act for some days later and return when."""
        then = at + self._rng.randrange(least * DAY, most * DAY)
        self._office.plan(then, act)
        return then

    def _change(self, sub: str, key: str, seats: int = 1) -> Act:
        plan = self._plans[key]
        return lambda t: self._subscriptions.change(t, sub, plan, seats, "plan")

    # Prices and items.

    def _stays(self, key: str, at: int, customer: Customer) -> None:
        self._begin(at, customer, key, seats=self._rng.randrange(1, 13))

    def _grows(self, key: str, at: int, customer: Customer) -> None:
        seats = self._rng.choice(_SIZES)
        sub = self._begin(at, customer, key, seats=seats)
        for least, most in ((6, 30), (31, 60), (61, 100)):
            then = at + self._rng.randrange(least * DAY, most * DAY)
            change = self._change(sub, key, self._rng.choice(_SIZES))
            self._office.plan(then, change)

    def _mixed_intervals(self, at: int, customer: Customer) -> None:
        extras = ((self._plans["support"], 1), (self._plans["backups"], 3))
        sub = self._begin(at, customer, "storage", extras=extras, seats=2)
        self._after(at, lambda t: self._subscriptions.cancel(t, sub), 60, 110)

    def _adds_and_removes_items(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "monthly")
        for key, least, most in (("storage", 4, 20), ("support", 21, 45)):
            plan = self._plans[key]
            self._after(
                at,
                partial(self._amend.add_item, sub_id=sub, plan=plan, seats=2),
                least,
                most,
            )
        self._after(at, lambda t: self._amend.remove_last_item(t, sub), 46, 70)
        self._after(at, lambda t: self._amend.remove_last_item(t, sub), 71, 100)

    def _many_items(self, at: int, customer: Customer) -> None:
        """More items than a nested list shows at once; no renewal for a year."""
        extras = tuple((self._plans["support"], 1 + n % 3) for n in range(11))
        self._begin(at, customer, "annual", extras=extras)

    def _metered_too(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, "monthly", extras=((self._plans["calls"], 0),))

    def _metered_only(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, "gigabytes", seats=0)

    def _metered_among_others(self, at: int, customer: Customer) -> None:
        """Most of its invoices, daily ones, charge no usage."""
        extras = ((self._plans["calls"], 0), (self._plans["daily"], 2))
        self._begin(at, customer, "storage", extras=extras)

    def _metered_leaves(self, at: int, customer: Customer) -> None:
        extras = ((self._plans["calls"], 0),)
        sub = self._begin(at, customer, "storage", extras=extras)
        self._after(at, lambda t: self._subscriptions.cancel(t, sub), 35, 100)

    # Coupons.

    def _coupon(self, key: str, at: int, customer: Customer) -> None:
        self._begin(at, customer, "monthly", coupon=self._coupons[key])

    def _item_coupon(self, key: str, at: int, customer: Customer) -> None:
        extras = ((self._plans["storage"], 2),)
        coupon = self._coupons[key]
        self._begin(at, customer, "monthly", extras=extras, item_coupon=coupon)

    def _stacked_coupons(self, at: int, customer: Customer) -> None:
        more = (self._coupons["five_off"], self._coupons["launch"])
        coupon = self._coupons["quarter"]
        self._begin(at, customer, "exact", seats=3, coupon=coupon, more_coupons=more)

    def _customer_coupon(self, at: int, customer: Customer) -> None:
        self._amend.give_customer_coupon(at, customer.id, self._coupons["partner"])
        self._begin(at, customer, "monthly")

    def _customer_coupon_later(self, at: int, customer: Customer) -> None:
        coupon = self._coupons["partner"]
        self._begin(at, customer, "monthly")
        self._after(
            at,
            lambda t: self._amend.give_customer_coupon(t, customer.id, coupon),
            10,
            50,
        )
        self._after(
            at, lambda t: self._amend.drop_customer_coupon(t, customer.id), 60, 100
        )

    def _customer_coupon_hidden(self, at: int, customer: Customer) -> None:
        """The subscription's own coupon counts in place of the customer's."""
        self._amend.give_customer_coupon(at, customer.id, self._coupons["partner"])
        self._begin(at, customer, "monthly", coupon=self._coupons["five_off"])

    def _free_to_paid_and_back(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "free")
        self._after(at, self._change(sub, "storage"), 5, 40)
        self._after(at, self._change(sub, "free"), 60, 100)

    # Trials.

    def _trial_extended(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "monthly", trial_days=14)
        self._after(at, lambda t: self._amend.extend_trial(t, sub, 10), 5, 13)

    def _long_trial(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, "annual", trial_days=60)

    def _trial_upgraded(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "seats", seats=3, trial_days=30)
        self._after(at, lambda t: self._amend.reseat_trial(t, sub, 8), 3, 25)

    def _trial_pauses(self, at: int, customer: Customer) -> None:
        self._begin(at, customer, "monthly", trial_days=7, after_trial="pause")

    def _trial_pauses_and_resumes(self, at: int, customer: Customer) -> None:
        sub = self._begin(
            at, customer, "seats", seats=4, trial_days=7, after_trial="pause"
        )
        self._after(at, lambda t: self._amend.resume(t, sub), 8, 40)

    def _free_month(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "monthly")
        self._after(at, lambda t: self._amend.give_free_days(t, sub, 30))

    # Pauses, debts, ends.

    def _pauses(
        self, behavior: str, days: int | None, at: int, customer: Customer
    ) -> None:
        sub = self._begin(at, customer, "monthly")
        then = self._after(at, lambda t: self._amend.pause(t, sub, behavior, days))
        if days is None:
            self._after(then, lambda t: self._amend.unpause(t, sub), 3, 40)

    def _pauses_and_leaves(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "storage", seats=3)
        then = self._after(at, lambda t: self._amend.pause(t, sub, "void"))
        self._after(then, lambda t: self._subscriptions.cancel(t, sub), 2, 20)

    def _dunning(self, declines: int, end: str, at: int, customer: Customer) -> None:
        key = self._rng.choice(("monthly", "weekly"))
        sub = self._begin(at, customer, key, dunning=end)
        self._office.invoicing.doom_next(sub, declines)

    def _unpaid_and_recovers(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "weekly", dunning="unpaid")
        self._office.invoicing.doom_next(sub, NEVER)
        self._after(at, lambda t: self._amend.settle(t, sub), 20, 60)

    def _swaps(self, key: str, other: str, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, key)
        self._after(at, self._change(sub, other))

    def _cancels_on_a_date(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "monthly")
        self._after(at, lambda t: self._amend.cancel_on(t, sub, t + 9 * DAY))

    def _will_not_renew(self, at: int, customer: Customer) -> None:
        """Asks early for the end of a year: counted, and not committed."""
        sub = self._begin(at, customer, "two_years")
        self._after(at, lambda t: self._subscriptions.cancel_at_end(t, sub), 2, 18)

    def _takes_a_date_back(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "quarterly")
        then = self._after(
            at, lambda t: self._amend.cancel_on(t, sub, t + 12 * DAY), 12, 50
        )
        self._office.plan(then + 5 * DAY, lambda t: self._amend.take_back(t, sub))

    def _comes_back_twice(self, at: int, customer: Customer) -> None:
        for start, end in ((0, 20), (30, 50), (75, 105)):
            self._office.plan(
                at + start * DAY + HOUR,
                partial(self._visits, customer=customer, days=end - start),
            )

    def _stays_an_hour_and_returns(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "monthly")
        self._office.plan(at + HOUR, lambda t: self._subscriptions.cancel(t, sub))
        self._after(at, lambda t: self._visits(t, customer, 90), 20, 30)

    def _visits(self, at: int, customer: Customer, days: int) -> None:
        sub = self._begin(at, customer, "weekly")
        end = at + days * DAY + 3 * HOUR
        self._office.plan(end, lambda t: self._subscriptions.cancel(t, sub))

    # Other currencies.

    def _pays_in(self, currency: str, at: int, customer: Customer) -> None:
        abroad = self._move_to(customer, currency)
        self._begin(at, abroad, f"monthly_{currency}", seats=self._rng.randrange(1, 5))

    def _leaves_in(self, currency: str, at: int, customer: Customer) -> None:
        abroad = self._move_to(customer, currency)
        sub = self._begin(at, abroad, f"annual_{currency}", trial_days=5)
        self._after(at, lambda t: self._subscriptions.cancel(t, sub), 30, 110)

    def _swaps_in_euros(self, at: int, customer: Customer) -> None:
        abroad = self._move_to(customer, "eur")
        sub = self._begin(at, abroad, "monthly_eur")
        self._after(at, self._change(sub, "monthly_eur", 4), 10, 50)
        self._after(at, self._change(sub, "annual_eur", 2), 60, 100)

    def _euro_coupon(self, at: int, customer: Customer) -> None:
        abroad = self._move_to(customer, "eur")
        coupon = self._coupons["four_euros"]
        self._begin(at, abroad, "annual_eur", coupon=coupon)

    def _changes_currency(self, at: int, customer: Customer) -> None:
        sub = self._begin(at, customer, "monthly")

        def move(then: int) -> None:
            self._subscriptions.cancel(then, sub)
            now = self._move_to(self._books.customers[customer.id], "eur")
            self._begin(then, now, "monthly_eur")

        self._after(at, move, 20, 110)

    def _tax_inside(self, at: int, customer: Customer) -> None:
        """More seats, then another interval, then gone: each time without the tax."""
        abroad = self._move_to(customer, "eur")
        sub = self._begin(at, abroad, "with_tax")
        self._after(at, self._change(sub, "with_tax", 3), 5, 40)
        self._after(at, self._change(sub, "yearly_with_tax", 3), 45, 80)
        self._after(at, lambda t: self._subscriptions.cancel(t, sub), 85, 120)

    def _tax_inside_and_coupon(self, at: int, customer: Customer) -> None:
        abroad = self._move_to(customer, "eur")
        self._begin(at, abroad, "with_tax", coupon=self._coupons["quarter"])

    def _never_paid_currency(self, at: int, customer: Customer) -> None:
        """The first year costs nothing: worth something, and nobody has paid yet."""
        abroad = self._move_to(customer, NEVER_PAID)
        coupon = self._coupons["first_free"]
        self._begin(at, abroad, f"annual_{NEVER_PAID}", coupon=coupon)

    def _move_to(self, customer: Customer, currency: str) -> Customer:
        return self._books.customers.put(replace(customer, currency=currency))
