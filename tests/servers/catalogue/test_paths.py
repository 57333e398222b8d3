"""Entries 89 to 102: paths, ids and queries."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import pytest
from typing_extensions import override

from opseer_common.testing.gateway import Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELIVERY, TOKEN = "/api/v1/deliveries/", "/api/v1/tokens/"
ENTRIES_OF = "/api/v1/revenue/daily/2026-11-01/entries?source=stripe&"
MOVEMENTS = "/api/v1/mrr/movements?source=stripe&"
ID = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True)
class PathEntry:
    """A path as it is sent, and the answer."""

    number: int
    path: str
    status: int = 404
    code: str = "NOT_FOUND"

    @override
    def __str__(self) -> str:
        """Return the test's id."""
        return f"{self.number} {self.path}"


PATHS = (
    PathEntry(89, f"{DELIVERY}..%2f..%2fetc%2fpasswd"),
    PathEntry(89, "/api/v1/integrations/..%2f..%2fetc%2fpasswd"),
    PathEntry(89, "/static/..%2f..%2fapp.py"),
    PathEntry(90, f"{DELIVERY}%00"),
    PathEntry(90, "/api/v1/integrations/stripe%00"),
    PathEntry(91, f"{DELIVERY}%ff%fe"),
    PathEntry(91, "/api/v1/integrations/%ff%fe"),
    PathEntry(92, f"{DELIVERY}../"),
    PathEntry(92, "/../../etc/passwd"),
    PathEntry(93, "//api/v1/mrr"),
    PathEntry(93, "//evil.example/.."),
    PathEntry(94, f"{DELIVERY}{quote(chr(39) + ' OR 1=1--')}"),
    PathEntry(95, f"{DELIVERY}9223372036854775808"),
    PathEntry(95, f"{DELIVERY}-1"),
    PathEntry(95, f"{DELIVERY}1e9"),
    PathEntry(95, f"{DELIVERY}{ID.replace('-', '')}"),
    PathEntry(95, f"{DELIVERY}%7B{ID}%7D"),
    PathEntry(95, f"{DELIVERY}urn:uuid:{ID}"),
)
QUERIES = (
    PathEntry(96, f"{MOVEMENTS}from=2026-02-30", 422, "INVALID_DATE"),
    PathEntry(96, f"{MOVEMENTS}from=20260201", 422, "INVALID_DATE"),
    PathEntry(96, f"{MOVEMENTS}to=0000-01-01", 422, "INVALID_DATE"),
    PathEntry(96, f"{MOVEMENTS}from=", 422, "INVALID_DATE"),
    PathEntry(97, f"{MOVEMENTS}from=2026-11-02&to=2026-11-01", 422, "INVALID_RANGE"),
    PathEntry(98, f"{MOVEMENTS}from=2024-01-01&to=2026-11-01", 422, "INVALID_RANGE"),
    *(
        PathEntry(99, f"/api/v1/deliveries?limit={quote(limit)}", 422, "INVALID_LIMIT")
        for limit in ("0", "-1", "1000000000", "\uff11\uff12", "101", "1.0", "", "+5")
    ),
    *(
        PathEntry(100, f"{ENTRIES_OF}cursor={cursor}", 422, "INVALID_CURSOR")
        for cursor in ("", "AAAAAAAAAAAA", "x" * 601, "%00", "..%2f", "W10")
    ),
    PathEntry(101, f"{MOVEMENTS}grain=;drop", 422, "INVALID_GRAIN"),
    PathEntry(101, f"{MOVEMENTS}format=xml", 422, "INVALID_FORMAT"),
    PathEntry(101, "/api/v1/mrr?source=;drop", 422, "INVALID_SOURCE"),
    PathEntry(101, "/api/v1/mrr", 422, "INVALID_SOURCE"),
)


@pytest.mark.parametrize("entry", [*PATHS, *QUERIES], ids=str)
async def test_refused_paths(
    gateway: RunningGateway, account: Owner, entry: PathEntry
) -> None:
    """404 or 422 as a problem, wherever the path points, and no redirect."""
    head = (
        f"GET {entry.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {account.token}\r\n\r\n"
    )
    said = await gateway.send(head.encode())
    assert said.startswith(b"HTTP/1.1 %d " % entry.status), said
    assert b'"code":"%s"' % entry.code.encode() in said
    assert b"Location" not in said


@pytest.mark.parametrize("path", [TOKEN, "/api/v1/users/", "/api/v1/invitations/"])
@pytest.mark.parametrize("name", [ID, ID.replace("-", ""), "%00", "' OR 1=1--"])
async def test_94_ids_of_other_things(
    gateway: RunningGateway, account: Owner, path: str, name: str
) -> None:
    """What is no id of ours is not there, whatever would be done with it."""
    answer = await gateway.call("DELETE", path + quote(name, "%"), owner=account)
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "zone", ["../../etc/passwd", "Mars/Olympus", "", "UTC\0", "posixrules\n", "utc"]
)
async def test_102_time_zones(
    gateway: RunningGateway, account: Owner, zone: str
) -> None:
    """A zone is a name of the list, never a path."""
    for method, path in (
        ("PATCH", "/api/v1/integrations/stripe"),
        ("PUT", "/api/v1/alerts"),
    ):
        answer = await gateway.call(
            method, path, owner=account, json={"timezone": zone}
        )
        code = "INVALID_TEXT" if "\0" in zone else "INVALID_TIMEZONE"
        assert (answer.status, answer.code) == (422, code)
