"""What the full company sells besides the plain catalogue: every kind of price."""

from __future__ import annotations

from typing import Any

import msgspec

from opseer_simulator.books import Books
from opseer_simulator.catalogue import Coupon, Plan, Product, Tier

ABROAD = ("eur", "gbp", "jpy", "kwd")
"""Currencies that customers really pay in."""

_GRADUATED = (Tier(5, "900"), Tier(20, "700", 100), Tier(None, "512.5"))
_VOLUME = (Tier(10, "800", 500), Tier(50, "650", 250), Tier(None, "499"))
_PLANS: dict[str, dict[str, Any]] = {
    "annual": {"unit_amount": 34800, "interval": "year"},
    "two_years": {"unit_amount": 59900, "interval": "year", "interval_count": 2},
    "half_yearly": {"unit_amount": 16500, "interval": "month", "interval_count": 6},
    "fortnightly": {"unit_amount": 1590, "interval": "week", "interval_count": 2},
    "daily": {"unit_amount": 149, "interval": "day"},
    "three_days": {"unit_amount": 425, "interval": "day", "interval_count": 3},
    "free": {"unit_amount": 0, "interval": "month"},
    "storage": {"unit_amount": 700, "interval": "month"},
    "support": {"unit_amount": 26000, "interval": "year"},
    "backups": {"unit_amount": 190, "interval": "week"},
    "exact": {
        "unit_amount": None,
        "unit_decimal": "1033.375",
        "interval": "month",
    },
    "packages": {
        "unit_amount": 1900,
        "interval": "month",
        "divide_by": 10,
        "round": "up",
    },
    "full_packages": {
        "unit_amount": 2100,
        "interval": "month",
        "divide_by": 4,
        "round": "down",
    },
    "graduated": {
        "unit_amount": None,
        "interval": "month",
        "tiers": _GRADUATED,
        "tiers_mode": "graduated",
    },
    "volume": {
        "unit_amount": None,
        "interval": "year",
        "tiers": _VOLUME,
        "tiers_mode": "volume",
        # No longer on sale to others, yet those who have it pay on.
        "active": False,
    },
    "with_tax": {
        "unit_amount": 2380,
        "interval": "month",
        "currency": "eur",
        "tax": 19,
    },
    "yearly_with_tax": {
        "unit_amount": 24700,
        "interval": "year",
        "currency": "eur",
        "tax": 19,
    },
    "calls": {
        "unit_amount": None,
        "unit_decimal": "0.4",
        "interval": "month",
        "usage_type": "metered",
    },
    "gigabytes": {
        "unit_amount": 15,
        "interval": "week",
        "usage_type": "metered",
    },
}
_ABROAD: dict[str, tuple[int, int]] = {
    "eur": (2700, 27000),
    "gbp": (2400, 24500),
    "jpy": (4200, 41000),
    "kwd": (9250, 92500),
    "sek": (31900, 320000),
}


class Assortment(msgspec.Struct, frozen=True):
    """Plans by key, those abroad as `monthly_eur`; coupons by key."""

    plans: dict[str, Plan]
    coupons: dict[str, Coupon]


def stock(books: Books, created: int) -> Assortment:
    """Put everything on sale and return it with the plain catalogue's plans."""
    product = books.products.put(
        Product(id=books.ids.new("prod_"), created=created, name="Studio")
    )
    terms = dict(_PLANS)
    for currency, (monthly, yearly) in _ABROAD.items():
        terms[f"monthly_{currency}"] = {
            "unit_amount": monthly,
            "interval": "month",
            "currency": currency,
        }
        terms[f"annual_{currency}"] = {
            "unit_amount": yearly,
            "interval": "year",
            "currency": currency,
        }
    plans = {
        key: books.plans.put(
            Plan(
                id=books.ids.new("price_"),
                created=created,
                key=key,
                product=product.id,
                nickname=f"Studio {key.replace('_', ' ')}",
                **each,
            )
        )
        for key, each in terms.items()
    }
    return Assortment(
        plans={**books.catalogue.plans, **plans}, coupons=_coupons(created)
    )


def _coupons(created: int) -> dict[str, Coupon]:
    def coupon(key: str, duration: str, **terms: Any) -> Coupon:
        return Coupon(
            id=key.upper(), created=created, name=key, duration=duration, **terms
        )

    coupons = (
        coupon("launch", "repeating", percent="12.5", months=3),
        coupon("quarter", "forever", percent="25.5"),
        coupon("five_off", "forever", amount_off=500, currency="usd"),
        coupon("ten_once", "once", amount_off=1000, currency="usd"),
        coupon("three_months", "repeating", amount_off=300, currency="usd", months=3),
        coupon("four_euros", "forever", amount_off=400, currency="eur"),
        coupon("first_free", "once", percent=100),
        coupon("friend", "forever", percent=100),
        coupon("partner", "forever", percent=20),
    )
    return {each.name: each for each in coupons}
