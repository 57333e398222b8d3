"""Discord, by a channel's webhook.

Source: discord.com/developers, "Execute Webhook" and "Rate Limits".
"""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Final

import msgspec
from yarl import URL

from opseer_common.contracts.destination import DiscordAddress
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Sent
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.renderers.discord import discord
from opseer_notifier.senders.outbound import Outbound, Reply, SendError

_HEADERS: Final = {"Content-Type": "application/json"}
_SENT: Final = frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT})
_GONE: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)


class _Limited(msgspec.Struct):
    """The body of a 429; seconds."""

    retry_after: float


class DiscordSender:
    """Posts an embed."""

    def __init__(self, outbound: Outbound) -> None:
        """Post through `outbound`."""
        self._outbound = outbound

    async def send(self, parcel: Parcel) -> Outcome:
        """Post and wait until the message is there."""
        if not isinstance(parcel.address, DiscordAddress):
            return Refused("WRONG_KIND", "not an address of Discord")
        url = str(URL(parcel.address.url).update_query(wait="true"))
        body = msgspec.json.encode(discord(parcel.letter))
        try:
            reply = await self._outbound.post(url, body, _HEADERS)
        except SendError as error:
            return error.outcome
        return _judged(reply)


def _judged(reply: Reply) -> Outcome:
    words = f"Discord answered {reply.status} {reply.text}".strip()
    if reply.status in _SENT:
        return Sent()
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Again("RATE_LIMITED", words, _retry_after(reply))
    if reply.status in _GONE:
        return Refused("GONE", words)
    if reply.status == HTTPStatus.BAD_REQUEST:
        return Refused("NOT_TAKEN", words, disables=False)
    return Again("FAILED", words, reply.retry_after)


def _retry_after(reply: Reply) -> int | None:
    """Return the delay that Discord asks for, whole seconds."""
    try:
        return ceil(msgspec.json.decode(reply.body, type=_Limited).retry_after)
    except (msgspec.MsgspecError, OverflowError, ValueError):
        return reply.retry_after
