"""The company's Stripe sales as RevenueCat shows them when both are linked.

The same money twice: what is sold on Stripe stands in RevenueCat too, as store=stripe.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from opseer_simulator.channels.ledger import ChannelLedger, Refund, Sale, Step, Worth
from opseer_simulator.channels.rates import Rates
from opseer_simulator.ledger import Ledger
from opseer_simulator.ledger import Worth as StripeWorth
from opseer_simulator.revenuecat.app import (
    CHANGE,
    DIRECT,
    ONE_TIME,
    Product,
    Purchase,
)

STRIPE = "stripe"

_SALE = Product("web_sale", {})
_PLAN = Product("web_plan", {}, months=1, monthly=Fraction(1))


def web_purchases(ledger: Ledger, rates: Rates) -> Iterator[Purchase]:
    """Yield Stripe's money and subscriptions as purchases.

    Money taken is a purchase without time and money given back one of less than
    nothing; a time in which a subscription was worth the same is a free period.
    """
    for sale in ledger.sales:
        usd = sale.amount * rates.at(sale.currency, sale.at)
        yield _money(sale.id, sale.at, sale.amount, usd)
    for refund in ledger.refunds:
        usd = refund.amount * rates.at(refund.currency, refund.at)
        money = _money(refund.id, refund.at, 0, Fraction(0))
        money.refunded_at, money.refunded_usd = refund.at, usd
        yield money
    latest: dict[str, Purchase] = {}
    for worth in ledger.worths:
        before = latest.pop(worth.subscription, None)
        if before is not None:
            before.ends = worth.at
            yield before
        if worth.monthly:
            kind = DIRECT if before is None else CHANGE
            latest[worth.subscription] = _time(worth, rates, kind)
    yield from latest.values()


def web_ledger(ledger: Ledger, rates: Rates) -> ChannelLedger:
    """Return the same in the ledger's words, for the truth."""
    web = ChannelLedger()
    for sale in ledger.sales:
        usd = sale.amount * rates.at(sale.currency, sale.at)
        web.sales.append(
            Sale(sale.at, sale.id, sale.amount, sale.currency, usd, STRIPE)
        )
    for refund in ledger.refunds:
        usd = refund.amount * rates.at(refund.currency, refund.at)
        sold = Sale(refund.at, refund.id, 0, refund.currency, Fraction(0), STRIPE)
        web.refunds.append(Refund(refund.at, sold, refund.amount, usd))
    standing: dict[str, Fraction] = {}
    for worth in ledger.worths:
        before = standing.get(worth.subscription, Fraction(0))
        standing[worth.subscription] = worth.monthly
        usd = worth.monthly * rates.at(worth.currency, worth.at)
        at, sub_id = worth.at, worth.subscription
        if before:
            web.steps.append(Step(at, "ended", sub_id, STRIPE))
        if worth.monthly:
            web.steps.append(Step(at, "began_to_pay", sub_id, STRIPE))
        web.worths.append(Worth(at, sub_id, worth.monthly, worth.currency, usd, STRIPE))
    return web


def _money(sale_id: str, at: int, amount: int, usd: Fraction) -> Purchase:
    return Purchase(
        id=sale_id,
        subscription="",
        customer="web",
        product=_SALE,
        kind=ONE_TIME,
        at=at,
        ends=None,
        currency="usd",
        amount=amount,
        usd=usd,
        place=STRIPE,
    )


def _time(worth: StripeWorth, rates: Rates, kind: str) -> Purchase:
    return Purchase(
        id=f"{worth.subscription}:{worth.at}",
        subscription=worth.subscription,
        customer=worth.customer,
        product=_PLAN,
        kind=kind,
        at=worth.at,
        ends=None,
        currency=worth.currency,
        amount=0,
        usd=worth.monthly * rates.at(worth.currency, worth.at),
        place=STRIPE,
    )
