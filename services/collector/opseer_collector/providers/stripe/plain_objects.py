"""Objects that are kept as they came, made safe to look through and to store."""

from __future__ import annotations

from typing import Any, Final

from opseer_collector.providers.stripe.shapes import ShapeError

_SHAPES: Final[dict[str, tuple[type, ...]]] = {
    "id": (str,),
    "created": (int,),
    "items": (dict,),
    "lines": (dict,),
    "previous_attributes": (dict,),
}


def check_shape(value: object, path: str = "$") -> None:
    """Refuse an object in which ids, instants or lists are none, however deep.

    So who looks such an object through need not ask at each place.
    """
    if isinstance(value, list):
        for number, one in enumerate(value):
            check_shape(one, f"{path}[{number}]")
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        kinds = _SHAPES.get(key)
        if kinds is not None and one is not None and not isinstance(one, kinds):
            raise ShapeError(f"{path}.{key}", f"a {kinds[0].__name__}")
        if key == "items" and isinstance(one, dict):
            _check_list(one.get("data"), f"{path}.items.data")
        if key != "metadata":
            check_shape(one, f"{path}.{key}")


def _check_list(value: object, path: str) -> None:
    rows = [] if value is None else value
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise ShapeError(path, "a list of objects")


def without_nul(value: Any) -> Any:
    """Return a JSON value whose texts Postgres can store."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(one) for one in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(one) for key, one in value.items()}
    return value
