"""What RevenueCat's API says, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from opseer_simulator.revenuecat import charts
from opseer_simulator.revenuecat.charts import cell
from opseer_simulator.revenuecat.figures import Period

if TYPE_CHECKING:
    from opseer_simulator.revenuecat.api import Asked
    from opseer_simulator.revenuecat.world import Project, Shape

_STORES = {"app_store": "App Store", "stripe": "Stripe"}
_FORMER_STORES = ("play_store", "amazon", "rc_billing", "promotional")


def project_json(project: Project) -> dict[str, Any]:
    """Return a project."""
    return {
        "object": "project",
        "id": project.id,
        "name": project.name,
        "created_at": project.created * 1000,
        "icon_url": None,
        "icon_url_large": None,
    }


def overview_json(
    period: Period, currency: str, now: int, shape: Shape
) -> dict[str, Any]:
    """Return the overview of the 28 days that end now."""
    flow = period.flow
    metrics = (
        ("active_trials", "Active Trials", "#", "P0D", period.trials),
        ("active_subscriptions", "Active Subscriptions", "#", "P0D", period.actives),
        ("mrr", "MRR", "$", "P28D", period.mrr),
        ("revenue", "Revenue", "$", "P28D", flow.revenue),
        ("new_customers", "New Customers", "#", "P28D", flow.customers_new),
        ("active_users", "Active Users", "#", "P28D", 7 * flow.customers_new),
    )
    whole = shape.overview == "whole"
    moment = datetime.fromtimestamp(now, UTC)
    return {
        "object": "overview_metrics",
        "metrics": [
            {
                "object": "overview_metric",
                "id": key,
                "name": name,
                "description": name,
                "unit": unit,
                "period": span,
                "value": round(shown) if whole else shown,
                "last_updated_at": now * 1000,
                "last_updated_at_iso8601": moment.isoformat(),
            }
            for key, name, unit, span, value in metrics
            for shown in (cell(value, unit, currency),)
        ],
    }


def chart_json(asked: Asked, periods: Sequence[Period], shape: Shape) -> dict[str, Any]:
    """Return a chart."""
    apart = shape.movements == "apart"
    chart = charts.chart_named(asked.name, asked.revenue_type, apart=apart)
    currency = asked.question.currency
    values: list[Any] = []
    if not asked.only:
        values = _values(asked, chart, periods, shape)
    return {
        "object": "chart_data",
        "category": chart.category,
        "display_type": "line",
        "display_name": chart.name,
        "description": f"{chart.name} of the period",
        "documentation_link": f"dashboard-and-metrics/charts/{asked.name}",
        "last_computed_at": None,
        "start_date": _ms(asked.first),
        "end_date": _ms(asked.last),
        "yaxis_currency": currency.upper(),
        "filtering_allowed": True,
        "segmenting_allowed": False,
        "resolution": asked.resolution,
        "values": values,
        "summary": charts.summary(
            chart, periods, currency, asked.only or ("average", "total")
        ),
        "yaxis": chart.measures[0].unit if chart.measures else "#",
        "segments": None,
        "segments_limit": None,
        "measures": _measures(chart) if asked.question.realtime else None,
        "user_selectors": {"revenue_type": asked.revenue_type},
        "unsupported_params": {
            "filters": list(asked.unsupported),
            "segment": asked.segment,
        },
    }


def options_json(name: str, places: Sequence[str]) -> dict[str, Any]:
    """Return what can be asked of a chart: the stores it knows and more."""
    stores = [*places, *_FORMER_STORES]
    answer: dict[str, Any] = {
        "object": "chart_options",
        "resolutions": [
            {"id": str(number), "display_name": word}
            for number, word in enumerate(charts.RESOLUTIONS)
        ],
        "segments": [],
        "filters": [
            {
                "id": "store",
                "display_name": "Store",
                "group_display_name": "Purchase",
                "options": [
                    {"id": each, "display_name": _STORES.get(each, each)}
                    for each in stores
                ],
            }
        ],
        "user_selectors": None,
    }
    if name == "revenue":
        answer["user_selectors"] = {
            "revenue_type": {
                "default": "revenue",
                "display_name": "Revenue type",
                "options": [
                    {"id": each, "display_name": title}
                    for each, (title, _) in charts.REVENUE_TYPES.items()
                ],
            }
        }
    return answer


def _values(
    asked: Asked, chart: charts.Chart, periods: Sequence[Period], shape: Shape
) -> list[Any]:
    """Return the rows: one for each measure (v3), or one for all of them (v2)."""
    currency = asked.question.currency
    scale = 1000 if shape.unit == "ms" else 1
    rows: list[Any] = []
    for period in periods:
        cells = [cell(m.of(period), m.unit, currency) for m in chart.measures]
        cohort = period.start * scale
        if not asked.question.realtime:
            rows.append([cohort, *cells])
            continue
        rows.extend(
            {
                "cohort": cohort,
                "incomplete": not period.complete,
                "measure": number,
                "value": value,
            }
            for number, value in enumerate(cells)
        )
    return rows


def _measures(chart: charts.Chart) -> list[dict[str, Any]]:
    return [
        {
            "display_name": measure.name,
            "description": measure.name,
            "unit": measure.unit,
            "decimal_precision": 0 if measure.unit == "#" else 2,
            "chartable": True,
            "tabulable": True,
        }
        for measure in chart.measures
    ]


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
