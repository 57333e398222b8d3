"""Reading a request's body: small, in time, and strict.

Python's json takes NaN, repeated names, any depth and any encoding; here each of
these is refused before a handler sees anything. Nothing of a body is ever repeated
in an answer.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from aiohttp import web

from opseer_common.errors import RefusedError
from opseer_gateway.web.problems import Handler

T = TypeVar("T")

LARGEST: Final = 16 * 1024
BODY_SECONDS: Final = 10.0
_DEEPEST: Final = 8
_LONGEST_INT: Final = 18
# Never goes back: a string without an end would be begun anew at each of its quotes.
_STRING = re.compile(r'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)
_UNWANTED = re.compile("[\x00\ud800-\udfff]")


class BodyTimer:
    """Reads every body before its handler runs, within limits of size and time."""

    def __init__(self, seconds: float = BODY_SECONDS) -> None:
        """Wait at most `seconds` for a whole body."""
        self._seconds = seconds

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Read, or answer 400, 408, 413 or 415 and close the connection."""
        if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            raise web.HTTPBadRequest
        if request.content_length is not None and request.content_length > LARGEST:
            raise web.HTTPRequestEntityTooLarge(LARGEST, request.content_length)
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise _unsupported()
        if request.can_read_body:
            try:
                async with asyncio.timeout(self._seconds):
                    await request.read()
            except TimeoutError:
                raise web.HTTPRequestTimeout from None
        return await handler(request)


async def read_json(
    request: web.Request, shape: type[T], *, raw: tuple[str, ...] = ()
) -> T:
    """Return the JSON body as `shape`; the fields `raw` may have any character.

    Raises RefusedError: UNSUPPORTED_MEDIA_TYPE, INVALID_JSON, DUPLICATE_FIELD,
    INVALID_TEXT, and UNKNOWN_FIELD, REQUIRED or TYPE where it does not fit.
    """
    kind, _, parameters = request.headers.get("Content-Type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in (
        "",
        "charset=utf-8",
    ):
        raise _unsupported()
    return fit(parse(await request.read(), raw=raw), shape)


def parse(body: bytes, *, raw: tuple[str, ...] = ()) -> Any:
    """Return the value of a JSON document. RefusedError as `read_json` says."""
    try:
        text = body.decode("utf-8", "strict")
        _check_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError):
        raise _invalid("The body is not valid JSON.") from None
    if isinstance(value, dict):
        _check_text({name: one for name, one in value.items() if name not in raw})
    else:
        _check_text(value)
    return value


def fit(value: Any, shape: type[T]) -> T:
    """Return `value` as `shape`, or say which rule it breaks."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        # msgspec's words name a field of ours, or one that was sent: say only ours.
        words = str(error)
    if "unknown field" in words:
        raise RefusedError("UNKNOWN_FIELD", "The body has a field that is not known.")
    if "missing required field" in words:
        name = words.split("`")[1]
        raise RefusedError("REQUIRED", f"The field {name} is missing.")
    if "Invalid enum value" in words or "length" in words:
        raise RefusedError("INVALID_VALUE", "A field has a value that is not allowed.")
    raise RefusedError("TYPE", "A field has a value of the wrong type.")


def _check_depth(text: str) -> None:
    """Refuse nesting deeper than any body of ours, before it is parsed."""
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > _DEEPEST:
                raise ValueError("too deep")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; a repeated name is refused."""
    built = dict(pairs)
    if len(built) != len(pairs):
        raise RefusedError("DUPLICATE_FIELD", "A field is there twice.")
    return built


def _int(digits: str) -> int:
    """Read an integer of a size that Postgres can hold."""
    if len(digits) > _LONGEST_INT:
        raise ValueError("too long")
    return int(digits)


def _float(_: str) -> NoReturn:
    """Refuse fractions: no body of ours has one."""
    raise ValueError("a fraction")


def _constant(_: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError("not JSON")


def _check_text(value: Any) -> None:
    """Refuse text that Postgres cannot keep: NUL, and halves of surrogate pairs."""
    if isinstance(value, str) and _UNWANTED.search(value):
        raise RefusedError("INVALID_TEXT", "A field has a character that no text has.")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name)
            _check_text(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_text(inner)


def _invalid(detail: str) -> RefusedError:
    return RefusedError("INVALID_JSON", detail)


def _unsupported() -> RefusedError:
    return RefusedError(
        "UNSUPPORTED_MEDIA_TYPE", "Send application/json in UTF-8, not compressed."
    )
