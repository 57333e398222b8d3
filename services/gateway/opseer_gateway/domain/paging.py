"""Pages of a list: how many a page has, and where the next one begins."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import crc32
from datetime import date
from typing import Final, NamedTuple

import msgspec

from opseer_common.errors import RefusedError

DEFAULT_LIMIT: Final = 50
LARGEST_LIMIT: Final = 100
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
CURSOR_FORM: Final = "[A-Za-z0-9_-]{8,600}"
_CURSOR: Final = re.compile(CURSOR_FORM, re.ASCII)
_SUM_BYTES: Final = 4


class Position(NamedTuple):
    """The place of an entry in its day: unix seconds, kind, id."""

    created: int
    kind: str
    id: str

    @property
    def order(self) -> tuple[int, str, str]:
        """What to sort by: newest first, then kind and id."""
        return -self.created, self.kind, self.id


def parse_limit(text: str | None) -> int:
    """Read a page's size, 1 to 100. RefusedError(INVALID_LIMIT)."""
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) > LARGEST_LIMIT:
        raise RefusedError(
            "INVALID_LIMIT", f"limit is a number from 1 to {LARGEST_LIMIT}."
        )
    return int(text)


def cursor_after(day: date, last: Position) -> str:
    """Return what asks for the entries of `day` after `last`."""
    said = msgspec.json.encode((day, *last))
    return _text(crc32(said).to_bytes(_SUM_BYTES, "big") + said)


def parse_cursor(text: str, day: date) -> Position:
    """Return the position after which to go on. RefusedError(INVALID_CURSOR).

    The checksum finds what was cut off or mistyped. It is no secret: a cursor only
    says a place in a list that its reader may read anyway.
    """
    if _CURSOR.fullmatch(text):
        raw = _bytes(text)
        said = raw[_SUM_BYTES:]
        if raw[:_SUM_BYTES] == crc32(said).to_bytes(_SUM_BYTES, "big"):
            position = _position(said, day)
            if position is not None:
                return position
    raise invalid_cursor()


def invalid_cursor() -> RefusedError:
    """Return the refusal of a cursor."""
    return RefusedError(
        "INVALID_CURSOR", "cursor is the `next_cursor` of an answer of this list."
    )


def _position(said: bytes, day: date) -> Position | None:
    try:
        of, created, kind, name = msgspec.json.decode(
            said, type=tuple[date, int, str, str]
        )
    except msgspec.MsgspecError:
        return None
    return Position(created, kind, name) if of == day else None


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Return what the text stands for; nothing where no encoder writes it so."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    return raw if _text(raw) == text else b""
