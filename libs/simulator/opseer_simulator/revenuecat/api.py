"""RevenueCat's API v2: projects, the overview, charts and their options.

GET /v2/projects, /v2/projects/{id}/metrics/overview,
/v2/projects/{id}/charts/{name} and …/options; Authorization: Bearer sk_… or atk_…
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from opseer_simulator.channels.door import ChannelLimits, Door
from opseer_simulator.channels.serving import guarded, json_response
from opseer_simulator.revenuecat import charts, refusals
from opseer_simulator.revenuecat.figures import Figures, Period, Question
from opseer_simulator.revenuecat.rendering import (
    chart_json,
    options_json,
    overview_json,
    project_json,
)
from opseer_simulator.revenuecat.world import Project, World
from opseer_simulator.timeline import DAY

_DEFAULT_DAYS = timedelta(days=30)
_PAGE = 20
_OVERVIEW_DAYS = 28


def revenuecat_door(keys: tuple[str, ...]) -> Door:
    """Return the door of RevenueCat's API, with the limits of its present manual."""
    limits = {refusals.CHARTS_DOMAIN: 25, refusals.PROJECTS_DOMAIN: 60}
    return Door(keys=keys, rights=refusals.RIGHTS, limits=ChannelLimits(limits))


def revenuecat_app(world: World, door: Door) -> web.Application:
    """Return RevenueCat's API over a world."""
    app = web.Application(middlewares=[guarded(door, refusals.RevenueCatDialect())])
    api = _Api(world, door)
    app.router.add_get("/v2/projects", api.projects)
    app.router.add_get("/v2/projects/{id}/metrics/overview", api.overview)
    app.router.add_get("/v2/projects/{id}/charts/{name}", api.chart)
    app.router.add_get("/v2/projects/{id}/charts/{name}/options", api.options)
    return app


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request for a chart asks."""

    name: str
    first: date
    last: date
    resolution: str
    question: Question
    revenue_type: str
    unsupported: tuple[str, ...]
    segment: str | None
    only: tuple[str, ...]


class _Api:
    """The handlers of `/v2`."""

    def __init__(self, world: World, door: Door) -> None:
        self._world = world
        self._door = door

    async def projects(self, request: web.Request) -> web.Response:
        """GET /v2/projects, paged by `limit` and `starting_after`."""
        self._may(refusals.PROJECTS)
        projects = self._world.projects
        ids = [each.id for each in projects]
        after = request.query.get("starting_after")
        if after is not None and after not in ids:
            raise refusals.bad_parameter("starting_after", f"No project '{after}'")
        start = ids.index(after) + 1 if after is not None else 0
        end = start + _limit(request.query)
        following = None
        if end < len(ids):
            following = f"/v2/projects?starting_after={ids[end - 1]}"
        return json_response(
            {
                "object": "list",
                "items": [project_json(each) for each in projects[start:end]],
                "next_page": following,
                "url": "/v2/projects",
            }
        )

    async def overview(self, request: web.Request) -> web.Response:
        """GET …/metrics/overview: what stands now, and the last 28 days."""
        project = self._project(request, refusals.OVERVIEW)
        question = Question(_currency(request.query))
        today = self._world.now() // DAY
        starts = [today + 1 - _OVERVIEW_DAYS, today + 1]
        period = self._figures(project, question).periods(starts)[0]
        now = self._world.now()
        shape = self._world.shape
        return json_response(overview_json(period, question.currency, now, shape))

    async def chart(self, request: web.Request) -> web.Response:
        """GET …/charts/{name}."""
        project = self._project(request, refusals.CHARTS)
        asked = self._asked(request, project)
        starts = charts.period_starts(asked.first, asked.last, asked.resolution)
        periods: list[Period] = []
        if asked.first <= asked.last:
            periods = self._figures(project, asked.question).periods(starts)
        return json_response(chart_json(asked, periods, self._world.shape))

    async def options(self, request: web.Request) -> web.Response:
        """GET …/charts/{name}/options."""
        project = self._project(request, refusals.CHARTS)
        name = _chart_name(request)
        return json_response(options_json(name, self._world.places(project)))

    def _may(self, right: str) -> None:
        if right in self._door.missing:
            raise refusals.lacking(right)

    def _project(self, request: web.Request, right: str) -> Project:
        self._may(right)
        project_id = request.match_info["id"]
        for project in self._world.projects:
            if project.id == project_id:
                return project
        raise refusals.other_project()

    def _figures(self, project: Project, question: Question) -> Figures:
        purchases = self._world.purchases(project)
        return Figures.of(purchases, question, self._world.now(), project.rates)

    def _asked(self, request: web.Request, project: Project) -> Asked:
        query = request.query
        today = datetime.fromtimestamp(self._world.now(), UTC).date()
        last = min(_date(query, "end_date", today), today)
        selectors = _selectors(query)
        places, unsupported = _filters(query, self._world.places(project))
        realtime = _realtime(query) and self._world.shape.rows != "v2"
        return Asked(
            name=_chart_name(request),
            first=_date(query, "start_date", last - _DEFAULT_DAYS),
            last=last,
            resolution=_resolution(query),
            question=Question(_currency(query), places, realtime),
            revenue_type=selectors,
            unsupported=unsupported,
            segment=query.get("segment"),
            only=_aggregates(query),
        )


def _chart_name(request: web.Request) -> str:
    name = request.match_info["name"]
    if name not in charts.CHARTS:
        known = ", ".join(charts.CHARTS)
        raise refusals.bad_parameter("chart_name", f"'{name}' is not one of: {known}")
    return name


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(_PAGE))
    if not text.isdecimal() or not int(text):
        raise refusals.bad_parameter("limit", f"'{text}' is not a positive integer")
    return int(text)


def _currency(query: Mapping[str, str]) -> str:
    code = query.get("currency", "USD")
    if code not in charts.CURRENCIES:
        known = ", ".join(charts.CURRENCIES)
        raise refusals.bad_parameter("currency", f"'{code}' is not one of: {known}")
    return code.lower()


def _date(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise refusals.bad_parameter(name, f"'{text}' is not a 'date'") from None


def _resolution(query: Mapping[str, str]) -> str:
    """Return the word for a resolution's id."""
    text = query.get("resolution", "0")
    if not text.isdecimal() or int(text) >= len(charts.RESOLUTIONS):
        raise refusals.bad_parameter("resolution", f"'{text}' is not a resolution id")
    return charts.RESOLUTIONS[int(text)]


def _realtime(query: Mapping[str, str]) -> bool:
    text = query.get("realtime", "true").lower()
    if text not in {"true", "false"}:
        raise refusals.bad_parameter("realtime", f"'{text}' is not a 'boolean'")
    return text == "true"


def _json(query: Mapping[str, str], name: str, kind: Any, default: str) -> Any:
    try:
        return msgspec.json.decode(query.get(name, default), type=kind)
    except msgspec.DecodeError as error:
        raise refusals.bad_parameter(name, f"not valid: {error}") from error


def _selectors(query: Mapping[str, str]) -> str:
    """Return the revenue type, the one selector that the simulator knows."""
    wanted = _json(query, "selectors", dict[str, str], "{}")
    revenue_type = str(wanted.get("revenue_type", "revenue"))
    if revenue_type not in charts.REVENUE_TYPES:
        raise refusals.bad_parameter(
            "selectors", f"'{revenue_type}' is not a revenue_type"
        )
    return revenue_type


class _Filter(msgspec.Struct):
    name: str
    values: list[str]


def _filters(
    query: Mapping[str, str], places: tuple[str, ...]
) -> tuple[frozenset[str] | None, tuple[str, ...]]:
    """Return the stores that are asked for (None = all) and the unknown filters."""
    wanted = _json(query, "filters", list[_Filter], "[]")
    chosen: frozenset[str] | None = None
    unsupported = []
    for each in wanted:
        if each.name == "store":
            chosen = frozenset(each.values) & frozenset(places)
        else:
            unsupported.append(each.name)
    return chosen, tuple(unsupported)


def _aggregates(query: Mapping[str, str]) -> tuple[str, ...]:
    text = query.get("aggregate")
    if text is None:
        return ()
    names = tuple(text.split(","))
    if not set(names) <= {"average", "total"}:
        raise refusals.bad_parameter("aggregate", f"'{text}' is not an aggregate")
    return names
