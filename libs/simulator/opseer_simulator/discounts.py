"""Coupons applied to subscriptions, items and customers, and when they are spent."""

from __future__ import annotations

from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import Coupon, months_later
from opseer_simulator.records import Discount, Subscription


class Discounts:
    """Applies coupons and drops spent ones."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def apply(
        self,
        at: int,
        customer: str,
        coupon: Coupon,
        sub_id: str | None,
        item: str | None = None,
    ) -> Discount:
        """Apply a coupon to a subscription, an item of it, or (None) the customer."""
        end = None
        if coupon.months is not None:
            end = months_later(at, coupon.months)
        return self._books.discounts.put(
            Discount(
                id=self._books.ids.new("di_"),
                created=at,
                coupon=coupon,
                customer=customer,
                subscription=sub_id,
                item=item,
                end=end,
            )
        )

    def without_spent(self, at: int, sub: Subscription) -> Subscription:
        """Drop coupons for one invoice once an invoice had them."""
        if sub.trial_end == at:
            return sub
        spent = [d for d in sub.discounts if d.coupon.duration == "once"]
        for discount in spent:
            self._books.tell(at, "customer.discount.deleted", discount)
        left = tuple(d for d in sub.discounts if d not in spent)
        return replace(sub, discounts=left) if spent else sub
