"""Telegram, by a bot of the user's.

Source: core.telegram.org/bots/api, "Making requests", ResponseParameters, sendMessage.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from opseer_common.contracts.destination import TelegramAddress
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Sent
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.renderers.telegram import telegram
from opseer_notifier.senders.outbound import Outbound, Reply, SendError

_HEADERS: Final = {"Content-Type": "application/json"}
_GONE: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)


class _Parameters(msgspec.Struct):
    retry_after: int | None = None
    migrate_to_chat_id: int | None = None


class _Answer(msgspec.Struct):
    ok: bool
    error_code: int = 0
    description: str = ""
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


class TelegramSender:
    """Sends HTML to a chat. The bot's token is in the URL, which no log shows."""

    def __init__(self, outbound: Outbound, base: str) -> None:
        """Post to the Bot API at `base`, without a slash at its end."""
        self._outbound = outbound
        self._base = base

    async def send(self, parcel: Parcel) -> Outcome:
        """Send to the chat, or to where it moved."""
        address = parcel.address
        if not isinstance(address, TelegramAddress):
            return Refused("WRONG_KIND", "not an address of Telegram")
        url = f"{self._base}/bot{address.bot_token}/sendMessage"
        message: dict[str, Any] = {
            "chat_id": parcel.moved_to or address.chat_id,
            "text": telegram(parcel.letter),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if address.thread_id is not None:
            message["message_thread_id"] = address.thread_id
        try:
            reply = await self._outbound.post(
                url, msgspec.json.encode(message), _HEADERS
            )
        except SendError as error:
            return error.outcome
        return _judged(reply)


def _judged(reply: Reply) -> Outcome:
    try:
        answer = msgspec.json.decode(reply.body, type=_Answer)
    except msgspec.MsgspecError:
        return Again("FAILED", f"Telegram answered {reply.status}", reply.retry_after)
    return Sent() if answer.ok else _refused(answer, reply)


def _refused(answer: _Answer, reply: Reply) -> Outcome:
    """Return what follows from a no."""
    code = answer.error_code or reply.status
    words = f"Telegram answered {code} {answer.description[:200]}".strip()
    told = answer.parameters
    if told.migrate_to_chat_id is not None:
        return Again("MOVED", words, moved_to=str(told.migrate_to_chat_id))
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return Again("RATE_LIMITED", words, told.retry_after)
    if code in _GONE or "chat not found" in answer.description.lower():
        return Refused("GONE", words)
    if code == HTTPStatus.BAD_REQUEST:
        return Refused("NOT_TAKEN", words, disables=False)
    return Again("FAILED", words, told.retry_after)
