"""From records to JSON: one door for every kind, and events with what they changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opseer_simulator import billing_objects, charge_objects, objects
from opseer_simulator.books import Books
from opseer_simulator.catalogue import Plan, Product
from opseer_simulator.objects import Json
from opseer_simulator.records import (
    Charge,
    Customer,
    Discount,
    Dispute,
    Event,
    Intent,
    Invoice,
    Payout,
    Refund,
    Subscription,
    Transaction,
)

API_VERSION = "2025-08-27.basil"

_WITH_MODE: dict[type, Callable[..., Json]] = {
    Charge: charge_objects.charge,
    Customer: objects.customer,
    Discount: billing_objects.discount,
    Dispute: objects.dispute,
    Intent: objects.intent,
    Invoice: billing_objects.invoice,
    Payout: objects.payout,
    Plan: billing_objects.price,
    Subscription: billing_objects.subscription,
}


def render(record: Any, books: Books, now: int, *, livemode: bool) -> Json:
    """Return any record as the API shows it at a unix second."""
    show = _WITH_MODE.get(type(record))
    if show is not None:
        return show(record, livemode=livemode)
    match record:
        case Transaction():
            return objects.transaction(record, available=record.available_on <= now)
        case Refund():
            return objects.refund(record)
        case Product():
            prices = [p.id for p in books.plans.all() if p.product == record.id]
            return billing_objects.product(record, prices[0], livemode=livemode)
        case Event():
            return _event(record, books, now, livemode=livemode)
        case _:
            raise TypeError(type(record))


def _event(record: Event, books: Books, now: int, *, livemode: bool) -> Json:
    after = render(record.after, books, now, livemode=livemode)
    data: Json = {"object": after}
    if record.before is not None:
        before = render(record.before, books, now, livemode=livemode)
        data["previous_attributes"] = previous_attributes(before, after)
    request = (
        "req_" + record.id.removeprefix("evt_")[:14] if record.by_request else None
    )
    return {
        "id": record.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": record.created,
        "data": data,
        "livemode": livemode,
        "pending_webhooks": 0,
        "request": {"id": request, "idempotency_key": None},
        "type": record.type,
    }


def previous_attributes(before: Json, after: Json) -> Json:
    """Return what changed as it was: objects in part, arrays whole."""
    changed: Json = {}
    for key, now in after.items():
        was = before.get(key)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            changed[key] = previous_attributes(was, now)
        else:
            changed[key] = was
    return changed
