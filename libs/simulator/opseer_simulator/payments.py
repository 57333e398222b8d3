"""Taking money, giving it back, losing disputes. Amounts are minor units."""

from __future__ import annotations

from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.fx import Exchange, changed
from opseer_simulator.ledger import Entry, PaidRate
from opseer_simulator.records import (
    Charge,
    Customer,
    Dispute,
    Intent,
    Refund,
    Transaction,
)
from opseer_simulator.timeline import DAY, Timeline
from opseer_simulator.treasury import Treasury

DISPUTE_FEE = 1500
DEBIT_FEE = 80


def card_fee(amount: int) -> int:
    """Return the fee for a card payment: 2.9 % and 30 cents, rounded half up."""
    return (amount * 29 + 500) // 1000 + 30


class Payments:
    """Moves money and writes it down in the ledger and on the shelves at once."""

    def __init__(
        self, books: Books, timeline: Timeline, treasury: Treasury, exchange: Exchange
    ) -> None:
        self._books = books
        self._timeline = timeline
        self._treasury = treasury
        self._exchange = exchange

    def open_intent(
        self, at: int, customer: Customer, amount: int, what: str, method: str = "card"
    ) -> Intent:
        """Begin a payment in the customer's currency; nothing is taken yet."""
        return self._books.intents.put(
            Intent(
                id=self._books.ids.new("pi_"),
                created=at,
                customer=customer.id,
                amount=amount,
                method=method,
                status="requires_payment_method",
                description=what,
                currency=customer.currency,
            )
        )

    def take(self, at: int, intent: Intent) -> Charge:
        """Take the money by card."""
        charge = self._charge(at, intent, "succeeded")
        charge = self._earn(at, charge, "charge", charge.amount)
        intent = self._books.intents.put(
            replace(
                intent,
                status="succeeded",
                latest_charge=charge.id,
                decline=None,
                received=intent.amount,
            )
        )
        self._books.tell(at, "charge.succeeded", charge)
        self._books.tell(at, "payment_intent.succeeded", intent)
        return charge

    def authorise(self, at: int, intent: Intent) -> Charge:
        """Have a card promise the money; no balance transaction comes of it yet."""
        charge = self._books.charges.put(
            replace(self._charge(at, intent, "succeeded"), captured=0)
        )
        self._books.intents.put(
            replace(
                intent, status="requires_capture", manual=True, latest_charge=charge.id
            )
        )
        return charge

    def capture(self, at: int, charge_id: str, amount: int) -> None:
        """Take part or all of a promised amount; the rest is let go."""
        books = self._books
        before = books.charges[charge_id]
        after = replace(before, captured=amount, refunded=before.amount - amount)
        after = self._earn(at, after, "charge", amount)
        rest = before.amount - amount
        if rest:
            moved = self._convert(at, after, "partial_capture_reversal", -rest)
            entry = Entry(at, charge_id, -moved.amount, moved.currency)
            books.ledger.uncaptured.append(entry)
        intent = books.intents[before.intent]
        books.intents.put(replace(intent, status="succeeded", received=amount))
        books.tell(at, "charge.captured", after, by_request=True)

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
        charge = self._earn(at, charge, "payment", charge.amount)
        books.intents.put(replace(intent, status="processing", latest_charge=charge.id))
        books.tell(at, "charge.pending", charge)
        settle = self._clear if clears else self._bounce
        self._timeline.plan(at + 4 * DAY, lambda then: settle(then, charge.id))
        return charge

    def refund(
        self, at: int, charge_id: str, amount: int | None = None, *, fails: bool = False
    ) -> None:
        """Give money back, all that is left unless told; a disputed charge is left.

        One that fails comes back a week later.
        """
        books = self._books
        before = books.charges[charge_id]
        left = before.amount - before.refunded
        amount = left if amount is None else min(amount, left)
        if before.status != "succeeded" or before.disputed or amount <= 0:
            return
        refund_id = books.ids.new("re_")
        entry = self._convert(at, before, "refund", -amount, source=refund_id)
        books.ledger.refunds.append(Entry(at, refund_id, -entry.amount, entry.currency))
        refund = books.refunds.put(
            Refund(
                id=refund_id,
                created=at,
                charge=charge_id,
                intent=before.intent,
                amount=amount,
                transaction=entry.id,
                customer=before.customer.id,
                currency=before.currency,
            )
        )
        after = books.charges.put(
            replace(
                before,
                refunded=before.refunded + amount,
                refunds=(refund, *before.refunds),
            )
        )
        books.tell(at, "charge.refunded", after, before, by_request=True)
        if fails:
            self._timeline.plan(
                at + 7 * DAY, lambda then: self._return(then, refund, entry)
            )

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
                self._convert(
                    at,
                    charge,
                    "dispute",
                    -charge.amount,
                    source=dispute_id,
                    fee=DISPUTE_FEE,
                ),
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
                currency=charge.currency,
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
                gone = moved[0]
                moved += (
                    self._treasury.move(
                        at,
                        dispute.id,
                        "dispute_reversal",
                        -gone.amount,
                        currency=gone.currency,
                        rate=gone.rate and self._exchange.last(dispute.currency),
                    ),
                )
            closed = books.disputes.put(
                replace(dispute, status="won" if won else "lost", transactions=moved)
            )
            books.tell(at, "charge.dispute.closed", closed)

    def close_inquiry(self, at: int, charge_id: str) -> None:
        """A question at the bank is settled without money."""
        for dispute in self._books.disputes.all():
            if dispute.charge == charge_id and not dispute.transactions:
                closed = replace(dispute, status="warning_closed")
                self._books.disputes.put(closed)
                self._books.tell(at, "charge.dispute.closed", closed)

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
                currency=intent.currency,
                balance=self._exchange.balance_of(intent.currency, at),
                decline=decline,
            )
        )

    def _earn(self, at: int, charge: Charge, what: str, captured: int) -> Charge:
        """Enter a payment of all of a charge, with the fee of what was captured."""
        rate = None
        if charge.currency != charge.balance:
            rate = self._exchange.pay(charge.currency, at)
            self._books.ledger.rates.append(
                PaidRate(at, charge.currency, charge.balance, rate)
            )
        fee = card_fee(changed(captured, rate)) if what == "charge" else DEBIT_FEE
        entry = self._treasury.move(
            at,
            charge.id,
            what,
            changed(charge.amount, rate),
            fee=fee,
            currency=charge.balance,
            rate=rate,
        )
        self._books.ledger.sales.append(
            Entry(at, charge.id, entry.amount, entry.currency)
        )
        return self._books.charges.put(replace(charge, transaction=entry.id))

    def _convert(
        self,
        at: int,
        charge: Charge,
        what: str,
        amount: int,
        *,
        source: str | None = None,
        fee: int = 0,
    ) -> Transaction:
        """Move an amount of a charge's currency at the rate of the latest payment."""
        rate = None
        if charge.currency != charge.balance:
            rate = self._exchange.last(charge.currency)
        return self._treasury.move(
            at,
            source or charge.id,
            what,
            changed(amount, rate),
            fee=fee,
            currency=charge.balance,
            rate=rate,
        )

    def _return(self, at: int, refund: Refund, gone: Transaction) -> None:
        """A refund did not reach its receiver: the money is back."""
        books = self._books
        before = books.charges[refund.charge]
        rate = gone.rate and self._exchange.last(refund.currency)
        amount = changed(refund.amount, rate)
        entry = self._treasury.move(
            at, refund.id, "refund_failure", amount, currency=gone.currency, rate=rate
        )
        books.ledger.returned.append(Entry(at, refund.id, amount, gone.currency))
        failed = books.refunds.put(replace(refund, status="failed", failure=entry.id))
        books.charges.put(
            replace(
                before,
                refunded=before.refunded - refund.amount,
                refunds=tuple(
                    failed if r.id == refund.id else r for r in before.refunds
                ),
            )
        )
        books.tell(at, "refund.failed", failed)

    def _clear(self, at: int, charge_id: str) -> None:
        books = self._books
        before = books.charges[charge_id]
        after = books.charges.put(replace(before, status="succeeded"))
        intent = books.intents[before.intent]
        books.intents.put(replace(intent, status="succeeded", received=intent.amount))
        books.tell(at, "charge.succeeded", after)

    def _bounce(self, at: int, charge_id: str) -> None:
        books = self._books
        before = books.charges[charge_id]
        entry = self._convert(at, before, "payment_failure_refund", -before.amount)
        books.ledger.bounces.append(Entry(at, charge_id, -entry.amount, entry.currency))
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
