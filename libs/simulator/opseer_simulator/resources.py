"""Which lists the API has, who may read them and how they are narrowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from opseer_simulator.catalogue import Plan, Product
from opseer_simulator.records import (
    Charge,
    Dispute,
    Event,
    Intent,
    Invoice,
    Payout,
    Refund,
    Subscription,
)
from opseer_simulator.refusals import bad_parameter

Narrow = Callable[[Any, str], bool]
"""Whether a record passes a filter's value."""


class Permission(msgspec.Struct, frozen=True):
    """A right of a restricted key: Stripe's name of it and its title."""

    right: str
    title: str


PERMISSIONS = {
    "balance": Permission("balance_read", "Balance"),
    "balance_transaction_source": Permission(
        "balance_transaction_source_read", "Balance Transaction Sources"
    ),
    "charges_and_refunds": Permission("charge_read", "Charges and Refunds"),
    "customers": Permission("customer_read", "Customers"),
    "disputes": Permission("dispute_read", "Disputes"),
    "events": Permission("event_read", "Events"),
    "payment_intents": Permission("payment_intent_read", "PaymentIntents"),
    "payouts": Permission("payout_read", "Payouts"),
    "products": Permission("product_read", "Products"),
    "invoices": Permission("invoice_read", "Invoices"),
    "prices": Permission("plan_read", "Prices"),
    "subscriptions": Permission("subscription_read", "Subscriptions"),
}


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A list: its name in messages, its permission, its shelf, its filters.

    `ranges` are hashes of bounds beside `created`: the field of the record by name.
    """

    noun: str
    prefix: str
    permission: str
    shelf: str
    filters: dict[str, Narrow] = {}
    ranges: dict[str, str] = {}


def _customer_of(record: Any) -> str:
    return record.customer if isinstance(record.customer, str) else record.customer.id


def _by_customer(record: Charge | Intent | Invoice | Subscription, value: str) -> bool:
    return _customer_of(record) == value


def _by_charge(record: Refund | Dispute, value: str) -> bool:
    return record.charge == value


def _by_intent(record: Charge | Refund | Dispute, value: str) -> bool:
    return record.intent == value


def _by_status(record: Invoice | Payout, value: str) -> bool:
    return record.status == value


def _subscription_status(record: Subscription, value: str) -> bool:
    if value == "all":
        return True
    if value == "ended":
        return record.status in {"canceled", "incomplete_expired"}
    if value not in _STATUSES:
        raise bad_parameter(f"Invalid status: must be one of {_STATUSES}", "status")
    return record.status == value


_STATUSES = [
    "active",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
]


def event_type(record: Event, value: str) -> bool:
    """Return whether an event is of a type; `*` at the end stands for anything."""
    if value.endswith("*"):
        return record.type.startswith(value[:-1])
    return record.type == value


def _active(record: Product | Plan, value: str) -> bool:
    active = record.active if isinstance(record, Plan) else True
    return (value == "true") == active


_money: dict[str, Narrow] = {
    "type": lambda r, v: r.type == v,
    "currency": lambda r, v: r.currency == v,
    "source": lambda r, v: r.source == v,
}

RESOURCES: dict[str, Resource] = {
    "balance_transactions": Resource(
        noun="balance transaction",
        prefix="txn_",
        permission="balance_transaction_source",
        shelf="transactions",
        filters=_money,
    ),
    "charges": Resource(
        noun="charge",
        prefix="ch_",
        permission="charges_and_refunds",
        shelf="charges",
        filters={"customer": _by_customer, "payment_intent": _by_intent},
    ),
    "refunds": Resource(
        noun="refund",
        prefix="re_",
        permission="charges_and_refunds",
        shelf="refunds",
        filters={"charge": _by_charge, "payment_intent": _by_intent},
    ),
    "disputes": Resource(
        noun="dispute",
        prefix="dp_",
        permission="disputes",
        shelf="disputes",
        filters={"charge": _by_charge, "payment_intent": _by_intent},
    ),
    "customers": Resource(
        noun="customer",
        prefix="cus_",
        permission="customers",
        shelf="customers",
        filters={"email": lambda r, v: r.email == v},
    ),
    "events": Resource(
        noun="event",
        prefix="evt_",
        permission="events",
        shelf="events",
        filters={"type": event_type},
    ),
    "payment_intents": Resource(
        noun="payment_intent",
        prefix="pi_",
        permission="payment_intents",
        shelf="intents",
        filters={"customer": _by_customer},
    ),
    "payouts": Resource(
        noun="payout",
        prefix="po_",
        permission="payouts",
        shelf="payouts",
        filters={"status": _by_status},
        ranges={"arrival_date": "arrival"},
    ),
    "products": Resource(
        noun="product",
        prefix="prod_",
        permission="products",
        shelf="products",
        filters={"active": _active},
    ),
    "invoices": Resource(
        noun="invoice",
        prefix="in_",
        permission="invoices",
        shelf="invoices",
        filters={
            "customer": _by_customer,
            "status": _by_status,
            "subscription": lambda r, v: r.subscription == v,
            "collection_method": lambda _, v: v == "charge_automatically",
        },
    ),
    "prices": Resource(
        noun="price",
        prefix="price_",
        permission="prices",
        shelf="plans",
        filters={
            "active": _active,
            "currency": lambda r, v: r.currency == v,
            "product": lambda r, v: r.product == v,
            "type": lambda r, v: (v == "recurring") == (r.interval is not None),
        },
    ),
    "subscriptions": Resource(
        noun="subscription",
        prefix="sub_",
        permission="subscriptions",
        shelf="subscriptions",
        filters={
            "customer": _by_customer,
            "price": lambda r, v: any(item.plan.id == v for item in r.items),
            "status": _subscription_status,
            "collection_method": lambda _, v: v == "charge_automatically",
        },
    ),
}
