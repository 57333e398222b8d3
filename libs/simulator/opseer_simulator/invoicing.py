"""Invoices: what is billed, when it is collected, how often it is tried again.

Amounts are US cents, times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import discount_on
from opseer_simulator.payments import Payments
from opseer_simulator.records import Charge, Invoice, Line, Subscription
from opseer_simulator.timeline import DAY, Deck, Timeline

NEVER = 4
"""Declines after which nobody tries again."""

_RETRY_AFTER_DAYS = {"week": (1, 2, 3), "month": (3, 5, 7), "year": (3, 5, 7)}
_LEAST = 50


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A line to be: cents before discount, of a state of the subscription."""

    amount: int
    text: str
    of: Subscription
    start: int
    proration: bool = False


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice to be, with Stripe's `billing_reason`."""

    sub: Subscription
    reason: str
    parts: tuple[Part, ...]

    @classmethod
    def full(cls, sub: Subscription, reason: str) -> Bill:
        """Bill the whole current period."""
        amount = sub.plan.unit_amount * sub.seats
        text = f"{sub.seats} x {sub.plan.nickname}"
        part = Part(amount=amount, text=text, of=sub, start=sub.period_start)
        return cls(sub=sub, reason=reason, parts=(part,))

    @classmethod
    def free(cls, sub: Subscription) -> Bill:
        """Bill nothing for a trial."""
        text = f"Trial period for {sub.plan.nickname}"
        part = Part(amount=0, text=text, of=sub, start=sub.period_start)
        return cls(sub=sub, reason="subscription_create", parts=(part,))


class Invoicing:
    """Writes invoices and collects them.

    `on_paid(at, subscription)`, `on_failed(at, subscription, last)` and
    `on_sale(at, charge)` are told what became of it.
    """

    def __init__(
        self, books: Books, timeline: Timeline, payments: Payments, deck: Deck[int]
    ) -> None:
        self._books = books
        self._timeline = timeline
        self._payments = payments
        self._deck = deck
        self._declines: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self.on_paid: Callable[[int, str], None]
        self.on_failed: Callable[[int, str, bool], None]
        self.on_sale: Callable[[int, Charge], None] = lambda _at, _charge: None

    def expect_declines(self, invoice_id: str, count: int) -> None:
        """Let the next tries for an invoice be declined."""
        self._declines[invoice_id] = count

    def draw_declines(self, invoice_id: str) -> None:
        """Let chance decide how a renewal's payment goes."""
        self._declines[invoice_id] = self._deck.draw()

    def bill(self, at: int, bill: Bill) -> Invoice:
        """Write a draft invoice."""
        ids = self._books.ids
        customer = self._books.customers[bill.sub.customer]
        number = self._numbers.get(customer.id, 0) + 1
        self._numbers[customer.id] = number
        lines = tuple(self._line(part) for part in bill.parts)
        return self._books.invoices.put(
            Invoice(
                id=ids.new("in_"),
                created=at,
                number=f"{customer.invoice_prefix}-{number:04d}",
                customer=customer,
                subscription=bill.sub.id,
                item=bill.sub.item,
                reason=bill.reason,
                lines=lines,
                total=sum(line.amount - line.discount for line in lines),
                status="draft",
            )
        )

    def prorate(
        self, at: int, before: Subscription, after: Subscription
    ) -> Invoice | None:
        """Bill the dearer rest of the period; None where cheaper or too little."""
        left = before.period_end - at
        whole = before.period_end - before.period_start
        parts = tuple(
            Part(
                amount=sign * ((s.plan.unit_amount * s.seats * left) // whole),
                text=f"{word} {s.seats} x {s.plan.nickname}",
                of=s,
                start=at,
                proration=True,
            )
            for s, sign, word in (
                (before, -1, "Unused time on"),
                (after, 1, "Remaining time on"),
            )
        )
        if sum(part.amount for part in parts) < 2 * _LEAST:
            return None
        return self.bill(at, Bill(sub=after, reason="subscription_update", parts=parts))

    def collect(self, at: int, invoice_id: str) -> None:
        """Finalise an invoice and try to collect it; one that is closed is left."""
        invoice = self._books.invoices[invoice_id]
        if invoice.status not in {"draft", "open"}:
            return
        invoice = replace(
            invoice, status="open", finalized_at=invoice.finalized_at or at
        )
        if invoice.total == 0:
            self._books.invoices.put(replace(invoice, status="paid", paid_at=at))
            return
        if invoice.intent is None:
            intent = self._payments.open_intent(
                at, invoice.customer, invoice.total, _purpose(invoice)
            )
            invoice = replace(invoice, intent=intent.id)
        invoice = replace(invoice, attempts=invoice.attempts + 1)
        if self._declines.get(invoice_id, 0) > 0:
            self._declines[invoice_id] -= 1
            self._not_paid(at, invoice)
        else:
            self._settle(at, invoice)

    def void(self, at: int, invoice_id: str) -> None:
        """Void an invoice that is not closed."""
        invoice = self._books.invoices[invoice_id]
        if invoice.status in {"draft", "open"}:
            self._books.invoices.put(
                replace(invoice, status="void", voided_at=at, next_attempt=None)
            )

    def _settle(self, at: int, invoice: Invoice) -> None:
        invoice = self._books.invoices.put(
            replace(invoice, status="paid", paid_at=at, next_attempt=None)
        )
        charge = self._payments.take(at, self._books.intents[invoice.intent or ""])
        self._books.tell(at, "invoice.paid", invoice)
        self.on_paid(at, invoice.subscription)
        self.on_sale(at, charge)

    def _not_paid(self, at: int, invoice: Invoice) -> None:
        retries = _RETRY_AFTER_DAYS[invoice.lines[-1].plan.interval or "month"]
        first = invoice.reason == "subscription_create"
        last = invoice.attempts > len(retries)
        retry_at = None
        if not first and not last:
            retry_at = at + retries[invoice.attempts - 1] * DAY
        if last:
            invoice = replace(invoice, status="uncollectible", uncollectible_at=at)
        invoice = self._books.invoices.put(replace(invoice, next_attempt=retry_at))
        codes = ("insufficient_funds", "generic_decline", "do_not_honor")
        self._payments.decline(
            at,
            self._books.intents[invoice.intent or ""],
            codes[invoice.attempts % len(codes)],
        )
        self._books.tell(at, "invoice.payment_failed", invoice)
        if retry_at is not None:
            self._timeline.plan(retry_at, lambda then: self.collect(then, invoice.id))
        if not first:
            self.on_failed(at, invoice.subscription, last)

    def _line(self, part: Part) -> Line:
        sub = part.of
        coupon = sub.discount.coupon if sub.discount else None
        taken = abs(discount_on(abs(part.amount), coupon))
        return Line(
            id=self._books.ids.new("il_"),
            amount=part.amount,
            discount=taken if part.amount > 0 else -taken,
            discount_id=sub.discount.id if sub.discount else None,
            description=part.text,
            plan=sub.plan,
            seats=sub.seats,
            period_start=part.start,
            period_end=sub.period_end,
            proration=part.proration,
        )


def _purpose(invoice: Invoice) -> str:
    return {
        "subscription_create": "Subscription creation",
        "subscription_cycle": "Subscription update",
    }.get(invoice.reason, "Subscription update")
