"""Expanding ids into objects, as `expand[]` asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opseer_simulator.objects import Json
from opseer_simulator.refusals import bad_parameter

Fetch = Callable[[str], Json | None]
"""Returns the object of an id, None for one nobody may expand."""

_LOOSE = frozenset({"tiers", "currency_options"})
_OF_COUPONS = frozenset({"applies_to", "currency_options"})


Tiers = Callable[[str], list[Json]]
"""Returns the tiers of a price by its id."""


def expand(target: Any, path: str, fetch: Fetch, tiers: Tiers) -> None:
    """Expand one dotted path in place.

    Raises RefusalError (400) where a property of the path does not exist.
    """
    _Walk(path, fetch, tiers).step(target, path.split("."))


class _Walk:
    """One path being expanded."""

    def __init__(self, path: str, fetch: Fetch, tiers: Tiers) -> None:
        self._path = path
        self._fetch = fetch
        self._tiers = tiers

    def step(self, target: Any, steps: list[str]) -> None:
        """Expand the first step of what is left of the path, and then the rest."""
        if isinstance(target, list):
            for each in target:
                self.step(each, steps)
            return
        if not isinstance(target, dict):
            return
        step, rest = steps[0], steps[1:]
        if step in _LOOSE and "unit_amount" in target:
            self._open_price(target, step)
            return
        if step in _OF_COUPONS and target.get("object") == "coupon":
            target[step] = None  # none is for some products, or has other amounts
            return
        if step not in target:
            raise bad_parameter(
                f"This property cannot be expanded ({self._path}).", "expand"
            )
        value = self._resolved(target[step])
        target[step] = value
        if rest:
            self.step(value, rest)

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._fetch(value) or value
        if isinstance(value, list):
            return [self._resolved(each) for each in value]
        return value

    def _open_price(self, price: Json, step: str) -> None:
        if step == "currency_options":
            price[step] = {
                price["currency"]: {
                    "custom_unit_amount": None,
                    "tax_behavior": price["tax_behavior"],
                    "unit_amount": price["unit_amount"],
                    "unit_amount_decimal": price["unit_amount_decimal"],
                }
            }
        elif price["billing_scheme"] == "tiered":
            price[step] = self._tiers(price["id"])
