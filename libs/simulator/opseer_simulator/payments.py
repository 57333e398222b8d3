"""Taking money, giving it back, losing disputes, paying out. Amounts are US cents."""

from __future__ import annotations

from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.ledger import Entry
from opseer_simulator.records import (
    Charge,
    Customer,
    Dispute,
    Intent,
    Payout,
    Refund,
    Transaction,
)
from opseer_simulator.timeline import DAY, Timeline

DISPUTE_FEE = 1500
DEBIT_FEE = 80
_CLEARING = 2 * DAY


def card_fee(amount: int) -> int:
    """Return the fee for a card payment: 2.9 % and 30 cents, rounded half up."""
    return (amount * 29 + 500) // 1000 + 30


class Payments:
    """Moves money and writes it down in the ledger and on the shelves at once."""

    def __init__(self, books: Books, timeline: Timeline) -> None:
        self._books = books
        self._timeline = timeline

    def open_intent(
        self, at: int, customer: Customer, amount: int, what: str, method: str = "card"
    ) -> Intent:
        """Begin a payment; nothing is taken yet."""
        return self._books.intents.put(
            Intent(
                id=self._books.ids.new("pi_"),
                created=at,
                customer=customer.id,
                amount=amount,
                method=method,
                status="requires_payment_method",
                description=what,
            )
        )

    def take(self, at: int, intent: Intent) -> Charge:
        """Take the money by card."""
        books = self._books
        charge = self._charge(at, intent, "succeeded")
        entry = self._move(
            at, charge.id, "charge", charge.amount, fee=card_fee(charge.amount)
        )
        books.ledger.sales.append(Entry(at, charge.id, charge.amount))
        charge = books.charges.put(replace(charge, transaction=entry.id))
        intent = books.intents.put(
            replace(intent, status="succeeded", latest_charge=charge.id, decline=None)
        )
        books.tell(at, "charge.succeeded", charge)
        books.tell(at, "payment_intent.succeeded", intent)
        return charge

    def decline(self, at: int, intent: Intent, code: str) -> Charge:
        """Try to take the money and be refused; no balance transaction comes of it."""
        books = self._books
        charge = self._charge(at, intent, "failed", code)
        books.ledger.declines.append(Entry(at, charge.id, charge.amount))
        intent = books.intents.put(
            replace(intent, latest_charge=charge.id, decline=code)
        )
        books.tell(at, "charge.failed", charge)
        books.tell(at, "payment_intent.payment_failed", intent)
        return charge

    def debit(self, at: int, intent: Intent, *, clears: bool) -> Charge:
        """Take the money from a bank account: promised now, settled four days on."""
        books = self._books
        charge = self._charge(at, intent, "pending")
        entry = self._move(at, charge.id, "payment", charge.amount, fee=DEBIT_FEE)
        books.ledger.sales.append(Entry(at, charge.id, charge.amount))
        charge = books.charges.put(replace(charge, transaction=entry.id))
        books.intents.put(replace(intent, status="processing", latest_charge=charge.id))
        books.tell(at, "charge.pending", charge)
        settle = self._clear if clears else self._bounce
        self._timeline.plan(at + 4 * DAY, lambda then: settle(then, charge.id))
        return charge

    def refund(self, at: int, charge_id: str, amount: int | None = None) -> None:
        """Give money back, all that is left unless told; a disputed charge is left."""
        books = self._books
        before = books.charges[charge_id]
        left = before.amount - before.refunded
        amount = left if amount is None else min(amount, left)
        if before.status != "succeeded" or before.disputed or amount <= 0:
            return
        refund_id = books.ids.new("re_")
        entry = self._move(at, refund_id, "refund", -amount)
        books.ledger.refunds.append(Entry(at, refund_id, amount))
        books.refunds.put(
            Refund(
                id=refund_id,
                created=at,
                charge=charge_id,
                intent=before.intent,
                amount=amount,
                transaction=entry.id,
            )
        )
        after = books.charges.put(replace(before, refunded=before.refunded + amount))
        books.tell(at, "charge.refunded", after, before, by_request=True)

    def dispute(self, at: int, charge_id: str, reason: str, *, inquiry: bool) -> None:
        """A customer complains at the bank; an inquiry moves no money."""
        books = self._books
        charge = books.charges[charge_id]
        if charge.status != "succeeded" or charge.disputed or charge.refunded:
            return
        dispute_id = books.ids.new("dp_")
        moved: tuple[Transaction, ...] = ()
        if not inquiry:
            moved = (
                self._move(at, dispute_id, "dispute", -charge.amount, fee=DISPUTE_FEE),
            )
            books.ledger.disputes.append(Entry(at, dispute_id, charge.amount))
        dispute = books.disputes.put(
            Dispute(
                id=dispute_id,
                created=at,
                charge=charge_id,
                intent=charge.intent,
                amount=charge.amount,
                reason=reason,
                status="warning_needs_response" if inquiry else "needs_response",
                transactions=moved,
            )
        )
        books.charges.put(replace(charge, disputed=True))
        books.tell(at, "charge.dispute.created", dispute)

    def close_dispute(self, at: int, charge_id: str, *, won: bool) -> None:
        """The bank decides; a won dispute brings the money back."""
        books = self._books
        for dispute in books.disputes.all():
            if dispute.charge != charge_id or not dispute.transactions:
                continue
            moved = dispute.transactions
            if won:
                moved += (
                    self._move(at, dispute.id, "dispute_reversal", dispute.amount),
                )
            closed = books.disputes.put(
                replace(dispute, status="won" if won else "lost", transactions=moved)
            )
            books.tell(at, "charge.dispute.closed", closed)

    def pay_out(self, at: int) -> None:
        """Send everything available to the bank; it arrives two days later."""
        books = self._books
        amount = sum(t.net for t in books.transactions.all() if t.available_on <= at)
        if amount <= 0:
            return
        payout_id = books.ids.new("po_")
        entry = self._move(at, payout_id, "payout", -amount)
        payout = books.payouts.put(
            Payout(
                id=payout_id,
                created=at,
                amount=amount,
                arrival=at + _CLEARING,
                transaction=entry.id,
                status="in_transit",
            )
        )
        books.tell(at, "payout.created", payout)

        def arrive(then: int) -> None:
            paid = books.payouts.put(replace(payout, status="paid"))
            books.tell(then, "payout.paid", paid)

        self._timeline.plan(payout.arrival, arrive)

    def pay_stripe(self, at: int, amount: int) -> None:
        """Pay Stripe's monthly fee out of the balance."""
        if amount > 0:
            self._move(at, None, "stripe_fee", -amount)

    def _charge(
        self, at: int, intent: Intent, status: str, decline: str | None = None
    ) -> Charge:
        books = self._books
        return books.charges.put(
            Charge(
                id=books.ids.new("py_" if intent.method != "card" else "ch_"),
                created=at,
                customer=books.customers[intent.customer],
                intent=intent.id,
                amount=intent.amount,
                method=intent.method,
                status=status,
                description=intent.description,
                decline=decline,
            )
        )

    def _clear(self, at: int, charge_id: str) -> None:
        books = self._books
        before = books.charges[charge_id]
        after = books.charges.put(replace(before, status="succeeded"))
        books.intents.put(replace(books.intents[before.intent], status="succeeded"))
        books.tell(at, "charge.succeeded", after)

    def _bounce(self, at: int, charge_id: str) -> None:
        books = self._books
        before = books.charges[charge_id]
        entry = self._move(at, charge_id, "payment_failure_refund", -before.amount)
        books.ledger.bounces.append(Entry(at, charge_id, before.amount))
        after = books.charges.put(
            replace(
                before,
                status="failed",
                decline="insufficient_funds",
                failure_transaction=entry.id,
            )
        )
        books.intents.put(
            replace(
                books.intents[before.intent],
                status="requires_payment_method",
                decline="insufficient_funds",
            )
        )
        books.tell(at, "charge.failed", after)

    def _move(
        self, at: int, source: str | None, what: str, amount: int, fee: int = 0
    ) -> Transaction:
        """Move the balance; `what` is the type, or the category of an adjustment."""
        incoming = what in {"charge", "payment"}
        adjusted = what in {"dispute", "dispute_reversal"}
        category = {
            "payment": "charge",
            "payment_failure_refund": "charge_failure",
            "stripe_fee": "fee",
        }.get(what, what)
        midnight = at - at % DAY
        return self._books.transactions.put(
            Transaction(
                id=self._books.ids.new("txn_"),
                created=at,
                available_on=midnight + _CLEARING + DAY if incoming else at,
                amount=amount,
                fee=fee,
                net=amount - fee,
                type="adjustment" if adjusted else what,
                category=category,
                source=source,
                description=_DESCRIPTIONS.get(what),
            )
        )


_DESCRIPTIONS = {
    "refund": "REFUND FOR CHARGE",
    "payout": "STRIPE PAYOUT",
    "stripe_fee": "Billing - Usage Fee",
    "dispute": "Chargeback withdrawal",
    "dispute_reversal": "Chargeback reversal",
    "payment_failure_refund": "REFUND FOR FAILED PAYMENT",
}
