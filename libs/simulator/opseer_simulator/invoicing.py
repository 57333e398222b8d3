"""Invoices: what is billed, when it is collected, how often it is tried again.

Amounts are minor units, times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import msgspec
from msgspec.structs import replace

from opseer_simulator.books import Books
from opseer_simulator.catalogue import discount_on, period_price
from opseer_simulator.payments import Payments
from opseer_simulator.records import Charge, Discount, Invoice, Item, Line, Subscription
from opseer_simulator.timeline import DAY, Deck, Timeline

NEVER = 4
"""Declines after which nobody tries again."""

_RETRY_AFTER_DAYS = {
    "day": (1, 2, 3),
    "week": (1, 2, 3),
    "month": (3, 5, 7),
    "year": (3, 5, 7),
}
_LEAST = 50


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A line to be: minor units before discount, of a state of the subscription."""

    amount: int
    text: str
    of: Subscription
    item: Item
    start: int
    end: int
    units: int
    proration: bool = False


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice to be, with Stripe's `billing_reason`."""

    sub: Subscription
    reason: str
    parts: tuple[Part, ...]

    @classmethod
    def full(
        cls, sub: Subscription, reason: str, items: tuple[Item, ...] | None = None
    ) -> Bill:
        """Bill the whole current period of some items, all unless told."""
        parts = tuple(
            Part(
                amount=rounded(period_price(item.plan, item.seats)),
                text=f"{item.seats} x {item.plan.nickname}",
                of=sub,
                item=item,
                start=item.period_start,
                end=item.period_end,
                units=item.seats,
            )
            for item in (sub.items if items is None else items)
            if not item.plan.metered
        )
        return cls(sub=sub, reason=reason, parts=parts)

    @classmethod
    def free(cls, sub: Subscription) -> Bill:
        """Bill nothing for a trial."""
        parts = tuple(
            Part(
                amount=0,
                text=f"Trial period for {item.plan.nickname}",
                of=sub,
                item=item,
                start=item.period_start,
                end=item.period_end,
                units=item.seats,
            )
            for item in sub.items
            if not item.plan.metered
        )
        return cls(sub=sub, reason="subscription_create", parts=parts)


def used(sub: Subscription, item: Item, units: int) -> Part:
    """Return the line of a metered item's period that is over."""
    return Part(
        amount=rounded(period_price(item.plan, units)),
        text=f"{units} x {item.plan.nickname}",
        of=sub,
        item=item,
        start=item.period_start,
        end=item.period_end,
        units=units,
    )


def rounded(amount: Fraction) -> int:
    """Return an amount as it is billed: to a whole minor unit, half up."""
    return int((2 * amount + 1) // 2)


class Invoicing:
    """Writes invoices and collects them.

    `on_final(at, invoice)`, `on_paid(at, subscription)`,
    `on_failed(at, subscription, last)` and `on_sale(at, charge)` are told what
    became of it.
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
        self._kept_open: set[str] = set()
        self._doomed: dict[str, int] = {}
        self.on_final: Callable[[int, Invoice], None]
        self.on_paid: Callable[[int, str], None]
        self.on_failed: Callable[[int, str, bool], None]
        self.on_sale: Callable[[int, Charge], None] = lambda _at, _charge: None

    def expect_declines(self, invoice_id: str, count: int) -> None:
        """Let the next tries for an invoice be declined."""
        self._declines[invoice_id] = count

    def draw_declines(self, invoice_id: str) -> None:
        """Let chance decide how a renewal's payment goes."""
        invoice = self._books.invoices[invoice_id]
        doom = self._doomed.pop(invoice.subscription, None)
        if doom is None and all(x.plan.interval == "day" for x in invoice.lines):
            # With a payment a day nobody would stay for long.
            doom = 0
        self._declines[invoice_id] = self._deck.draw() if doom is None else doom

    def doom_next(self, sub_id: str, count: int) -> None:
        """Let the next renewal of a subscription be declined so many times."""
        self._doomed[sub_id] = count

    def keep_open(self, sub_id: str) -> None:
        """Do not write off what a subscription owes after the last try."""
        self._kept_open.add(sub_id)

    def bill(self, at: int, bill: Bill) -> Invoice:
        """Write a draft invoice."""
        ids = self._books.ids
        customer = self._books.customers[bill.sub.customer]
        number = self._numbers.get(customer.id, 0) + 1
        self._numbers[customer.id] = number
        lines = self._lines(bill)
        return self._books.invoices.put(
            Invoice(
                id=ids.new("in_"),
                created=at,
                number=f"{customer.invoice_prefix}-{number:04d}",
                customer=customer,
                subscription=bill.sub.id,
                reason=bill.reason,
                lines=lines,
                total=sum(line.amount - line.discount for line in lines),
                status="draft",
                currency=bill.sub.currency,
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
                amount=sign * int(price_of(s) * left // whole),
                text=f"{word} {s.seats} x {s.plan.nickname}",
                of=s,
                item=s.items[0],
                start=at,
                end=s.period_end,
                units=s.seats,
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
        final = invoice.finalized_at is None
        invoice = replace(
            invoice, status="open", finalized_at=invoice.finalized_at or at
        )
        if invoice.total == 0:
            self._books.invoices.put(replace(invoice, status="paid", paid_at=at))
        else:
            self._try(at, invoice)
        if final:
            self.on_final(at, invoice)

    def _try(self, at: int, invoice: Invoice) -> None:
        if invoice.intent is None:
            intent = self._payments.open_intent(
                at, invoice.customer, invoice.total, _purpose(invoice)
            )
            invoice = replace(invoice, intent=intent.id)
        invoice = replace(invoice, attempts=invoice.attempts + 1)
        if self._declines.get(invoice.id, 0) > 0:
            self._declines[invoice.id] -= 1
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

    def write_off(self, at: int, invoice_id: str) -> None:
        """Give an invoice up that is not closed."""
        invoice = self._books.invoices[invoice_id]
        if invoice.status in {"draft", "open"}:
            self._books.invoices.put(
                replace(
                    invoice,
                    status="uncollectible",
                    finalized_at=invoice.finalized_at or at,
                    uncollectible_at=at,
                    next_attempt=None,
                )
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
        if last and invoice.subscription not in self._kept_open:
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

    def _lines(self, bill: Bill) -> tuple[Line, ...]:
        left: dict[str, int] = {}
        return tuple(self._line(part, left) for part in bill.parts)

    def _line(self, part: Part, left: dict[str, int]) -> Line:
        """Write a line; `left` is what amounts off have still to take."""
        own = self._books.customers[part.of.customer].discount
        customers = () if own is None else (own,)
        taken: list[tuple[str, int]] = []
        rest = abs(part.amount)
        for discount in (*part.item.discounts, *(part.of.discounts or customers)):
            off = _taken(discount, rest, part, left)
            rest -= off
            taken.append((discount.id, off if part.amount > 0 else -off))
        return Line(
            id=self._books.ids.new("il_"),
            amount=part.amount,
            discounts=tuple(taken),
            description=part.text,
            item=part.item.id,
            plan=part.item.plan,
            seats=part.units,
            period_start=part.start,
            period_end=part.end,
            proration=part.proration,
        )


def _taken(discount: Discount, rest: int, part: Part, left: dict[str, int]) -> int:
    """Return what a discount takes off `rest` of a line."""
    coupon = discount.coupon
    if coupon.amount_off is None:
        return discount_on(rest, coupon)
    if part.proration:
        return 0
    off = min(rest, left.get(discount.id, coupon.amount_off))
    left[discount.id] = left.get(discount.id, coupon.amount_off) - off
    return off


def price_of(sub: Subscription) -> Fraction:
    """Return what the first item costs for one period."""
    return period_price(sub.plan, sub.seats)


def _purpose(invoice: Invoice) -> str:
    return {
        "subscription_create": "Subscription creation",
        "subscription_cycle": "Subscription update",
    }.get(invoice.reason, "Subscription update")
