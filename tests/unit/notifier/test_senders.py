"""Senders against stand-ins: signatures, and services by Apprise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from opseer_common.clock import utc_now
from opseer_common.contracts.destination import AppriseAddress, WebhookAddress
from opseer_common.testing.listening import listening
from opseer_common.testing.receivers import WEBHOOK_SECRET
from opseer_notifier.domain.letter import Letter
from opseer_notifier.domain.outcome import Again, Refused, Sent
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.senders.others import AppriseSender
from opseer_notifier.senders.outbound import Outbound
from opseer_notifier.senders.webhook import WebhookSender

DELIVERY = UUID("00000000-0000-4000-8000-000000000007")
LETTER = Letter("notice", "Title", "", datetime(2026, 11, 24, tzinfo=UTC), "Wörds.")


class Receiver:
    """Keeps what it got, word for word."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.got: list[tuple[str, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.Response:
        """Answer with the status that was set."""
        self.got.append((await request.text(), dict(request.headers)))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return a server that takes any POST."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.take)
    async with listening(app) as found.url:
        yield found


def parcel(receiver: Receiver, now: datetime) -> Parcel:
    """Return a parcel to the receiver's webhook."""
    address = WebhookAddress(f"{receiver.url}/hook", WEBHOOK_SECRET)
    return Parcel(DELIVERY, LETTER, address, None, now)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
async def test_the_package_verifies_what_is_sent(receiver: Receiver, zone: str) -> None:
    """In whatever zone the instant is written: the package itself signs UTC alone."""
    outbound = Outbound(open_to_all=True)
    now = utc_now().astimezone(ZoneInfo(zone))
    assert await WebhookSender(outbound).send(parcel(receiver, now)) == Sent()
    await outbound.close()
    [(body, headers)] = receiver.got
    verified = Webhook(WEBHOOK_SECRET).verify(body, headers)
    assert verified["type"] == "notice"
    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(body.replace("notice", "notic3"), headers)


async def test_an_old_attempt_is_refused_by_receivers(receiver: Receiver) -> None:
    """Each attempt is signed at its own time: one of an hour ago is too old."""
    outbound = Outbound(open_to_all=True)
    sender = WebhookSender(outbound)
    await sender.send(parcel(receiver, utc_now() - timedelta(hours=1)))
    await sender.send(parcel(receiver, utc_now()))
    await outbound.close()
    old, new = receiver.got
    assert old[0] == new[0]
    assert old[1]["webhook-id"] == new[1]["webhook-id"] == str(DELIVERY)
    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(*old)
    assert Webhook(WEBHOOK_SECRET).verify(*new)


async def test_redirects_are_no_yes(receiver: Receiver) -> None:
    """Only 2xx is a yes."""
    outbound = Outbound(open_to_all=True)
    receiver.status = 302
    outcome = await WebhookSender(outbound).send(parcel(receiver, utc_now()))
    await outbound.close()
    assert isinstance(outcome, Again)


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # its own import
async def test_apprise_where_it_is_allowed(receiver: Receiver) -> None:
    """Title and text arrive; its no is tried again; a URL it does not know is not."""
    to = replace(
        parcel(receiver, utc_now()),
        address=AppriseAddress(receiver.url.replace("http", "json")),
    )
    sender = AppriseSender(allowed=True)
    assert await sender.send(to) == Sent()
    sent = json.loads(receiver.got[0][0])
    assert (sent["title"], sent["message"]) == ("Title", "Wörds.")
    receiver.status = 500
    assert isinstance(await sender.send(to), Again)
    unknown = replace(to, address=AppriseAddress("nonsense://x"))
    assert isinstance(await sender.send(unknown), Refused)


async def test_apprise_where_it_is_not(receiver: Receiver) -> None:
    """It opens connections that nobody guards: not without the operator's word."""
    to = replace(
        parcel(receiver, utc_now()),
        address=AppriseAddress(receiver.url.replace("http", "json")),
    )
    outcome = await AppriseSender(allowed=False).send(to)
    assert isinstance(outcome, Refused)
    assert not outcome.disables
    assert receiver.got == []
