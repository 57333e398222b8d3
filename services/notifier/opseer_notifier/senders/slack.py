"""Slack, by an incoming webhook.

Source: docs.slack.dev, "Sending messages using incoming webhooks", errors.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from opseer_common.contracts.destination import SlackAddress
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Sent
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.renderers.slack import slack
from opseer_notifier.senders.outbound import Outbound, Reply, SendError

_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
_GONE: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_GONE_WORDS: Final = (
    "channel_not_found",
    "channel_is_archived",
    "no_service",
    "invalid_token",
    "action_prohibited",
    "posting_to_general_channel_denied",
    "user_not_found",
)


class SlackSender:
    """Posts blocks."""

    def __init__(self, outbound: Outbound) -> None:
        """Post through `outbound`."""
        self._outbound = outbound

    async def send(self, parcel: Parcel) -> Outcome:
        """Post; Slack answers "ok"."""
        if not isinstance(parcel.address, SlackAddress):
            return Refused("WRONG_KIND", "not an address of Slack")
        body = msgspec.json.encode(slack(parcel.letter))
        try:
            reply = await self._outbound.post(parcel.address.url, body, _HEADERS)
        except SendError as error:
            return error.outcome
        return _judged(reply)


def _judged(reply: Reply) -> Outcome:
    words = f"Slack answered {reply.status} {reply.text}".strip()
    if reply.status == HTTPStatus.OK:
        return Sent()
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Again("RATE_LIMITED", words, reply.retry_after)
    if reply.status in _GONE or reply.text.startswith(_GONE_WORDS):
        return Refused("GONE", words)
    if reply.status == HTTPStatus.BAD_REQUEST:
        return Refused("NOT_TAKEN", words, disables=False)
    return Again("FAILED", words, reply.retry_after)
