"""What else can happen to a subscription: items, pauses, trials, coupons, debts.

Times are unix seconds. Each act leaves a subscription alone that it does not fit.
"""

from __future__ import annotations

from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import Coupon, Plan, next_period_end
from opseer_simulator.invoicing import Bill, Invoicing
from opseer_simulator.records import Item, Pause, Subscription
from opseer_simulator.subscriptions import Subscriptions
from opseer_simulator.timeline import DAY, Timeline
from opseer_simulator.valuation import Valuation


class Amendments:
    """Amends subscriptions."""

    def __init__(
        self,
        books: Books,
        timeline: Timeline,
        invoicing: Invoicing,
        subscriptions: Subscriptions,
        valuation: Valuation,
    ) -> None:
        self._books = books
        self._timeline = timeline
        self._invoicing = invoicing
        self._subscriptions = subscriptions
        self._valuation = valuation

    def add_item(self, at: int, sub_id: str, plan: Plan, seats: int) -> None:
        """Add an item from now on, billed with the next invoice of its interval."""
        sub = self._subscriptions.active(sub_id)
        if sub is None:
            return
        same = (plan.interval, plan.interval_count) == (
            sub.plan.interval,
            sub.plan.interval_count,
        )
        end = sub.period_end if same else next_period_end(at, at, plan)
        item = Item(
            id=self._books.ids.new("si_"),
            created=at,
            plan=plan,
            seats=seats,
            period_start=at,
            period_end=end,
        )
        self._amend(at, sub, replace(sub, items=(*sub.items, item)), "item_added")
        if not same:
            after = self._books.subscriptions[sub_id]
            self._subscriptions.plan_turns(after)

    def remove_last_item(self, at: int, sub_id: str) -> None:
        """Remove the last of several items."""
        sub = self._subscriptions.active(sub_id)
        if sub is not None and len(sub.items) > 1:
            after = replace(sub, items=sub.items[:-1])
            self._amend(at, sub, after, "item_removed")

    def pause(
        self, at: int, sub_id: str, behavior: str, days: int | None = None
    ) -> None:
        """Pause collection, for some days or until it is taken back."""
        sub = self._subscriptions.active(sub_id)
        if sub is None or sub.pause is not None:
            return
        resumes_at = None if days is None else at + days * DAY
        pause = Pause(behavior=behavior, resumes_at=resumes_at)
        self._amend(at, sub, replace(sub, pause=pause), "paused")
        if resumes_at is not None:
            self._timeline.plan(
                resumes_at, lambda then: self._unpause(then, sub_id, by_request=False)
            )

    def unpause(self, at: int, sub_id: str) -> None:
        """Take a pause back."""
        self._unpause(at, sub_id, by_request=True)

    def _unpause(self, at: int, sub_id: str, *, by_request: bool) -> None:
        sub = self._books.subscriptions[sub_id]
        if sub.pause is None or sub.ended_at is not None:
            return
        after = replace(sub, pause=None)
        self._subscriptions.update(at, sub, after, by_request=by_request)
        self._valuation.note(at, after, "unpaused")

    def extend_trial(self, at: int, sub_id: str, days: int) -> None:
        """Let a trial end later."""
        sub = self._books.subscriptions[sub_id]
        if sub.status == "trialing" and sub.trial_end is not None:
            self._put_on_trial(at, sub, sub.trial_end + days * DAY)

    def reseat_trial(self, at: int, sub_id: str, seats: int) -> None:
        """Change the seats of a trial."""
        sub = self._books.subscriptions[sub_id]
        if sub.status == "trialing":
            after = sub.with_first(seats=seats)
            self._subscriptions.update(at, sub, after, by_request=True)

    def give_free_days(self, at: int, sub_id: str, days: int) -> None:
        """Put a paying subscription on trial for some days."""
        sub = self._subscriptions.active(sub_id)
        if sub is not None and sub.pause is None:
            self._put_on_trial(at, sub, at + days * DAY)
            after = self._books.subscriptions[sub_id]
            self._valuation.note(at, after, "trial_extension")

    def _put_on_trial(self, at: int, sub: Subscription, end: int) -> None:
        after = replace(
            sub,
            status="trialing",
            anchor=end,
            trial_start=sub.trial_start or at,
            trial_end=end,
            items=tuple(replace(item, period_end=end) for item in sub.items),
        )
        self._subscriptions.update(at, sub, after, by_request=True)
        self._subscriptions.plan_turns(after)

    def resume(self, at: int, sub_id: str) -> None:
        """Go on with a subscription that stopped at the end of its trial."""
        sub = self._books.subscriptions[sub_id]
        if sub.status != "paused":
            return
        after = replace(
            sub,
            status="active",
            anchor=at,
            items=tuple(
                replace(
                    item,
                    period_start=at,
                    period_end=next_period_end(at, at, item.plan),
                )
                for item in sub.items
            ),
        )
        bill = Bill.full(after, "subscription_cycle")
        invoice = self._invoicing.bill(at, bill)
        after = self._books.subscriptions.put(replace(after, latest_invoice=invoice.id))
        self._books.tell(at, "customer.subscription.resumed", after, by_request=True)
        self._valuation.note(at, after, "resumed")
        self._subscriptions.plan_turns(after)
        self._invoicing.collect(at, invoice.id)

    def cancel_on(self, at: int, sub_id: str, end: int) -> None:
        """Ask for the end at an instant of its own; `take_back` undoes it."""
        sub = self._subscriptions.active(sub_id)
        if sub is None or sub.cancel_at is not None:
            return
        after = replace(
            sub,
            cancel_at=end,
            canceled_at=at,
            cancel_reason="cancellation_requested",
        )
        self._subscriptions.update(at, sub, after, by_request=True)

        def finish(then: int) -> None:
            if self._books.subscriptions[sub_id].cancel_at == then:
                self._subscriptions.cancel(then, sub_id)

        self._timeline.plan(end, finish)

    def take_back(self, at: int, sub_id: str) -> None:
        """Undo `cancel_on`."""
        sub = self._books.subscriptions[sub_id]
        if sub.cancel_at is not None and sub.ended_at is None:
            after = replace(sub, cancel_at=None, canceled_at=None, cancel_reason=None)
            self._subscriptions.update(at, sub, after, by_request=True)

    def settle(self, at: int, sub_id: str) -> None:
        """Pay the invoice that an unpaid subscription owes."""
        if self._books.subscriptions[sub_id].status != "unpaid":
            return
        for invoice in self._books.invoices.all():
            if invoice.subscription == sub_id and invoice.status == "open":
                self._invoicing.expect_declines(invoice.id, 0)
                self._invoicing.collect(at, invoice.id)

    def give_customer_coupon(self, at: int, customer_id: str, coupon: Coupon) -> None:
        """Apply a coupon to a customer: to what has no discount of its own."""
        before = self._books.customers[customer_id]
        discount = self._subscriptions.discounts.apply(at, customer_id, coupon, None)
        after = self._books.customers.put(replace(before, discount=discount))
        self._books.tell(at, "customer.discount.created", discount, by_request=True)
        self._books.tell(at, "customer.updated", after, before, by_request=True)
        self._revalue(at, customer_id)

    def drop_customer_coupon(self, at: int, customer_id: str) -> None:
        """Take a customer's coupon away."""
        before = self._books.customers[customer_id]
        if before.discount is None:
            return
        after = self._books.customers.put(replace(before, discount=None))
        discount = before.discount
        self._books.tell(at, "customer.discount.deleted", discount, by_request=True)
        self._books.tell(at, "customer.updated", after, before, by_request=True)
        self._revalue(at, customer_id)

    def _revalue(self, at: int, customer_id: str) -> None:
        for sub in self._books.subscriptions.all():
            if sub.customer == customer_id and sub.ended_at is None:
                self._valuation.note(at, sub, "customer_discount")

    def _amend(
        self, at: int, before: Subscription, after: Subscription, why: str
    ) -> None:
        self._subscriptions.update(at, before, after, by_request=True)
        self._valuation.note(at, after, why)
