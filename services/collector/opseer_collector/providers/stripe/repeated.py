"""Keys that a JSON object has twice: readers take the last, so it is refused.

Parsing all again would double the work. Counting bytes shows where it has to be done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from opseer_collector.providers.stripe.shapes import ShapeError

TRANSACTION: Final = (b'"net"', b'"fee"', b'"created"', b'"reporting_category"')
"""Keys that a balance transaction has once, wherever; net tells on `amount`."""
CHARGE: Final = (b'"amount"', b'"created"', b'"failure_code"')
"""Keys that a charge has once where nothing in it is expanded."""
_KEY_END: Final = b'":'


def check_rows(body: bytes, rows: int, once: Sequence[bytes]) -> None:
    """Refuse `body`, the JSON of so many rows, if an object in it has a key twice.

    `once` are keys that a row has once; without any, all of it is looked at. Raises
    ShapeError.
    """
    if not once or any(body.count(key) > rows for key in once):
        _look_at(body)


def check_object(body: bytes, decoded: object) -> None:
    """Refuse `body`, which was read as `decoded`, if an object in it has a key twice.

    Raises ShapeError.
    """
    if _keys_in(decoded) != body.count(_KEY_END):
        _look_at(body)


def _look_at(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_each_once)
    except RecursionError:
        raise ShapeError("$", "fewer levels") from None


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ShapeError("$", "each key once")


def _keys_in(value: object) -> int:
    """Return how many keys the objects of a JSON value have together."""
    if isinstance(value, dict):
        return len(value) + sum(_keys_in(one) for one in value.values())
    return sum(_keys_in(one) for one in value) if isinstance(value, list) else 0
