"""Errors as `application/problem+json`: a public code, words, and a request id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from uuid import uuid4

import msgspec
import structlog
from aiohttp import HttpVersion11, web

from opseer_common.database import UNAVAILABLE
from opseer_common.errors import RefusedError, TryLaterError
from opseer_gateway.domain.refusals import WaitError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_EXPECTATION_FAILED = 417
_UNPROCESSABLE = 422
STATUS: Mapping[str, int] = MappingProxyType(
    {
        "INVALID_JSON": 400,
        "DUPLICATE_FIELD": 400,
        "DUPLICATE_COOKIE": 400,
        "BAD_REQUEST": 400,
        "UNAUTHENTICATED": 401,
        "INVALID_CREDENTIALS": 401,
        "FORBIDDEN_ORIGIN": 403,
        "INVALID_SETUP_CODE": 403,
        "SIGNUP_CLOSED": 403,
        "SESSION_REQUIRED": 403,
        "PLAN_REQUIRED": 403,
        "OWNER_REQUIRED": 403,
        "READ_ONLY_TOKEN": 403,
        "NOT_FOUND": 404,
        "METHOD_NOT_ALLOWED": 405,
        "REQUEST_TIMEOUT": 408,
        "EMAIL_TAKEN": 409,
        "NAME_TAKEN": 409,
        "LAST_OWNER": 409,
        "MODE_MISMATCH": 409,
        "ALREADY_CONNECTED": 409,
        "NOT_CONNECTED": 409,
        "IN_PROGRESS": 409,
        "BODY_TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "MISDIRECTED_REQUEST": 421,
        "RATE_LIMITED": 429,
        "INTERNAL_ERROR": 500,
        "BUSY": 503,
        "UNAVAILABLE": 503,
        "PROVIDER_UNAVAILABLE": 503,
    }
)
"""The status of each code; every other code is 422."""

_OWN_ERRORS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        404: ("NOT_FOUND", "There is nothing here."),
        405: ("METHOD_NOT_ALLOWED", "That cannot be done here."),
        408: ("REQUEST_TIMEOUT", "The request took too long to arrive."),
        413: ("BODY_TOO_LARGE", "A body has at most 16 KiB."),
        415: ("UNSUPPORTED_MEDIA_TYPE", "Send application/json."),
        500: ("INTERNAL_ERROR", "Something went wrong here. It was logged."),
    }
)
_ENDING = (
    web.HTTPBadRequest,
    web.HTTPRequestEntityTooLarge,
    web.HTTPRequestTimeout,
)
"""After these nobody knows where the next request begins."""
_BUSY_SECONDS = 2
AWAY: tuple[type[Exception], ...] = (TryLaterError, *UNAVAILABLE)
"""Something that we depend on does not answer just now."""
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
_log = structlog.get_logger()


class Problem(msgspec.Struct, frozen=True):
    """The body of every error."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


def status_of(code: str) -> int:
    """Return the status that a code is answered with."""
    return STATUS.get(code, _UNPROCESSABLE)


def problem(code: str, detail: str, request_id: str) -> web.Response:
    """Return the answer of a code."""
    status = status_of(code)
    body = Problem(
        type="about:blank",
        title=code.replace("_", " ").capitalize(),
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
    )
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/problem+json",
    )


async def expectation(request: web.Request) -> web.Response | None:
    """Tell a client that waits to go on (RFC 9110, 10.1.1), or that it can't: 417."""
    if request.version < HttpVersion11:
        return None
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The answer itself has not begun.
        request.writer.output_size = 0
        return None
    answer = problem("BAD_REQUEST", "Only 100-continue is expected.", uuid4().hex)
    answer.set_status(_EXPECTATION_FAILED)
    answer.force_close()
    return answer


def refusal(error: RefusedError, request_id: str) -> web.Response:
    """Return the answer of a refusal."""
    answer = problem(error.code, error.detail, request_id)
    if isinstance(error, WaitError):
        answer.headers["Retry-After"] = str(error.retry_after)
    if error.code == "UNAUTHENTICATED":
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, and turn whatever a handler raises into a problem."""
    request_id = uuid4().hex
    request[REQUEST_ID] = request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        return await _answer(request, handler, request_id)


async def _answer(
    request: web.Request, handler: Handler, request_id: str
) -> web.StreamResponse:
    """Call the handler."""
    try:
        return await handler(request)
    except RefusedError as error:
        return refusal(error, request_id)
    except web.HTTPError as error:
        return _own(error, request_id)
    except AWAY as error:
        _log.warning("unavailable", error=type(error).__name__)
        answer = problem("UNAVAILABLE", "Try again in a moment.", request_id)
        answer.headers["Retry-After"] = str(_BUSY_SECONDS)
        return answer
    except web.HTTPException:
        raise
    except Exception:  # noqa: BLE001 - the last answer that is left
        _log.exception("request failed", method=request.method)
        return problem(*_OWN_ERRORS[500], request_id)


def _own(error: web.HTTPError, request_id: str) -> web.Response:
    """Turn aiohttp's own error into a problem, without its text."""
    code, detail = _OWN_ERRORS.get(
        error.status, ("BAD_REQUEST", "The request could not be understood.")
    )
    answer = problem(code, detail, request_id)
    if error.status not in _OWN_ERRORS:
        answer.set_status(error.status)
    if isinstance(error, web.HTTPMethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    if isinstance(error, _ENDING):
        answer.force_close()
    return answer
