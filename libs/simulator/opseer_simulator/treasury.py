"""The balance: every movement of it, payouts, fees, reserves, top-ups.

Amounts are minor units of the currency of the balance.
"""

from __future__ import annotations

from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import CURRENCY
from opseer_simulator.records import Payout, Transaction
from opseer_simulator.timeline import DAY, Timeline

_CLEARING = 2 * DAY
_INCOMING = frozenset({"charge", "payment"})
_TYPES = {
    "dispute": "adjustment",
    "dispute_reversal": "adjustment",
    "other_adjustment": "adjustment",
    "partial_capture_reversal": "refund",
    "payout_reversal": "payout_failure",
    "risk_reserved_funds": "reserved_funds",
    "tax": "tax_fee",
}
_CATEGORIES = {
    "payment": "charge",
    "payment_failure_refund": "charge_failure",
    "stripe_fee": "fee",
    "validation": "charge",
}
_DESCRIPTIONS = {
    "refund": "REFUND FOR CHARGE",
    "payout": "STRIPE PAYOUT",
    "payout_reversal": "STRIPE PAYOUT",
    "stripe_fee": "Billing - Usage Fee",
    "tax": "Stripe fees: tax",
    "dispute": "Chargeback withdrawal",
    "dispute_reversal": "Chargeback reversal",
    "payment_failure_refund": "REFUND FOR FAILED PAYMENT",
    "topup": "Top-up",
}


class Treasury:
    """Moves the balance."""

    def __init__(self, books: Books, timeline: Timeline) -> None:
        self._books = books
        self._timeline = timeline

    def move(
        self,
        at: int,
        source: str | None,
        what: str,
        amount: int,
        *,
        fee: int = 0,
        currency: str = CURRENCY,
        rate: int | None = None,
    ) -> Transaction:
        """Move the balance; `what` is the type, or the category where that says more.

        `rate` is noted as what the amount was converted at.
        """
        midnight = at - at % DAY
        return self._books.transactions.put(
            Transaction(
                id=self._books.ids.new("txn_"),
                created=at,
                available_on=midnight + _CLEARING + DAY if what in _INCOMING else at,
                amount=amount,
                fee=fee,
                net=amount - fee,
                type=_TYPES.get(what, what),
                category=_CATEGORIES.get(what, what),
                source=source,
                description=_DESCRIPTIONS.get(what),
                currency=currency,
                rate=rate,
            )
        )

    def pay_out(self, at: int, *, arrives: bool = True) -> None:
        """Send everything available to the bank, a payout for each currency.

        It arrives two days later, or else comes back.
        """
        available: dict[str, int] = {}
        for moved in self._books.transactions.all():
            if moved.available_on <= at:
                sum_before = available.get(moved.currency, 0)
                available[moved.currency] = sum_before + moved.net
        for currency, amount in available.items():
            if amount > 0:
                self._send(at, currency, amount, arrives=arrives)

    def pay_stripe(self, at: int, amount: int) -> None:
        """Pay Stripe's monthly fee out of the balance."""
        if amount > 0:
            self.move(at, None, "stripe_fee", -amount)

    def pay_tax(self, at: int, amount: int) -> None:
        """Pay the tax on Stripe's fees."""
        self.move(at, None, "tax", -amount)

    def top_up(self, at: int, amount: int) -> None:
        """Put money of the company's own into the balance."""
        self.move(at, self._books.ids.new("tu_"), "topup", amount)

    def reserve(self, at: int, amount: int, days: int) -> None:
        """Stripe holds an amount back and lets it go some days later."""
        self.move(at, None, "risk_reserved_funds", -amount)
        self._timeline.plan(
            at + days * DAY,
            lambda then: self.move(then, None, "risk_reserved_funds", amount),
        )

    def adjust(self, at: int, amount: int) -> None:
        """Stripe corrects the balance."""
        self.move(at, None, "other_adjustment", amount)

    def validate_card(self, at: int) -> None:
        """A card is checked: a movement of nothing."""
        self.move(at, None, "validation", 0)

    def _send(self, at: int, currency: str, amount: int, *, arrives: bool) -> None:
        books = self._books
        payout_id = books.ids.new("po_")
        entry = self.move(at, payout_id, "payout", -amount, currency=currency)
        payout = books.payouts.put(
            Payout(
                id=payout_id,
                created=at,
                amount=amount,
                arrival=at + _CLEARING,
                transaction=entry.id,
                status="in_transit",
                currency=currency,
            )
        )
        books.tell(at, "payout.created", payout)
        end = self._arrive if arrives else self._come_back
        self._timeline.plan(payout.arrival, lambda then: end(then, payout))

    def _arrive(self, at: int, payout: Payout) -> None:
        paid = self._books.payouts.put(replace(payout, status="paid"))
        self._books.tell(at, "payout.paid", paid)

    def _come_back(self, at: int, payout: Payout) -> None:
        books = self._books
        entry = self.move(
            at, payout.id, "payout_reversal", payout.amount, currency=payout.currency
        )
        failed = books.payouts.put(replace(payout, status="failed", failure=entry.id))
        books.tell(at, "payout.failed", failed)
