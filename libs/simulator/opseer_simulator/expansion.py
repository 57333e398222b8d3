"""Expanding ids into objects, as `expand[]` asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opseer_simulator.objects import Json
from opseer_simulator.refusals import bad_parameter

Fetch = Callable[[str], Json | None]
"""Returns the object of an id, None for one nobody may expand."""

_LOOSE = frozenset({"tiers", "currency_options"})


def expand(target: Any, path: str, fetch: Fetch) -> None:
    """Expand one dotted path in place.

    Raises RefusalError (400) where a property of the path does not exist.
    """
    _expand(target, path.split("."), path, fetch)


def _expand(target: Any, steps: list[str], path: str, fetch: Fetch) -> None:
    if isinstance(target, list):
        for each in target:
            _expand(each, steps, path, fetch)
        return
    if not isinstance(target, dict):
        return
    step, rest = steps[0], steps[1:]
    if step in _LOOSE and "unit_amount" in target:
        _open_price(target, step)
        return
    if step not in target:
        raise bad_parameter(f"This property cannot be expanded ({path}).", "expand")
    value = _resolved(target[step], fetch)
    target[step] = value
    if rest:
        _expand(value, rest, path, fetch)


def _resolved(value: Any, fetch: Fetch) -> Any:
    if isinstance(value, str):
        return fetch(value) or value
    if isinstance(value, list):
        return [_resolved(each, fetch) for each in value]
    return value


def _open_price(price: Json, step: str) -> None:
    if step == "currency_options":
        price[step] = {
            price["currency"]: {
                "custom_unit_amount": None,
                "tax_behavior": price["tax_behavior"],
                "unit_amount": price["unit_amount"],
                "unit_amount_decimal": price["unit_amount_decimal"],
            }
        }
