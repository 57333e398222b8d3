"""Reading decoded Stripe JSON field by field, each failure with the path it is at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_MOST_DIGITS = 30


class ShapeError(ValueError):
    """A provider's object is not shaped as documented. Names the path, no content."""

    def __init__(self, path: str, expected: str) -> None:
        """Keep where it was and what was expected there."""
        super().__init__(f"{path}: expected {expected}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON object and the path at which it stands.

    Readers named `opt_*` give None for a missing or null field; all raise ShapeError
    for a field of another type.
    """

    fields: Mapping[str, object]
    path: str

    def at(self, key: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{key}"

    def has(self, key: str) -> bool:
        """Tell whether a field is there and not null."""
        return self.fields.get(key) is not None

    def opt_text(self, key: str) -> str | None:
        """Return a string field."""
        value = self.fields.get(key)
        if value is None or isinstance(value, str):
            return value
        raise ShapeError(self.at(key), "a string")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string field, `default` where it is missing."""
        value = self.opt_text(key)
        if value is not None:
            return value
        if default is None:
            raise ShapeError(self.at(key), "a string")
        return default

    def opt_integer(self, key: str) -> int | None:
        """Return a whole number."""
        value = self.fields.get(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise ShapeError(self.at(key), "an integer")

    def integer(self, key: str) -> int:
        """Return a whole number that must be there."""
        value = self.opt_integer(key)
        if value is None:
            raise ShapeError(self.at(key), "an integer")
        return value

    def flag(self, key: str) -> bool:
        """Return a boolean, False where it is missing."""
        value = self.fields.get(key, False)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise ShapeError(self.at(key), "a boolean")

    def opt_decimal(self, key: str) -> str | None:
        """Return a number or a string of digits as an exact decimal string."""
        value = self.fields.get(key)
        if value is None:
            return None
        if isinstance(value, bool | Mapping | list):
            raise ShapeError(self.at(key), "a decimal")
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise ShapeError(self.at(key), "a decimal") from None
        if not _is_written_out(number):
            raise ShapeError(self.at(key), "a decimal of ordinary size")
        return format(number, "f")

    def opt_node(self, key: str) -> Node | None:
        """Return a nested object."""
        value = self.fields.get(key)
        if value is None:
            return None
        return node(value, self.at(key))

    def entries(self, key: str) -> Iterator[tuple[object, str]]:
        """Yield the elements of an array with their paths; none where it is missing."""
        value = self.fields.get(key)
        if value is None:
            return
        if not isinstance(value, list | tuple):
            raise ShapeError(self.at(key), "an array")
        for index, entry in enumerate(value):
            yield entry, f"{self.at(key)}[{index}]"

    def nodes(self, key: str) -> Iterator[Node]:
        """Yield the elements of an array of objects."""
        for entry, path in self.entries(key):
            yield node(entry, path)

    def opt_reference(self, key: str) -> str | None:
        """Return the id of a field that is an id or the whole object."""
        value = self.fields.get(key)
        if isinstance(value, Mapping):
            return node(value, self.at(key)).text("id")
        return self.opt_text(key)


def _is_written_out(number: Decimal) -> bool:
    """Tell whether a number is finite and short: 1e999999999 is neither."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return False
    return exponent >= -_MOST_DIGITS and len(digits) + exponent <= _MOST_DIGITS


def node(value: object, path: str) -> Node:
    """Wrap a decoded JSON object; ShapeError where it is none."""
    if not isinstance(value, Mapping):
        raise ShapeError(path, "an object")
    return Node(value, path)
