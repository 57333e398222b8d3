"""A signed webhook, by Standard Webhooks 1.0.0."""

from __future__ import annotations

from datetime import UTC
from http import HTTPStatus

from standardwebhooks.webhooks import Webhook

from opseer_common.contracts.destination import WebhookAddress
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Sent
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.renderers.webhook import webhook
from opseer_notifier.senders.outbound import Outbound, Reply, SendError


class WebhookSender:
    """Posts JSON with an id that is the same over retries, and a signature."""

    def __init__(self, outbound: Outbound) -> None:
        """Post through `outbound`."""
        self._outbound = outbound

    async def send(self, parcel: Parcel) -> Outcome:
        """Post; only an answer of 2xx is a yes."""
        if not isinstance(parcel.address, WebhookAddress):
            return Refused("WRONG_KIND", "not an address of a webhook")
        body = webhook(parcel.letter)
        name = str(parcel.delivery_id)
        # The package takes any instant's wall clock for UTC's: give it UTC alone.
        now = parcel.now.astimezone(UTC)
        signature = Webhook(parcel.address.secret).sign(name, now, body.decode())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        try:
            reply = await self._outbound.post(parcel.address.url, body, headers)
        except SendError as error:
            return error.outcome
        return _judged(reply)


def _judged(reply: Reply) -> Outcome:
    words = f"The receiver answered {reply.status}"
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return Sent()
    if reply.status == HTTPStatus.GONE:
        return Refused("GONE", words)
    return Again("FAILED", words, reply.retry_after)
