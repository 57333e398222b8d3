"""What is put aside where a provider's own figures cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from zoneinfo import ZoneInfo

from opseer_collector.domain.records import Quarantined
from opseer_common.days import ONE_DAY, start_of


def of_day(
    endpoint: str, raw: bytes, path: str, day: date | None, tz: ZoneInfo
) -> Quarantined:
    """Return what is kept of one entry: its path and hash, and its day if known."""
    digest = sha256(raw)
    since = until = None
    if day is not None:
        since = int(start_of(day, tz).timestamp())
        until = int(start_of(day + ONE_DAY, tz).timestamp())
    object_id = f"sha256:{digest.hexdigest()[:16]}"
    return Quarantined(endpoint, object_id, path, digest.digest(), since, until)


def of_answer(
    endpoint: str, project: str, path: str, since: int, until: int
) -> Quarantined:
    """Return what is kept of a whole answer about [since, until), unix seconds."""
    name = f"page:{endpoint}:{project}"
    digest = sha256(name.encode()).digest()
    return Quarantined(endpoint, name[:200], path[:200], digest, since, until)


def without_repeats(rows: Iterable[Quarantined]) -> list[Quarantined]:
    """Return each object once."""
    return [*{row.object_id: row for row in rows}.values()]
