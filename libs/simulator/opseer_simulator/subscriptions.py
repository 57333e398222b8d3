"""The life of a subscription: begin, renew, change, fall behind, end.

Each act writes the company's own worth of the subscription into the ledger at once.
Times are unix seconds.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import Coupon, Plan, monthly_worth, next_period_end
from opseer_simulator.invoicing import Bill, Invoicing
from opseer_simulator.ledger import Worth
from opseer_simulator.records import Discount, Subscription
from opseer_simulator.timeline import DAY, HOUR, Timeline


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer signs up for.

    `start`: `paid`; `checkout` (incomplete and active in one second); `slow` (declined
    once, paid ten minutes later); `unpaid` (never paid, expires after 23 hours).
    """

    plan: Plan
    seats: int = 1
    coupon: Coupon | None = None
    trial_days: int = 0
    start: str = "paid"


class Subscriptions:
    """Lives the subscriptions."""

    def __init__(self, books: Books, timeline: Timeline, invoicing: Invoicing) -> None:
        self._books = books
        self._timeline = timeline
        self._invoicing = invoicing
        invoicing.on_paid = self._paid
        invoicing.on_failed = self._failed

    def begin(self, at: int, customer: str, offer: Offer) -> str:
        """Sign a customer up and return the subscription's id."""
        ids = self._books.ids
        sub_id = ids.new("sub_")
        discount = None
        if offer.coupon is not None:
            discount = self._discount(at, customer, sub_id, offer.coupon)
        trial_end = at + offer.trial_days * DAY if offer.trial_days else None
        anchor = trial_end or at
        sub = Subscription(
            id=sub_id,
            created=at,
            customer=customer,
            item=ids.new("si_"),
            plan=offer.plan,
            seats=offer.seats,
            status="trialing" if trial_end else "incomplete",
            anchor=anchor,
            period_start=at,
            period_end=trial_end or next_period_end(anchor, at, offer.plan),
            discount=discount,
            trial_start=at if trial_end else None,
            trial_end=trial_end,
        )
        self._books.subscriptions.put(sub)
        if discount is not None:
            self._books.tell(at, "customer.discount.created", discount, by_request=True)
        self._timeline.plan(sub.period_end, lambda then: self._turn(then, sub_id))
        if trial_end:
            self._begin_trial(at, sub)
        else:
            self._begin_paying(at, sub, offer.start)
        return sub_id

    def change(self, at: int, sub_id: str, plan: Plan, seats: int, why: str) -> None:
        """Move an active subscription to another plan or number of seats.

        Dearer at the same interval is billed pro rata at once; another interval begins
        a new period and is billed in full; cheaper waits for the next invoice.
        """
        sub = self._active(sub_id)
        if sub is None or (plan, seats) == (sub.plan, sub.seats):
            return
        same_interval = (plan.interval, plan.interval_count) == (
            sub.plan.interval,
            sub.plan.interval_count,
        )
        after = replace(sub, plan=plan, seats=seats)
        if same_interval:
            invoice = self._invoicing.prorate(at, sub, after)
        else:
            after = replace(
                after,
                anchor=at,
                period_start=at,
                period_end=next_period_end(at, at, plan),
            )
            self._timeline.plan(after.period_end, lambda then: self._turn(then, sub_id))
            invoice = self._invoicing.bill(at, Bill.full(after, "subscription_update"))
        if invoice is not None:
            after = replace(after, latest_invoice=invoice.id)
        self._update(at, sub, after, by_request=True)
        self._worth(at, after, why)
        if invoice is not None:
            self._invoicing.collect(at, invoice.id)

    def give_coupon(self, at: int, sub_id: str, coupon: Coupon) -> None:
        """Apply a coupon to an active subscription that has none."""
        sub = self._active(sub_id)
        if sub is None or sub.discount is not None:
            return
        discount = self._discount(at, sub.customer, sub_id, coupon)
        self._books.tell(at, "customer.discount.created", discount, by_request=True)
        after = replace(sub, discount=discount)
        self._update(at, sub, after, by_request=True)
        self._worth(at, after, "discount")

    def cancel_at_end(self, at: int, sub_id: str) -> None:
        """Ask for the end at the end of the period; nothing changes in worth."""
        sub = self._books.subscriptions[sub_id]
        if sub.status in {"active", "trialing"} and not sub.cancel_at_period_end:
            after = replace(
                sub,
                cancel_at_period_end=True,
                canceled_at=at,
                cancel_reason="cancellation_requested",
            )
            self._update(at, sub, after, by_request=True)

    def think_again(self, at: int, sub_id: str) -> None:
        """Take a planned cancellation back."""
        sub = self._books.subscriptions[sub_id]
        if sub.ended_at is None and sub.cancel_at_period_end:
            after = replace(
                sub, cancel_at_period_end=False, canceled_at=None, cancel_reason=None
            )
            self._update(at, sub, after, by_request=True)

    def cancel(
        self, at: int, sub_id: str, reason: str = "cancellation_requested"
    ) -> None:
        """End a subscription now; its open invoice is voided."""
        sub = self._books.subscriptions[sub_id]
        if sub.ended_at is not None or sub.status.startswith("incomplete"):
            return
        if sub.latest_invoice is not None:
            self._invoicing.void(at, sub.latest_invoice)
        after = self._books.subscriptions.put(
            replace(
                sub,
                status="canceled",
                canceled_at=sub.canceled_at or at,
                ended_at=at,
                cancel_reason=reason,
            )
        )
        by_request = reason == "cancellation_requested" and at != sub.period_end
        self._books.tell(
            at, "customer.subscription.deleted", after, by_request=by_request
        )
        self._worth(at, after, reason)

    def _begin_trial(self, at: int, sub: Subscription) -> None:
        def remind(then: int) -> None:
            now = self._books.subscriptions[sub.id]
            if now.status == "trialing":
                self._books.tell(then, "customer.subscription.trial_will_end", now)

        self._timeline.plan(sub.period_end - 3 * DAY, remind)
        invoice = self._invoicing.bill(at, Bill.free(sub))
        begun = self._books.subscriptions.put(replace(sub, latest_invoice=invoice.id))
        self._tell_created(at, begun)
        self._invoicing.collect(at, invoice.id)

    def _begin_paying(self, at: int, sub: Subscription, start: str) -> None:
        invoice = self._invoicing.bill(at, Bill.full(sub, "subscription_create"))
        sub = replace(sub, latest_invoice=invoice.id)
        if start == "paid":
            sub = self._books.subscriptions.put(replace(sub, status="active"))
            self._tell_created(at, sub)
            self._worth(at, sub, "new")
            self._invoicing.collect(at, invoice.id)
            return
        self._books.subscriptions.put(sub)
        self._tell_created(at, sub)
        if start == "checkout":
            self._invoicing.collect(at, invoice.id)
            return
        self._invoicing.expect_declines(invoice.id, 1)
        self._invoicing.collect(at, invoice.id)
        if start == "slow":
            self._timeline.plan(
                at + 600, lambda then: self._invoicing.collect(then, invoice.id)
            )
        else:
            self._timeline.plan(at + 23 * HOUR, lambda then: self._expire(then, sub.id))

    def _turn(self, at: int, sub_id: str) -> None:
        """The period ends: end with it where asked, else renew."""
        sub = self._books.subscriptions[sub_id]
        if sub.period_end != at or sub.status not in {"active", "past_due", "trialing"}:
            return
        if sub.cancel_at_period_end:
            self.cancel(at, sub_id)
            return
        after = replace(
            sub,
            status="active" if sub.status == "trialing" else sub.status,
            period_start=at,
            period_end=next_period_end(sub.anchor, at, sub.plan),
        )
        after = self._without_spent_coupon(at, after)
        invoice = self._invoicing.bill(at, Bill.full(after, "subscription_cycle"))
        after = replace(after, latest_invoice=invoice.id)
        self._update(at, sub, after)
        if sub.status == "trialing":
            self._worth(at, after, "trial_converted")
        self._invoicing.draw_declines(invoice.id)
        self._timeline.plan(
            at + HOUR, lambda then: self._invoicing.collect(then, invoice.id)
        )
        self._timeline.plan(after.period_end, lambda then: self._turn(then, sub_id))

    def _without_spent_coupon(self, at: int, sub: Subscription) -> Subscription:
        """Drop a coupon for one invoice once an invoice had it."""
        if sub.discount is None or sub.discount.coupon.duration != "once":
            return sub
        if sub.trial_end == at:
            return sub
        self._books.tell(at, "customer.discount.deleted", sub.discount)
        return replace(sub, discount=None)

    def _paid(self, at: int, sub_id: str) -> None:
        """An invoice was paid: what was incomplete or behind is active again."""
        sub = self._books.subscriptions[sub_id]
        if sub.status in {"incomplete", "past_due"}:
            after = replace(sub, status="active")
            self._update(at, sub, after)
            if sub.status == "incomplete":
                self._worth(at, after, "new")

    def _failed(self, at: int, sub_id: str, last: bool) -> None:  # noqa: FBT001
        """A payment failed: behind, and after the last try the end."""
        sub = self._books.subscriptions[sub_id]
        if last:
            self.cancel(at, sub_id, "payment_failed")
        elif sub.status == "active":
            self._update(at, sub, replace(sub, status="past_due"))

    def _expire(self, at: int, sub_id: str) -> None:
        sub = self._books.subscriptions[sub_id]
        if sub.latest_invoice is not None:
            self._invoicing.void(at, sub.latest_invoice)
        self._update(at, sub, replace(sub, status="incomplete_expired", ended_at=at))

    def _discount(
        self, at: int, customer: str, sub_id: str, coupon: Coupon
    ) -> Discount:
        return self._books.discounts.put(
            Discount(
                id=self._books.ids.new("di_"),
                created=at,
                coupon=coupon,
                customer=customer,
                subscription=sub_id,
            )
        )

    def _active(self, sub_id: str) -> Subscription | None:
        sub = self._books.subscriptions[sub_id]
        if sub.status != "active" or sub.cancel_at_period_end:
            return None
        return sub

    def _tell_created(self, at: int, sub: Subscription) -> None:
        self._books.tell(at, "customer.subscription.created", sub, by_request=True)

    def _update(
        self, at: int, before: Subscription, after: Subscription, **how: Any
    ) -> None:
        self._books.subscriptions.put(after)
        self._books.tell(at, "customer.subscription.updated", after, before, **how)

    def _worth(self, at: int, sub: Subscription, why: str) -> None:
        coupon = sub.discount.coupon if sub.discount else None
        worth = monthly_worth(sub.plan, sub.seats, coupon)
        if sub.ended_at is not None:
            worth *= 0
        self._books.ledger.worths.append(Worth(at, sub.id, sub.customer, worth, why))
