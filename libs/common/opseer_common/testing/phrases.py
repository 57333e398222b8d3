"""Subscriptions out of words, for tests that read them in a page.

"3 x 12.00 a month + usage 5.00 a week, 20 % off forever, past_due" is one: its items,
and what is said of it. Amounts are US dollars where no currency is named. What happens
later does so at NOON of DAY (UTC), and it is looked at at NOW.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from opseer_common.contracts.subscription import (
    Discount,
    Item,
    Price,
    Subscription,
    Tier,
    UsageCharge,
)
from opseer_common.money import exponent

DAY = date(2026, 1, 10)
NOON = int(datetime(2026, 1, 10, 12, tzinfo=UTC).timestamp())
NOW = datetime(2026, 1, 10, 23, tzinfo=UTC)

_ITEM = re.compile(
    r"(?:(?P<quantity>\d+) x )?(?P<what>.+?)"
    r" (?:a (?P<interval>day|week|month|year)|every (?P<count>\d+) (?P<many>\w+)s)"
)
_MONEY = re.compile(r"(?P<amount>[\d.]+)(?: (?P<currency>[A-Z]{3}))?")
_PACKAGE = re.compile(r"(?P<money>.+) per package of (?P<size>\d+) (?P<round>up|down)")
_TIER = re.compile(r"(?P<to>\d+|more): (?P<unit>[\d.]+)(?: flat (?P<flat>[\d.]+))?")
_OFF = re.compile(
    r"(?P<whose>customer )?(?P<off>[\d.]+(?: %| [A-Z]{3})?) off"
    r"(?P<scope> the first item| the first product)? (?P<how>.+)"
)
_DURATIONS = {"forever": "forever", "once": "once", "for months": "repeating"}


def _minor(amount: str, currency: str) -> str:
    """Return a major amount as a decimal string of minor units."""
    minor = Decimal(amount).scaleb(exponent(currency))
    return format(minor.normalize(), "f")


def whole(money: str) -> int:
    """Return a major amount, dollars unless it says otherwise, in minor units."""
    found = _MONEY.fullmatch(money.removeprefix("-"))
    if found is None:
        raise ValueError(f"no words for: {money}")
    minor = int(_minor(found["amount"], (found["currency"] or "USD").lower()))
    return -minor if money.startswith("-") else minor


def _item(phrase: str, place: int) -> Item:
    phrase, same, _ = phrase.partition(" for the same price")
    found = _ITEM.fullmatch(phrase)
    if found is None:
        raise ValueError(f"no words for: {phrase}")
    price, usage = _price(found["what"])
    price = msgspec.structs.replace(
        price,
        id="price of 10.00" if same else f"price of {found['what'].split(' ')[0]}",
        interval=found["interval"] or found["many"],
        interval_count=int(found["count"] or 1),
        product=f"prod_{place}",
    )
    quantity = None if usage is not None else int(found["quantity"] or 1)
    return Item(id=f"si_{place}", price=price, quantity=quantity, usage=usage or ())


def _price(what: str) -> tuple[Price, tuple[UsageCharge, ...] | None]:
    plain = Price(id="", currency="usd", interval="")
    replace = msgspec.structs.replace
    if what.startswith("usage "):
        charged = what.removeprefix("usage ").removesuffix(" from noon").split(" then ")
        usage = tuple(
            UsageCharge((1, NOON)[number], whole(amount), "in_1")
            for number, amount in enumerate(charged)
            if amount != "none"
        )
        return replace(plain, usage_type="metered"), usage
    mode, _, tiers = what.partition(" [")
    if tiers:
        steps = tuple(
            Tier(
                None if one["to"] == "more" else int(one["to"]),
                _minor(one["unit"], "usd"),
                _minor(one["flat"] or "0", "usd"),
            )
            for one in _TIER.finditer(tiers)
        )
        return (
            replace(plain, billing_scheme="tiered", tiers_mode=mode, tiers=steps),
            None,
        )
    package = _PACKAGE.fullmatch(what)
    if package is not None:
        size, way = int(package["size"]), package["round"]
        plain, what = replace(plain, divide_by=size, round=way), package["money"]
    money = _MONEY.fullmatch(what)
    if money is None:
        raise ValueError(f"no words for: {what}")
    currency = (money["currency"] or "USD").lower()
    amount = _minor(money["amount"], currency)
    return replace(plain, currency=currency, unit_amount=amount), None


def subscription_of(phrase: str, number: int = 0) -> Subscription | None:
    """Return what a phrase names; None for "nothing"."""
    if phrase == "nothing":
        return None
    first, *clauses = re.split(r", (?![^\[]*\])", phrase)
    items = tuple(
        _item(one, place) for place, one in enumerate(first.split(" + "), start=1)
    )
    one = Subscription(
        id=f"sub_{number}",
        customer="cus_1",
        status="active",
        currency=items[0].price.currency,
        created=1_000_000_000,
        items=items,
    )
    for clause in clauses:
        one = _with(one, clause)
    return one


def _with(one: Subscription, clause: str) -> Subscription:
    """Return a subscription with what a clause says of it."""
    replace = msgspec.structs.replace
    off = _OFF.fullmatch(clause)
    if off is not None:
        return _discounted(one, off)
    if clause == "ends at period end":
        return replace(one, cancel_at_period_end=True)
    paused = re.fullmatch(r"collection paused \((\w+)\)(?: until (now|noon))?", clause)
    if paused is not None:
        until = {None: None, "now": int(NOW.timestamp()), "noon": NOON}[paused[2]]
        return replace(one, pause_behavior=paused[1], pause_resumes_at=until)
    if clause.endswith(" % tax outside"):
        return one
    if clause.endswith(" % tax inside"):
        tax = clause.removesuffix(" % tax inside")
        return replace(
            one, items=tuple(replace(item, inclusive_tax=tax) for item in one.items)
        )
    if not re.fullmatch(r"[a-z_]+", clause):
        raise ValueError(f"no words for: {clause}")
    return replace(one, status=clause)


def _discounted(one: Subscription, off: re.Match[str]) -> Subscription:
    replace = msgspec.structs.replace
    percent, _, is_percent = off["off"].partition(" %")
    until_noon = off["how"] == "until noon"
    forever_for = "forever" if off["whose"] else "repeating"
    found = Discount(
        id=f"di_{_number(one)}",
        duration=forever_for if until_noon else _DURATIONS[off["how"]],
        end=NOON if until_noon else None,
    )
    if off["off"].endswith(" %"):
        found = replace(found, percent_off=percent + is_percent)
    else:
        currency = "eur" if off["off"].endswith(" EUR") else "usd"
        found = replace(found, amount_off=whole(off["off"]), currency=currency)
    if off["whose"]:
        return replace(one, customer_discounts=(*one.customer_discounts, found))
    if off["scope"] == " the first item":
        first = replace(one.items[0], discounts=(found,))
        return replace(one, items=(first, *one.items[1:]))
    if off["scope"]:
        found = replace(found, applies_to=("prod_1",))
    return replace(one, discounts=(*one.discounts, found))


def _number(one: Subscription) -> int:
    """Return a number for the next discount."""
    return len(one.discounts) + len(one.customer_discounts)
