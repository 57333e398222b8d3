"""From records to JSON: one door for every kind, and events with what they changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from opseer_simulator import (
    billing_objects,
    charge_objects,
    objects,
    price_objects,
)
from opseer_simulator.books import Books
from opseer_simulator.catalogue import Plan, Product
from opseer_simulator.event_shapes import (
    BASIL,
    previous_attributes,
    shaped,
    version_for,
)
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

API_VERSION = BASIL

__all__ = ["API_VERSION", "View", "previous_attributes", "render"]

_WITH_MODE: dict[type, Callable[..., Json]] = {
    Charge: charge_objects.charge,
    Discount: price_objects.discount,
    Dispute: objects.dispute,
    Intent: objects.intent,
    Invoice: billing_objects.invoice,
    Payout: objects.payout,
    Plan: price_objects.price,
    Subscription: billing_objects.subscription,
}


class View(msgspec.Struct, frozen=True):
    """How an account is seen: its mode, and the version its events are shown in."""

    livemode: bool
    event_version: str = API_VERSION


def render(
    record: Any,
    books: Books,
    now: int,
    view: View | None = None,
    *,
    livemode: bool = False,
) -> Json:
    """Return any record as the API shows it at a unix second."""
    view = view or View(livemode)
    show = _WITH_MODE.get(type(record))
    if show is not None:
        return show(record, livemode=view.livemode)
    match record:
        case Transaction():
            return objects.transaction(record, available=record.available_on <= now)
        case Customer():
            discount = _discount(record.discount, view)
            return objects.customer(record, discount, livemode=view.livemode)
        case Refund():
            return objects.refund(record)
        case Product():
            prices = [p.id for p in books.plans.all() if p.product == record.id]
            return price_objects.product(record, prices[0], livemode=view.livemode)
        case Event():
            return _event(record, books, now, view)
        case _:
            raise TypeError(type(record))


def _discount(record: Discount | None, view: View) -> Json | None:
    if record is None:
        return None
    return price_objects.discount(record, livemode=view.livemode)


def _event(record: Event, books: Books, now: int, view: View) -> Json:
    def resolve(discount_id: str) -> Json | None:
        return _discount(books.discounts.get(discount_id), view)

    states = [render(record.after, books, now, view)]
    if record.before is not None:
        states.append(render(record.before, books, now, view))
    version = version_for(view.event_version, *states)
    shown = [shaped(state, version, resolve) for state in states]
    data: Json = {"object": shown[0]}
    if record.before is not None:
        data["previous_attributes"] = previous_attributes(shown[1], shown[0])
    request = (
        "req_" + record.id.removeprefix("evt_")[:14] if record.by_request else None
    )
    return {
        "id": record.id,
        "object": "event",
        "api_version": version,
        "created": record.created,
        "data": data,
        "livemode": view.livemode,
        "pending_webhooks": 0,
        "request": {"id": request, "idempotency_key": None},
        "type": record.type,
    }
