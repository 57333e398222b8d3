"""What a customer signs up for."""

from __future__ import annotations

import msgspec

from opseer_simulator.catalogue import Coupon, Plan


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer signs up for.

    `start`: `paid`; `checkout` (incomplete and active in one second); `slow` (declined
    once, paid ten minutes later); `unpaid` (never paid, expires after 23 hours).
    `extras` are further items. `after_trial` is `pay` or, without a payment method,
    `pause`. `dunning`: after the last try `cancel`, or mark `unpaid`.
    """

    plan: Plan
    seats: int = 1
    coupon: Coupon | None = None
    trial_days: int = 0
    start: str = "paid"
    extras: tuple[tuple[Plan, int], ...] = ()
    more_coupons: tuple[Coupon, ...] = ()
    item_coupon: Coupon | None = None
    after_trial: str = "pay"
    dunning: str = "cancel"
