"""Stand-ins for the services that take messages, as strict as their documents say.

Slack (docs.slack.dev, Block Kit), Discord (embed limits), Telegram (Bot API) and a
receiver of Standard Webhooks. What breaks a rule is refused as the service does.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

from aiohttp import web
from standardwebhooks.webhooks import Webhook
from typing_extensions import override

from opseer_common.testing.listening import listening

WEBHOOK_SECRET: Final = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_TAGS: Final = frozenset({"b", "i", "u", "s", "a", "code", "pre"})


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken, or was sent and refused: `status` says."""

    kind: str
    status: int
    headers: Mapping[str, str]
    body: Any
    path: str


@dataclass(slots=True)
class Receivers:
    """What arrived, in order, and what is answered next instead of a yes."""

    url: str = ""
    requests: list[Taken] = field(default_factory=list)
    planned: dict[str, deque[web.Response]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    slow: float = 0.0
    """Seconds before an answer."""

    @property
    def taken(self) -> list[Taken]:
        """Return what was taken."""
        return [one for one in self.requests if one.status < 300]

    def forget(self) -> None:
        """Start anew: nothing came, every answer is a yes."""
        self.requests.clear()
        self.planned.clear()
        self.slow = 0.0

    def answers(
        self,
        kind: str,
        status: int,
        body: object = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next message of `kind` like this."""
        text = body if isinstance(body, str) else json.dumps(body)
        answer = web.Response(status=status, text=text, headers=headers)
        self.planned[kind].append(answer)

    def address(self, kind: str) -> str:
        """Return where a message of `kind` is posted to."""
        paths = {
            "slack": "/services/T0/B0/secret",
            "discord": "/api/webhooks/1/secret",
            "telegram": "",
            "webhook": "/hook",
        }
        return self.url + paths[kind]


async def _answer(
    receivers: Receivers, kind: str, request: web.Request, refusal: web.Response | None
) -> web.Response:
    """Note the request and answer it."""
    text = await request.text()
    planned = receivers.planned[kind]
    answer = refusal or (planned.popleft() if planned else _yes(kind))
    receivers.requests.append(
        Taken(kind, answer.status, request.headers, json.loads(text), request.path)
    )
    if receivers.slow:
        await asyncio.sleep(receivers.slow)
    return answer


def _yes(kind: str) -> web.Response:
    if kind == "slack":
        return web.Response(text="ok")
    if kind == "discord":
        return web.json_response({"id": "1"})
    if kind == "telegram":
        return web.json_response({"ok": True, "result": {"message_id": 1}})
    return web.Response(status=204)


def slack_faults(body: Any) -> list[str]:
    """Return the rules of Block Kit that a message breaks."""
    faults = []
    blocks = body.get("blocks", [])
    if len(blocks) > 50:
        faults.append("over 50 blocks")
    if not body.get("text"):
        faults.append("no text for notifications")
    for block in blocks:
        faults += _block_faults(block)
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_200 * 2:
        faults.append("too long")
    return faults


def _block_faults(block: Any) -> list[str]:
    kind, faults = block.get("type"), []
    text = block.get("text", {}).get("text", "")
    if kind not in {"header", "section", "context", "divider"}:
        faults.append(f"block {kind}")
    if kind == "header" and not 0 < len(text) <= 150:
        faults.append("header")
    if kind == "header" and block["text"]["type"] != "plain_text":
        faults.append("header is plain text")
    if kind == "section":
        fields = block.get("fields", [])
        if not text and not fields:
            faults.append("empty section")
        if len(text) > 3_000 or len(fields) > 10:
            faults.append("section")
        faults += ["field" for one in fields if not 0 < len(one["text"]) <= 2_000]
    if kind == "context" and not 0 < len(block.get("elements", [])) <= 10:
        faults.append("context")
    return faults


def discord_faults(body: Any) -> list[str]:
    """Return the limits of Discord that a message breaks."""
    faults = []
    embeds = body.get("embeds", [])
    if len(body.get("content", "")) > 2_000 or not 0 < len(embeds) <= 10:
        faults.append("content or embeds")
    if body.get("allowed_mentions") != {"parse": []}:
        faults.append("mentions are parsed")
    total = 0
    for embed in embeds:
        fields = embed.get("fields", [])
        texts = [embed.get("title", ""), embed.get("description", "")]
        if len(texts[0]) > 256 or len(texts[1]) > 4_096 or len(fields) > 25:
            faults.append("embed")
        for one in fields:
            if not 0 < len(one["name"]) <= 256 or not 0 < len(one["value"]) <= 1_024:
                faults.append("field")
            texts += [one["name"], one["value"]]
        total += sum(map(len, texts))
    if total > 6_000:
        faults.append("over 6,000 characters")
    return faults


class _Telegram(HTMLParser):
    """Reads Telegram's HTML: known tags, properly nested, nothing left open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.faults: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in _TAGS:
            self.faults.append(f"Unsupported start tag {tag!r}")
        self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append("Unmatched end tag")

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def telegram_faults(body: Any) -> list[str]:
    """Return the rules of sendMessage that a message breaks."""
    if body.get("parse_mode") != "HTML" or not body.get("chat_id"):
        return ["parse_mode or chat_id"]
    reader = _Telegram()
    reader.feed(body["text"])
    reader.close()
    faults = list(reader.faults)
    if reader.open:
        faults.append("Can't find end tag")
    if not 0 < len(reader.text.encode("utf-16-le")) // 2 <= 4_096:
        faults.append("message is too long")
    return faults


async def _slack(request: web.Request) -> web.Response:
    body = await request.json()
    refusal = None
    if slack_faults(body):
        refusal = web.Response(status=400, text="invalid_blocks")
    return await _answer(request.app[STATE], "slack", request, refusal)


async def _discord(request: web.Request) -> web.Response:
    body = await request.json()
    refusal = None
    if discord_faults(body) or request.query.get("wait") != "true":
        refusal = web.json_response({"code": 50035}, status=400)
    return await _answer(request.app[STATE], "discord", request, refusal)


async def _telegram(request: web.Request) -> web.Response:
    body = await request.json()
    refusal = None
    if faults := telegram_faults(body):
        said = {"ok": False, "error_code": 400, "description": faults[0]}
        refusal = web.json_response(said, status=400)
    return await _answer(request.app[STATE], "telegram", request, refusal)


def is_signed(raw: str, headers: Mapping[str, str]) -> bool:
    """Return whether the signature is that of the package, at whatever time."""
    sent_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    signature = Webhook(WEBHOOK_SECRET).sign(headers["webhook-id"], sent_at, raw)
    return signature in headers["webhook-signature"].split(" ")


async def _webhook(request: web.Request) -> web.Response:
    raw = await request.text()
    refusal = None
    if not is_signed(raw, request.headers):
        refusal = web.Response(status=401)
    if len(raw.encode()) >= 20_000:
        refusal = web.Response(status=413)
    return await _answer(request.app[STATE], "webhook", request, refusal)


STATE: Final = web.AppKey("state", Receivers)


@asynccontextmanager
async def receivers() -> AsyncIterator[Receivers]:
    """Run the four on a port of their own."""
    app = web.Application()
    app[STATE] = Receivers()
    app.add_routes(
        [
            web.post("/services/{team}/{bot}/{secret}", _slack),
            web.post("/api/webhooks/{id}/{secret}", _discord),
            web.post("/bot{token}/sendMessage", _telegram),
            web.post("/hook", _webhook),
        ]
    )
    async with listening(app) as app[STATE].url:
        yield app[STATE]
