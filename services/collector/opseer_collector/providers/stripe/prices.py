"""Stripe's prices, plans, tiers and discounts, of any API version, made into ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from opseer_collector.providers.stripe.shapes import Node, ShapeError, node
from opseer_common.contracts.subscription import Discount, Price, Tier

_INTERVALS = frozenset({"day", "week", "month", "year"})
_HUNDRED = Decimal(100)
# The fields on the way to a coupon, from an event or a subscription.
_COUPON_HOLDERS = frozenset(
    {"customer", "data", "discount", "discounts", "items", "object", "source"}
)


def _amount(source: Node, name: str) -> str | None:
    """Return an amount; the decimal twin is the exact one and goes first."""
    exact = source.opt_decimal(f"{name}_decimal")
    return exact if exact is not None else source.opt_decimal(name)


def tiers_of(source: Node) -> tuple[Tier, ...] | None:
    """Return the tiers written in a price or plan, None where there are none."""
    tiers = tuple(
        Tier(
            up_to=tier.opt_integer("up_to"),
            unit_amount=_amount(tier, "unit_amount") or _amount(tier, "amount") or "0",
            flat_amount=_amount(tier, "flat_amount") or "0",
        )
        for tier in source.nodes("tiers")
    )
    return tiers or None


def tiers_index(
    prices: Iterable[Mapping[str, object]],
) -> dict[str, tuple[Tier, ...]]:
    """Return the tiers of each tiered price by its id, as the price list has them."""
    index = {}
    for number, fields in enumerate(prices):
        price = node(fields, f"prices[{number}]")
        tiers = tiers_of(price)
        if tiers is not None:
            index[price.text("id")] = tiers
    return index


def _interval(source: Node) -> tuple[str, int]:
    """Return the interval and its count; ShapeError for unknown or impossible ones."""
    interval = source.text("interval")
    if interval not in _INTERVALS:
        raise ShapeError(source.at("interval"), "day, week, month or year")
    count = source.opt_integer("interval_count")
    if count is None:
        return interval, 1
    if count < 1:
        raise ShapeError(source.at("interval_count"), "one or more")
    return interval, count


def _divisor(source: Node, name: str) -> tuple[int | None, str | None]:
    """Return `divide_by` and `round` of transform_quantity (plans: transform_usage)."""
    transform = source.opt_node(name)
    if transform is None:
        return None, None
    divide_by = transform.integer("divide_by")
    if divide_by < 1:
        raise ShapeError(transform.at("divide_by"), "one or more")
    return divide_by, transform.text("round")


def price_from(
    source: Node, currency: str, tiers: Mapping[str, tuple[Tier, ...]]
) -> Price | None:
    """Return a price as it is in `currency`, None for one that does not recur.

    A price of another currency is taken at its `currency_options`; where there are
    none its amount is unknown.
    """
    recurring = source.opt_node("recurring")
    if recurring is None:
        return None
    price_id, own = source.text("id"), source.text("currency").lower()
    interval, count = _interval(recurring)
    options = source.opt_node("currency_options")
    option = None if options is None else options.opt_node(currency)
    amounts = option if own != currency and option is not None else source
    known = own == currency or option is not None
    divide_by, rounding = _divisor(source, "transform_quantity")
    found = tiers_of(amounts) or (tiers.get(price_id) if own == currency else None)
    return Price(
        id=price_id,
        currency=currency if known else own,
        interval=interval,
        interval_count=count,
        unit_amount=_amount(amounts, "unit_amount"),
        product=source.opt_reference("product"),
        nickname=source.opt_text("nickname"),
        usage_type=recurring.text("usage_type", "licensed"),
        billing_scheme=source.text("billing_scheme", "per_unit"),
        tiers_mode=source.opt_text("tiers_mode"),
        tiers=found,
        divide_by=divide_by,
        round=rounding,
    )


def plan_from(source: Node, tiers: Mapping[str, tuple[Tier, ...]]) -> Price:
    """Return a plan, the form before 2020, as a price."""
    interval, count = _interval(source)
    divide_by, rounding = _divisor(source, "transform_usage")
    plan_id = source.text("id")
    return Price(
        id=plan_id,
        currency=source.text("currency").lower(),
        interval=interval,
        interval_count=count,
        unit_amount=_amount(source, "amount"),
        product=source.opt_reference("product"),
        nickname=source.opt_text("nickname") or source.opt_text("name"),
        usage_type=source.text("usage_type", "licensed"),
        billing_scheme=source.text("billing_scheme", "per_unit"),
        tiers_mode=source.opt_text("tiers_mode"),
        tiers=tiers_of(source) or tiers.get(plan_id),
        divide_by=divide_by,
        round=rounding,
    )


def _percent(coupon: Node) -> str | None:
    """Return percent_off; ShapeError outside 0 to 100."""
    percent = coupon.opt_decimal("percent_off")
    if percent is not None and not 0 <= Decimal(percent) <= _HUNDRED:
        raise ShapeError(coupon.at("percent_off"), "0 to 100")
    return percent


def _coupon(source: Node) -> Node | None:
    """Return the coupon: inline, or behind `source`; None for a bare id."""
    for holder in (source, source.opt_node("source")):
        if holder is not None and isinstance(holder.fields.get("coupon"), Mapping):
            return holder.opt_node("coupon")
    return None


def discount_from(source: Node, wanted: str | None = None) -> Discount:
    """Return a discount object; of unknown duration where its coupon is only an id.

    An amount off is the one that the coupon has for the currency `wanted`, if it has
    one, else its own.
    """
    coupon = _coupon(source)
    if coupon is None:
        return Discount(id=source.text("id"), duration="unknown")
    scope = coupon.opt_node("applies_to")
    amounts, currency = coupon, coupon.opt_text("currency")
    options = coupon.opt_node("currency_options")
    option = None if options is None or not wanted else options.opt_node(wanted)
    if option is not None:
        amounts, currency = option, wanted
    return Discount(
        id=source.opt_text("id") or coupon.text("id"),
        duration=coupon.text("duration"),
        percent_off=_percent(coupon),
        amount_off=amounts.opt_integer("amount_off"),
        currency=None if currency is None else currency.lower(),
        start=source.opt_integer("start"),
        end=source.opt_integer("end"),
        applies_to=None if scope is None else _products(scope),
    )


def _products(scope: Node) -> tuple[str, ...]:
    """Return the product ids a coupon is limited to."""
    ids = []
    for entry, path in scope.entries("products"):
        if not isinstance(entry, str):
            raise ShapeError(path, "a string")
        ids.append(entry)
    return tuple(ids)


def _resolved(
    entry: object, path: str, discounts: Mapping[str, Discount], currency: str | None
) -> Discount:
    """Return a listed discount: the object itself, or what is known of its id."""
    if isinstance(entry, str):
        return discounts.get(entry) or Discount(id=entry, duration="unknown")
    found = discount_from(node(entry, path), currency)
    return discounts.get(found.id, found) if found.duration == "unknown" else found


def discounts_of(
    source: Node, discounts: Mapping[str, Discount], currency: str | None = None
) -> tuple[Discount, ...]:
    """Return the discounts of a subscription or item, in their order.

    Before basil one discount stood inline in `discount`, later beside its id in
    `discounts`. `discounts` (the argument) resolves ids; amounts are in `currency`
    where a coupon has one for it.
    """
    single = source.opt_node("discount")
    if single is not None:
        inline = discount_from(single, currency)
        discounts = {**discounts, inline.id: inline}
    listed = tuple(
        _resolved(entry, path, discounts, currency)
        for entry, path in source.entries("discounts")
    )
    if listed or single is None:
        return listed
    return (discount_from(single, currency),)


def discount_index(
    subscriptions: Iterable[Mapping[str, object]],
    events: Iterable[Mapping[str, object]],
    coupons: Mapping[str, object],
) -> dict[str, Discount]:
    """Return every discount whose coupon is told, by id.

    Read from live subscriptions with expanded discounts and from customer.discount.*
    events, whose object is the discount itself; the live state goes first. `coupons`
    are those that were seen, for events that have the id alone.
    """
    index: dict[str, Discount] = {}
    for found in (*_from_events(events, coupons), *_from_live(subscriptions)):
        if found.duration != "unknown":
            index[found.id] = found
    return index


def told_discount(source: Node, coupons: Mapping[str, object]) -> Discount:
    """Return a discount object, its coupon taken from `coupons` where it is an id."""
    if _coupon(source) is None:
        behind = source.opt_node("source")
        for holder in (source, behind):
            known = None if holder is None else holder.fields.get("coupon")
            if isinstance(known, str) and known in coupons:
                source = Node({**source.fields, "coupon": coupons[known]}, source.path)
    return discount_from(source)


def coupons_in(value: object) -> Iterator[tuple[str, object]]:
    """Yield every coupon within a JSON value, with its id; nothing where none fits."""
    if isinstance(value, list):
        for one in value:
            yield from coupons_in(one)
    elif isinstance(value, Mapping):
        coupon = value.get("coupon")
        if isinstance(coupon, Mapping) and isinstance(coupon.get("id"), str):
            yield coupon["id"], coupon
        for name in _COUPON_HOLDERS & value.keys():
            yield from coupons_in(value[name])


def has_unknown(
    subscription: Mapping[str, object], known: Mapping[str, Discount]
) -> bool:
    """Tell whether a subscription names a discount whose terms are not known."""
    try:
        return any(
            found.duration == "unknown" and found.id not in known
            for found in _from_live([subscription])
        )
    except ShapeError:
        return False


def _from_events(
    events: Iterable[Mapping[str, object]], coupons: Mapping[str, object]
) -> Iterator[Discount]:
    for number, fields in enumerate(events):
        event = node(fields, f"events[{number}]")
        data = event.opt_node("data")
        if data is None or not event.text("type", "").startswith("customer.discount."):
            continue
        found = data.opt_node("object")
        if found is not None:
            yield told_discount(found, coupons)


def _from_live(subscriptions: Iterable[Mapping[str, object]]) -> Iterator[Discount]:
    for number, fields in enumerate(subscriptions):
        subscription = node(fields, f"subscriptions[{number}]")
        currency = (subscription.opt_text("currency") or "").lower()
        yield from discounts_of(subscription, {}, currency)
        items = subscription.opt_node("items")
        for item in () if items is None else items.nodes("data"):
            yield from discounts_of(item, {}, currency)
