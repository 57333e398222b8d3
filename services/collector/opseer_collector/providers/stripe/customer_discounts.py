"""Events of discounts: what no event of a subscription tells.

Those on the customer apply to subscriptions without one of their own (source: Stripe
API, "Discount"). Of those on a subscription or item, the end alone is looked at: they
may be over before anything is read, and no list has them then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from opseer_collector.providers.stripe.merge import deep_merge
from opseer_collector.providers.stripe.prices import told_discount
from opseer_collector.providers.stripe.shapes import Node, node
from opseer_common.contracts.subscription import (
    Discount,
    Subscription,
    SubscriptionChange,
)

_PREFIX = "customer.discount."


def changes_of(
    event: Mapping[str, object],
    position: int,
    subscriptions: Mapping[str, Sequence[Subscription]],
    coupons: Mapping[str, object],
) -> Iterator[SubscriptionChange]:
    """Yield a change for each subscription that a discount is about.

    `subscriptions` are by customer; also what ended by then may have had what is taken
    away. Nothing for events of other kinds. Raises ShapeError.
    """
    source = node(event, "event")
    data = source.opt_node("data")
    shown = None if data is None else data.opt_node("object")
    if not source.text("type").startswith(_PREFIX) or data is None or shown is None:
        return
    at = source.integer("created")
    told = tuple(_discounts(source.text("type"), at, shown, data, coupons))
    kind = "customer_discount"
    if shown.has("subscription") or shown.has("subscription_item"):
        if not source.text("type").endswith(".deleted"):
            return
        kind = "discount_ended"
    for one in subscriptions.get(shown.opt_reference("customer") or "", ()):
        after = _with_told(one, shown, told)
        if after is not None:
            yield SubscriptionChange(
                event_id=f"{source.text('id')}:{one.id}",
                subscription_id=one.id,
                at=at,
                position=position,
                kind=kind,
                before=None,
                after=after,
            )


def _with_told(
    one: Subscription, shown: Node, told: tuple[Discount, ...]
) -> Subscription | None:
    """Return a state with what is told where it stands, None where it is another's."""
    on, item_on = shown.opt_text("subscription"), shown.opt_text("subscription_item")
    if on is None and item_on is None:
        return msgspec.structs.replace(one, customer_discounts=told)
    if (on or one.id) != one.id:
        return None
    if item_on is not None and item_on not in {item.id for item in one.items}:
        return None
    return msgspec.structs.replace(
        one,
        discounts=told if item_on is None else (),
        items=tuple(
            msgspec.structs.replace(item, discounts=told if item.id == item_on else ())
            for item in one.items
        ),
    )


def by_customer(
    states: Iterable[Subscription],
) -> dict[str, list[Subscription]]:
    """Return the last state of each subscription, by customer."""
    last = {state.id: state for state in states}
    found: dict[str, list[Subscription]] = {}
    for state in last.values():
        found.setdefault(state.customer, []).append(state)
    return found


def _discounts(
    kind: str, at: int, shown: Node, data: Node, coupons: Mapping[str, object]
) -> Iterator[Discount]:
    """Yield what an event tells: what came with its start, what went with its end."""
    found = told_discount(shown, coupons)
    if kind == f"{_PREFIX}deleted":
        yield _until(found, at)
        return
    previous = data.opt_node("previous_attributes")
    if kind == f"{_PREFIX}updated" and previous is not None:
        earlier = node(deep_merge(shown.fields, previous.fields), shown.path)
        before = told_discount(earlier, coupons)
        if _terms(before) != _terms(found):
            yield _until(before, at)
            found = msgspec.structs.replace(found, start=at)
    yield found


def _until(discount: Discount, at: int) -> Discount:
    end = at if discount.end is None else min(at, discount.end)
    return msgspec.structs.replace(discount, end=end)


def _terms(discount: Discount) -> Discount:
    return msgspec.structs.replace(discount, start=None, end=None)
