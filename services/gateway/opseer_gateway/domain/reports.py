"""The stored daily report, held against what is connected now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from opseer_gateway.domain.integrations import Known

TITLE: Final = "📊 Opseer Revenue Daily Report"
METRICS: Final = (
    ("mrr", "MRR"),
    ("revenue", "Revenue"),
    ("orders", "Orders"),
    ("new_subs", "New Subs"),
    ("churned", "Churned"),
)
_MODES: Final = {"test": "TEST MODE", "demo": "DEMO"}


def current(
    stored: Mapping[str, Any] | None,
    built_at: datetime | None,
    day: date,
    timezone: str,
    all_known: Sequence[Known],
) -> Mapping[str, Any]:
    """Return the report of `day` without a number of a connection that is gone.

    A channel that is disconnected is left out. One that was connected after the
    report was built, or has no report yet, has null values (COLLECTING).
    """
    built = {} if stored is None else {c["source"]: c for c in stored["channels"]}
    channels = []
    for known in all_known:
        connection = known.connection
        if connection is None:
            continue
        is_newer = built_at is None or connection.connected_at > built_at
        if is_newer or known.source not in built:
            channels.append(_empty_channel(known))
        else:
            channels.append(built[known.source])
    base = stored or {
        "date": day.isoformat(),
        "timezone": timezone,
        "title": _title(channels),
    }
    return {**base, "channels": channels}


def _empty_channel(known: Known) -> dict[str, Any]:
    """Return a channel whose figures are still collected."""
    connection = known.connection
    return {
        "source": known.source,
        "currency": known.currency,
        "environment": connection.environment if connection else None,
        "metrics": [
            {
                "key": key,
                "label": label,
                "value": None,
                "previous": None,
                "average_7d": None,
                "status": "missing",
                "reason": "COLLECTING",
            }
            for key, label in METRICS
        ],
    }


def _title(channels: Sequence[Mapping[str, Any]]) -> str:
    """Return the title, with the mode where a channel is not live."""
    modes = {_MODES.get(channel["environment"], "") for channel in channels} - {""}
    return f"{TITLE} · {' · '.join(sorted(modes))}" if modes else TITLE
