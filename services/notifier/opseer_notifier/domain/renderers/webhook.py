"""JSON for a program, in the form of Standard Webhooks 1.0.0.

`type` says what it is, `timestamp` when that happened, the same over retries. Its size
is below 20 kB, which is what receivers are advised to take.
"""

from __future__ import annotations

from datetime import UTC

import msgspec

from opseer_notifier.domain.letter import TYPES, Letter
from opseer_notifier.domain.renderers.plain import plain

LARGEST = 20_000


def webhook(letter: Letter) -> bytes:
    """Return the body: what is signed is these bytes."""
    data: dict[str, object] = {**letter.data, "title": letter.title}
    if letter.url:
        data["url"] = letter.url
    body = {
        "type": TYPES[letter.kind],
        "timestamp": letter.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": data,
    }
    found = msgspec.json.encode(body)
    if len(found) >= LARGEST:
        body["data"] = {"title": letter.title, "text": plain(letter)[:4_000]}
        found = msgspec.json.encode(body)
    return found
