"""The life of a subscription: begin, renew, change, fall behind, end.

Each act writes the company's own worth of the subscription into the ledger at once.
Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import Coupon, Plan, next_period_end
from opseer_simulator.discounts import Discounts
from opseer_simulator.invoicing import Bill, Invoicing, used
from opseer_simulator.offers import Offer
from opseer_simulator.records import Discount, Invoice, Item, Subscription
from opseer_simulator.timeline import DAY, HOUR, Timeline
from opseer_simulator.valuation import Valuation

__all__ = ["Offer", "Subscriptions"]

_RENEWING = frozenset({"active", "past_due", "trialing", "unpaid"})


class Subscriptions:
    """Lives the subscriptions. `use(item)` says what a metered item's period used."""

    def __init__(
        self,
        books: Books,
        timeline: Timeline,
        invoicing: Invoicing,
        valuation: Valuation,
    ) -> None:
        self._books = books
        self._timeline = timeline
        self._invoicing = invoicing
        self._valuation = valuation
        self.discounts = Discounts(books)
        self._pausing: set[str] = set()
        self._unpaid: set[str] = set()
        self.use: Callable[[Item], int] = lambda _item: 0
        invoicing.on_paid = self._paid
        invoicing.on_failed = self._failed
        invoicing.on_final = self._final

    def begin(self, at: int, customer: str, offer: Offer) -> str:
        """Sign a customer up and return the subscription's id."""
        sub_id = self._books.ids.new("sub_")
        trial_end = at + offer.trial_days * DAY if offer.trial_days else None
        anchor = trial_end or at
        discounts = tuple(
            self.discounts.apply(at, customer, coupon, sub_id)
            for coupon in (offer.coupon, *offer.more_coupons)
            if coupon is not None
        )
        sub = Subscription(
            id=sub_id,
            created=at,
            customer=customer,
            items=tuple(self._items(at, sub_id, customer, offer)),
            status="trialing" if trial_end else "incomplete",
            anchor=anchor,
            currency=offer.plan.currency,
            discounts=discounts,
            trial_start=at if trial_end else None,
            trial_end=trial_end,
        )
        if offer.after_trial == "pause":
            self._pausing.add(sub_id)
        if offer.dunning == "unpaid":
            self._unpaid.add(sub_id)
            self._invoicing.keep_open(sub_id)
        self._books.subscriptions.put(sub)
        for discount in (*discounts, *(d for i in sub.items for d in i.discounts)):
            self._books.tell(at, "customer.discount.created", discount, by_request=True)
            self._expire_later(discount)
        self.plan_turns(sub)
        if trial_end:
            self._begin_trial(at, sub)
        else:
            self._begin_paying(at, sub, offer.start)
        return sub_id

    def _items(
        self, at: int, sub_id: str, customer: str, offer: Offer
    ) -> Iterator[Item]:
        trial_end = at + offer.trial_days * DAY if offer.trial_days else None
        for plan, seats in ((offer.plan, offer.seats), *offer.extras):
            item_id = self._books.ids.new("si_")
            coupon = offer.item_coupon if plan is offer.plan else None
            yield Item(
                id=item_id,
                created=at,
                plan=plan,
                seats=seats,
                period_start=at,
                period_end=trial_end or next_period_end(at, at, plan),
                discounts=()
                if coupon is None
                else (self.discounts.apply(at, customer, coupon, sub_id, item_id),),
            )

    def plan_turns(self, sub: Subscription) -> None:
        """Plan the ends of the current periods."""
        for end in dict.fromkeys(item.period_end for item in sub.items):
            self._timeline.plan(end, lambda then: self._turn(then, sub.id))

    def change(self, at: int, sub_id: str, plan: Plan, seats: int, why: str) -> None:
        """Move an active subscription to another plan or number of seats.

        Dearer at the same interval is billed pro rata at once; another interval begins
        a new period and is billed in full; cheaper waits for the next invoice.
        """
        sub = self.active(sub_id)
        if sub is None or (plan, seats) == (sub.plan, sub.seats):
            return
        same_interval = (plan.interval, plan.interval_count) == (
            sub.plan.interval,
            sub.plan.interval_count,
        )
        after = sub.with_first(plan=plan, seats=seats)
        if same_interval:
            invoice = self._invoicing.prorate(at, sub, after)
        else:
            after = replace(after, anchor=at).with_first(
                period_start=at, period_end=next_period_end(at, at, plan)
            )
            self._timeline.plan(after.period_end, lambda then: self._turn(then, sub_id))
            invoice = self._invoicing.bill(at, Bill.full(after, "subscription_update"))
        if invoice is not None:
            after = replace(after, latest_invoice=invoice.id)
        self.update(at, sub, after, by_request=True)
        self._valuation.note(at, after, why)
        if invoice is not None:
            self._invoicing.collect(at, invoice.id)

    def give_coupon(self, at: int, sub_id: str, coupon: Coupon) -> None:
        """Apply a coupon to an active subscription that has none."""
        sub = self.active(sub_id)
        if sub is None or sub.discount is not None:
            return
        discount = self.discounts.apply(at, sub.customer, coupon, sub_id)
        self._books.tell(at, "customer.discount.created", discount, by_request=True)
        self._expire_later(discount)
        after = replace(sub, discounts=(discount,))
        self.update(at, sub, after, by_request=True)
        self._valuation.note(at, after, "discount")

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
            self.update(at, sub, after, by_request=True)

    def think_again(self, at: int, sub_id: str) -> None:
        """Take a planned cancellation back."""
        sub = self._books.subscriptions[sub_id]
        if sub.ended_at is None and sub.cancel_at_period_end:
            after = replace(
                sub, cancel_at_period_end=False, canceled_at=None, cancel_reason=None
            )
            self.update(at, sub, after, by_request=True)

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
        self._valuation.stand(at, after)
        self._valuation.note(at, after, reason)

    def _begin_trial(self, at: int, sub: Subscription) -> None:
        def remind(then: int) -> None:
            now = self._books.subscriptions[sub.id]
            if now.status == "trialing":
                self._books.tell(then, "customer.subscription.trial_will_end", now)

        self._timeline.plan(sub.period_end - 3 * DAY, remind)
        invoice = self._invoicing.bill(at, Bill.free(sub))
        begun = self._books.subscriptions.put(replace(sub, latest_invoice=invoice.id))
        self._valuation.stand(at, begun)
        self._tell_created(at, begun)
        self._invoicing.collect(at, invoice.id)

    def _begin_paying(self, at: int, sub: Subscription, start: str) -> None:
        bill = Bill.full(sub, "subscription_create")
        if not bill.parts:
            sub = self._books.subscriptions.put(replace(sub, status="active"))
            self._tell_created(at, sub)
            self._valuation.note(at, sub, "new")
            return
        invoice = self._invoicing.bill(at, bill)
        sub = replace(sub, latest_invoice=invoice.id)
        if start == "paid":
            sub = self._books.subscriptions.put(replace(sub, status="active"))
            self._tell_created(at, sub)
            self._valuation.note(at, sub, "new")
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
        """Periods end: end with them where asked, pause without a card, else renew."""
        sub = self._books.subscriptions[sub_id]
        due = tuple(item for item in sub.items if item.period_end == at)
        if not due or sub.status not in _RENEWING:
            return
        if sub.cancel_at_period_end and sub.period_end == at:
            self.cancel(at, sub_id)
        elif sub.status == "trialing" and sub_id in self._pausing:
            self._pause_after_trial(at, sub)
        else:
            self._renew(at, sub, due)

    def _renew(self, at: int, sub: Subscription, due: tuple[Item, ...]) -> None:
        after = replace(
            sub,
            status="active" if sub.status == "trialing" else sub.status,
            items=tuple(
                replace(
                    item,
                    period_start=at,
                    period_end=next_period_end(sub.anchor, at, item.plan),
                )
                if item in due
                else item
                for item in sub.items
            ),
        )
        after = self.discounts.without_spent(at, after)
        metered = tuple(item for item in due if item.plan.metered)
        if sub.status == "trialing":
            metered = ()
        ids = {item.id for item in due}
        bill = Bill.full(
            after,
            "subscription_cycle",
            tuple(item for item in after.items if item.id in ids),
        )
        usage = tuple(used(after, item, self.use(item)) for item in metered)
        bill = msgspec.structs.replace(bill, parts=(*bill.parts, *usage))
        invoice_id = sub.latest_invoice
        if bill.parts:
            invoice_id = self._invoicing.bill(at, bill).id
        after = replace(after, latest_invoice=invoice_id)
        self.update(at, sub, after)
        if sub.status == "trialing":
            self._valuation.note(at, after, "trial_converted")
        if bill.parts and invoice_id is not None:
            self._collect_later(at, after, invoice_id, metered=bool(usage))
        for end in dict.fromkeys(i.period_end for i in after.items if i.id in ids):
            self._timeline.plan(end, lambda then: self._turn(then, sub.id))

    def _collect_later(
        self, at: int, sub: Subscription, invoice_id: str, *, metered: bool
    ) -> None:
        """Close the draft in an hour as the subscription then wants it."""
        if not metered and sub.status != "unpaid" and sub.pause is None:
            self._invoicing.draw_declines(invoice_id)

        def close(then: int) -> None:
            now = self._books.subscriptions[sub.id]
            behavior = now.pause.behavior if now.pause else None
            if behavior == "void":
                self._invoicing.void(then, invoice_id)
            elif behavior == "mark_uncollectible":
                self._invoicing.write_off(then, invoice_id)
            elif behavior is None and now.status != "unpaid":
                self._invoicing.collect(then, invoice_id)

        self._timeline.plan(at + HOUR, close)

    def _pause_after_trial(self, at: int, sub: Subscription) -> None:
        after = self._books.subscriptions.put(replace(sub, status="paused"))
        self._books.tell(at, "customer.subscription.paused", after)
        self._valuation.stand(at, after)

    def _final(self, at: int, invoice: Invoice) -> None:
        """An invoice is final: what it charges for usage counts from now on."""
        metered = [x for x in invoice.lines if x.plan.metered and not x.proration]
        for line in metered:
            self._valuation.charge_usage(line.item, line.amount - line.discount)
        sub = self._books.subscriptions[invoice.subscription]
        if metered:
            self._valuation.note(at, sub, "usage")

    def _paid(self, at: int, sub_id: str) -> None:
        """An invoice was paid: what was incomplete or behind is active again."""
        sub = self._books.subscriptions[sub_id]
        if sub.status in {"incomplete", "past_due", "unpaid"}:
            after = replace(sub, status="active")
            self.update(at, sub, after)
            if sub.status != "past_due":
                why = "new" if sub.status == "incomplete" else "recovered"
                self._valuation.note(at, after, why)

    def _failed(self, at: int, sub_id: str, last: bool) -> None:  # noqa: FBT001
        """A payment failed: behind, and after the last try the end."""
        sub = self._books.subscriptions[sub_id]
        if last and sub_id in self._unpaid and sub.ended_at is None:
            after = replace(sub, status="unpaid")
            self.update(at, sub, after)
            self._valuation.note(at, after, "unpaid")
        elif last:
            self.cancel(at, sub_id, "payment_failed")
        elif sub.status == "active":
            self.update(at, sub, replace(sub, status="past_due"))

    def _expire(self, at: int, sub_id: str) -> None:
        sub = self._books.subscriptions[sub_id]
        if sub.latest_invoice is not None:
            self._invoicing.void(at, sub.latest_invoice)
        self.update(at, sub, replace(sub, status="incomplete_expired", ended_at=at))

    def _expire_later(self, discount: Discount) -> None:
        """Plan the end of a subscription's discount, if it has one."""
        if discount.end is None or discount.subscription is None:
            return
        sub_id = discount.subscription

        def expire(at: int) -> None:
            sub = self._books.subscriptions[sub_id]
            left = tuple(d for d in sub.discounts if d.id != discount.id)
            if sub.ended_at is None and left != sub.discounts:
                self._books.tell(at, "customer.discount.deleted", discount)
                self.update(at, sub, replace(sub, discounts=left))

        self._timeline.plan(discount.end, expire)

    def active(self, sub_id: str) -> Subscription | None:
        """Return a subscription that is active and stays; None for others."""
        sub = self._books.subscriptions[sub_id]
        if sub.status != "active" or sub.cancel_at_period_end:
            return None
        return sub

    def _tell_created(self, at: int, sub: Subscription) -> None:
        self._books.tell(at, "customer.subscription.created", sub, by_request=True)

    def update(
        self, at: int, before: Subscription, after: Subscription, **how: Any
    ) -> None:
        """Put a changed subscription on record and tell."""
        self._books.subscriptions.put(after)
        self._books.tell(at, "customer.subscription.updated", after, before, **how)
        self._valuation.stand(at, after)
