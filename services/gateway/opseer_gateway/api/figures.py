"""Routes for reading figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Literal, get_args

import msgspec
from aiohttp import web

from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import DailyReport
from opseer_common.errors import RefusedError
from opseer_common.rendering import report_html, report_text
from opseer_gateway.actions.reading import Reading
from opseer_gateway.domain.definitions import Definitions, definitions
from opseer_gateway.domain.figures import DailyRevenue, Grain, Movements, Mrr
from opseer_gateway.domain.integrations import SOURCES
from opseer_gateway.web.routes import Route, answer
from opseer_gateway.web.sessions import Sessions

_BASE = "/api/v1"


class FigureRoutes:
    """The handlers."""

    def __init__(self, reading: Reading, sessions: Sessions) -> None:
        """Take the parts that app.py made."""
        self._reading = reading
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return every route of this module."""
        return [
            Route(
                "GET",
                f"{_BASE}/revenue/daily",
                self._daily,
                "Revenue per day",
                answers=DailyRevenue,
                query=("source", "from", "to", "format"),
                forms=("csv",),
            ),
            Route(
                "GET",
                f"{_BASE}/mrr",
                self._mrr,
                "Monthly recurring revenue now",
                answers=Mrr,
                query=("source",),
            ),
            Route(
                "GET",
                f"{_BASE}/mrr/movements",
                self._movements,
                "What moved MRR, per day",
                answers=Movements,
                query=("source", "from", "to", "grain", "format"),
                forms=("csv",),
            ),
            Route(
                "GET",
                f"{_BASE}/reports/daily",
                self._report,
                "The daily report",
                answers=DailyReport,
                query=("date", "format"),
                forms=("text", "html"),
            ),
            Route(
                "GET",
                f"{_BASE}/definitions",
                self._definitions,
                "What each figure means in each channel",
                answers=Definitions,
            ),
        ]

    async def _definitions(self, request: web.Request) -> web.Response:
        await self._sessions.visitor(request)
        return answer(definitions())

    async def _daily(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        form = _word(request, "format", "json", ("json", "csv"))
        found = await self._reading.daily(
            visitor.account_id,
            asked_source(request),
            request.query.get("from"),
            request.query.get("to"),
        )
        return _csv(found.rows, "revenue") if form == "csv" else answer(found)

    async def _mrr(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        return answer(
            await self._reading.mrr(visitor.account_id, asked_source(request))
        )

    async def _movements(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        form = _word(request, "format", "json", ("json", "csv"))
        found = await self._reading.movements(
            visitor.account_id,
            asked_source(request),
            request.query.get("from"),
            request.query.get("to"),
            asked_grain(request),
        )
        return _csv(found.rows, "movements") if form == "csv" else answer(found)

    async def _report(self, request: web.Request) -> web.Response:
        visitor = await self._sessions.visitor(request)
        form = _word(request, "format", "json", ("json", "text", "html"))
        report = await self._reading.report(
            visitor.account_id, request.query.get("date")
        )
        if form == "json":
            return answer(report)
        body = msgspec.to_builtins(report)
        if form == "text":
            return web.Response(
                text=report_text(body), content_type="text/plain", charset="utf-8"
            )
        return web.Response(
            text=report_html(body), content_type="text/html", charset="utf-8"
        )


def asked_source(request: web.Request) -> Source:
    """Return the source asked for. RefusedError(INVALID_SOURCE)."""
    for source in SOURCES:
        if source == request.query.get("source"):
            return source
    raise RefusedError("INVALID_SOURCE", f"source is one of {', '.join(SOURCES)}.")


def asked_grain(request: web.Request) -> Grain:
    """Return the grain asked for; subscription by default."""
    word = _word(request, "grain", "subscription", get_args(Grain))
    return "customer" if word == "customer" else "subscription"


def _word(
    request: web.Request,
    name: Literal["format", "grain"],
    default: str,
    known: tuple[str, ...],
) -> str:
    """Return a query word. RefusedError INVALID_FORMAT or INVALID_GRAIN."""
    word = request.query.get(name, default)
    if word not in known:
        raise RefusedError(
            f"INVALID_{name.upper()}", f"{name} is one of {', '.join(known)}."
        )
    return word


def _csv(rows: Iterable[msgspec.Struct], name: str) -> web.Response:
    """Return the rows as CSV: the fields of JSON as columns, null as nothing."""
    kind = {"revenue": DailyRevenue, "movements": Movements}[name]
    columns = _columns(kind)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({n: _cell(v) for n, v in msgspec.to_builtins(row).items()})
    return web.Response(
        text=text.getvalue(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: object) -> object:
    """Return a value as JSON writes it; null is nothing."""
    return str(value).lower() if isinstance(value, bool) else value


def _columns(kind: type) -> list[str]:
    """Return the columns of an answer's rows."""
    row = next(f for f in msgspec.structs.fields(kind) if f.name == "rows").type
    return [field.name for field in msgspec.structs.fields(get_args(row)[0])]
