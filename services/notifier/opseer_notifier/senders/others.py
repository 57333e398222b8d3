"""More services by Apprise, where the extra `opseer[apprise]` is installed.

Apprise opens its own connections, which nothing here can guard: so it is used only
where OPSEER_ALLOW_PRIVATE_DESTINATIONS is set.
"""

from __future__ import annotations

import asyncio
import importlib
from importlib.util import find_spec
from typing import Final

from opseer_common.contracts.destination import AppriseAddress
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Sent, Unknown
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.renderers.plain import plain

_SECONDS: Final = 30.0


class AppriseSender:
    """Sends plain text."""

    def __init__(self, *, allowed: bool) -> None:
        """Send where `allowed`."""
        self._allowed = allowed

    async def send(self, parcel: Parcel) -> Outcome:
        """Send in a thread: Apprise waits for its services."""
        if not isinstance(parcel.address, AppriseAddress):
            return Refused("WRONG_KIND", "not an address of Apprise")
        if not self._allowed:
            words = "Apprise needs OPSEER_ALLOW_PRIVATE_DESTINATIONS=1."
            return Refused("FORBIDDEN_ADDRESS", words, disables=False)
        if find_spec("apprise") is None:
            words = "Apprise is not installed: install opseer[apprise]."
            return Refused("NO_APPRISE", words, disables=False)
        title, _, body = plain(parcel.letter).partition("\n")
        try:
            async with asyncio.timeout(_SECONDS):
                return await asyncio.to_thread(
                    _notify, parcel.address.url, title, body.strip()
                )
        except TimeoutError:
            return Unknown("NO_ANSWER", "the service did not answer in time")


def _notify(url: str, title: str, body: str) -> Outcome:
    """Send; Apprise says yes or no, and not why."""
    apprise = importlib.import_module("apprise")
    sender = apprise.Apprise()
    if not sender.add(url):
        return Refused("NOT_TAKEN", "Apprise knows no service by this URL")
    if sender.notify(title=title, body=body or title, body_format="text"):
        return Sent()
    return Again("FAILED", "the service did not take the message")
