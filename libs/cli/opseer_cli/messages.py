"""Docs that are made from the contracts: docs/MESSAGES.md and docs/asyncapi.json.

`python -m opseer_cli.messages docs` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opseer_common.contracts import MESSAGES, Message
from opseer_common.migrate import migrations
from opseer_common.rights import SAYS
from opseer_common.topology import HEARS, dead_letter_subject, streams

_VIEW = re.compile(r"CREATE VIEW (\w+\.v1_\w+)(.*?) AS\s", re.DOTALL)
_GRANT = re.compile(r"GRANT SELECT\s+ON ([^;]*?)\s+TO ([^;]*?);", re.DOTALL)
_DAY = 86_400


def _who(table: Mapping[str, tuple[type[Message], ...]], message: type[Message]) -> str:
    """Return the services that say or hear `message`."""
    return ", ".join(name for name, said in table.items() if message in said) or "-"


def _fields(message: type[Message]) -> str:
    """Return the fields of a message, without those that all have."""
    own = [n for n in message.model_fields if n not in Message.model_fields]
    return ", ".join(f"`{name}`" for name in own)


def published_views() -> dict[str, tuple[str, ...]]:
    """Return every `v1_*` view beside the services that may read it."""
    sql = "\n".join(migration.sql for migration in migrations())
    views: dict[str, set[str]] = {match[1]: set() for match in _VIEW.finditer(sql)}
    for targets, roles in _GRANT.findall(sql):
        for target in re.split(r",\s*", targets.strip()):
            if target in views:
                views[target] |= set(re.findall(r"opseer_(\w+)", roles))
    return {view: tuple(sorted(readers)) for view, readers in sorted(views.items())}


def page() -> str:
    """Return docs/MESSAGES.md."""
    lines = [
        "# What the services say to each other",
        "",
        "Made by `make messages` from the contracts; a test fails when it is stale.",
        "Messages are pointers: Postgres is the record. Every message also has",
        "`schema_version` and `message_id`, which is derived from the fact, so that a",
        "repeat of a fact is the same message (`Nats-Msg-Id`).",
        "",
        "| subject | said by | heard by | fields |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{m.subject}` | {_who(SAYS, m)} | {_who(HEARS, m)} | {_fields(m)} |"
        for m in MESSAGES
    ]
    lines += ["", "## Streams", "", "| stream | subjects | kept |", "|---|---|---|"]
    for stream in streams():
        subjects = ", ".join(f"`{subject}`" for subject in stream.subjects or ())
        days = int(stream.max_age or 0) // _DAY
        lines.append(f"| {stream.name} | {subjects} | {days} days |")
    lines += [
        "",
        "`collection.progressed` is on core NATS: no stream keeps it.",
        "",
        "## Durables",
        "",
        "Redelivery is without limit; faults are counted in Postgres and the sixth",
        "parks the message on the dead-letter subject and in `dead_letter`.",
        "",
        "| durable | parks on |",
        "|---|---|",
    ]
    lines += [
        f"| `{m.durable(service)}` | `{dead_letter_subject(m.durable(service))}` |"
        for service, heard in HEARS.items()
        for m in heard
    ]
    lines += [
        "",
        "## Published views",
        "",
        "A service reads another's rows through these alone.",
        "",
        "| view | read by |",
        "|---|---|",
    ]
    lines += [f"| `{v}` | {', '.join(r)} |" for v, r in published_views().items()]
    return "\n".join(lines) + "\n"


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 description of the bus."""
    operations: dict[str, Any] = {}
    for action, table in (("send", SAYS), ("receive", HEARS)):
        for service, messages in table.items():
            for message in messages:
                operations[f"{service}-{action}-{message.subject}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{message.subject}"},
                }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Opseer", "version": "1"},
        "channels": {
            m.subject: {
                "address": m.subject,
                "description": inspect.getdoc(m) or "",
                "messages": {
                    m.__name__: {
                        "contentType": "application/json",
                        "payload": m.model_json_schema(),
                    }
                },
            }
            for m in MESSAGES
        },
        "operations": operations,
    }


def write(folder: Path) -> None:
    """Write both files into `folder`."""
    (folder / "MESSAGES.md").write_text(page(), encoding="utf-8")
    text = json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n"
    (folder / "asyncapi.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
