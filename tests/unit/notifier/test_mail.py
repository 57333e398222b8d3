"""Mail to a real SMTP server (aiosmtpd)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP

from opseer_common.contracts.destination import EmailAddress
from opseer_common.mail_server import mail_server
from opseer_notifier.domain.letter import Letter
from opseer_notifier.domain.outcome import Again, Refused, Sent, Unknown
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.senders.mail import MailSender

HOST = "127.0.0.2"
"""This machine, by an address that is not taken for it."""
TITLE = "⚠️ Opseer: é"
DELIVERY = UUID("00000000-0000-4000-8000-000000000007")
LETTER = Letter("notice", TITLE, "", datetime(2026, 11, 24, tzinfo=UTC), "Words.")
PARCEL = Parcel(
    DELIVERY,
    LETTER,
    EmailAddress("me@example.com", "token"),
    None,
    datetime(2026, 11, 24, 9, tzinfo=UTC),
)


@dataclass
class Mailbox:
    """Takes mail, or answers as it is told to. Called by aiosmtpd."""

    url: str = ""
    recipient: str = ""
    data: str = ""
    cut: bool = False
    taken: list[EmailMessage] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Answer RCPT TO."""
        envelope.rcpt_tos.append(address)
        return self.recipient or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Answer DATA."""
        if self.cut:
            server.transport.abort()
        if not self.data:
            self.senders.append(envelope.mail_from)
            self.taken.append(
                message_from_bytes(envelope.content, policy=policy.default)
            )
        return self.data or "250 OK"


@pytest.fixture
async def mailbox(request: pytest.FixtureRequest) -> AsyncIterator[Mailbox]:
    """Return a mail server; one with `param` False takes no address beyond ASCII."""
    found = Mailbox()
    loop = asyncio.get_running_loop()
    utf8 = getattr(request, "param", True)
    server = await loop.create_server(
        lambda: SMTP(found, enable_SMTPUTF8=utf8, loop=loop), HOST, 0
    )
    found.url = f"smtp://{HOST}:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()


def sender(mailbox: Mailbox, public_url: str | None = None) -> MailSender:
    """Return a sender to the mail server."""
    return MailSender(
        mail_server(mailbox.url), "Opseer <reports@opseer.example>", public_url
    )


async def test_text_and_html_under_the_deliverys_id(mailbox: Mailbox) -> None:
    """Both parts, a Message-ID that is the same over retries, and one-click leaving."""
    outcome = await sender(mailbox, "https://opseer.example").send(PARCEL)
    assert outcome == Sent()
    [message] = mailbox.taken
    assert mailbox.senders == ["reports@opseer.example"]
    assert message["Message-ID"] == f"<{DELIVERY}@opseer.example>"
    assert message["Subject"] == TITLE
    assert (message["From"], message["To"]) == (
        *("Opseer <reports@opseer.example>", "me@example.com"),
    )
    link = "https://opseer.example/unsubscribe?token=token"
    assert message["List-Unsubscribe"] == f"<{link}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Date"] == "Tue, 24 Nov 2026 09:00:00 +0000"
    assert message.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    text = message.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines()[:3] == [TITLE, "", "Words."]


@pytest.mark.parametrize("mailbox", [False], indirect=True)
async def test_an_address_that_the_server_cannot_take(mailbox: Mailbox) -> None:
    """Nothing was sent, and it never will be: that is said, and not tried again."""
    parcel = replace(PARCEL, address=EmailAddress("jürgen@example.com", "token"))
    assert isinstance(await sender(mailbox).send(parcel), Refused)
    assert mailbox.taken == []


async def test_one_click_needs_https(mailbox: Mailbox) -> None:
    """RFC 8058 asks for https; without an address of ours there is no link at all."""
    await sender(mailbox, "http://opseer.example").send(PARCEL)
    await sender(mailbox).send(PARCEL)
    plain, bare = mailbox.taken
    assert plain["List-Unsubscribe-Post"] is None
    assert plain["List-Unsubscribe"] is not None
    assert bare["List-Unsubscribe"] is None


async def test_a_title_adds_no_header(mailbox: Mailbox) -> None:
    """A line end in a title is a space."""
    evil = replace(LETTER, title="a\r\nBcc: x@example.com")
    await sender(mailbox).send(replace(PARCEL, letter=evil))
    [message] = mailbox.taken
    assert message["Bcc"] is None
    assert message["Subject"] == "a Bcc: x@example.com"


@pytest.mark.parametrize(
    ("answer", "expected", "disables"),
    [
        ("550 5.1.1 no such user", Refused, True),
        ("552 mailbox full", Refused, False),
        ("451 try later", Again, False),
    ],
)
async def test_the_servers_no(
    mailbox: Mailbox, answer: str, expected: type, *, disables: bool
) -> None:
    """5xx is for good, and disables where the mailbox is not there; 4xx is for now."""
    mailbox.recipient = answer
    outcome = await sender(mailbox).send(PARCEL)
    assert isinstance(outcome, expected)
    assert answer[:3] in str(outcome)
    if isinstance(outcome, Refused):
        assert outcome.disables is disables


async def test_a_mail_that_is_not_taken(mailbox: Mailbox) -> None:
    """A message that is refused says nothing about the mailbox."""
    mailbox.data = "554 looks like spam"
    outcome = await sender(mailbox).send(PARCEL)
    assert isinstance(outcome, Refused)
    assert not outcome.disables


async def test_a_server_that_falls_silent_may_have_taken_it(mailbox: Mailbox) -> None:
    """The connection ended after the mail was handed over: nobody knows."""
    mailbox.cut = True
    assert isinstance(await sender(mailbox).send(PARCEL), Unknown)


async def test_no_server_is_no_fault_of_the_mailbox(mailbox: Mailbox) -> None:
    """Not set, or not there: the destination stays."""
    unset = await MailSender(None, None, None).send(PARCEL)
    assert isinstance(unset, Refused)
    assert (unset.code, unset.disables) == ("NO_MAIL_SERVER", False)
    away = MailSender(mail_server("smtp://127.0.0.1:1"), "a@b.example", None)
    assert isinstance(await away.send(PARCEL), Again)


async def test_a_password_is_never_sent_in_the_clear(mailbox: Mailbox) -> None:
    """A server that offers no STARTTLS is not signed in at."""
    server = mail_server(mailbox.url.replace("smtp://", "smtp://me:secret@"))
    outcome = await MailSender(server, "a@b.example", None).send(PARCEL)
    assert isinstance(outcome, Again)
    assert "STARTTLS" in outcome.detail
    assert mailbox.taken == []
