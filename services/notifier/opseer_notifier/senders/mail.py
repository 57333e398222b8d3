"""Mail, handed to the operator's SMTP server."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Final

import aiosmtplib

from opseer_common.contracts.destination import EmailAddress
from opseer_common.mail_server import TIMEOUT_SECONDS, MailServer
from opseer_notifier.domain.outcome import Again, Outcome, Refused, Sent, Unknown
from opseer_notifier.domain.parcel import Parcel
from opseer_notifier.domain.renderers.mail import mail

_PERMANENT: Final = 500
_MAILBOX: Final = frozenset({550, 551, 553, 556})
"""RFC 5321 4.2.3: the mailbox is not there, or not like that."""


class MailSender:
    """Sends text and HTML."""

    def __init__(
        self, server: MailServer | None, sender: str | None, public_url: str | None
    ) -> None:
        """Send by `server` from `sender`; the link that ends it is at `public_url`."""
        self._server = server
        self._sender = sender
        self._public_url = public_url

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand the mail over."""
        if not isinstance(parcel.address, EmailAddress):
            return Refused("WRONG_KIND", "not a mail address")
        if self._server is None or self._sender is None:
            words = "No mail server is set: OPSEER_SMTP_URL and OPSEER_SMTP_FROM."
            return Refused("NO_MAIL_SERVER", words, disables=False)
        message = self._message(parcel, parcel.address, self._sender)
        return await _hand_over(self._server, self._sender, message)

    def _message(
        self, parcel: Parcel, address: EmailAddress, sender: str
    ) -> EmailMessage:
        """Return the mail; its Message-ID is the delivery's id."""
        link = None
        if self._public_url is not None:
            link = f"{self._public_url}/unsubscribe?token={address.unsubscribe}"
        parts = mail(parcel.letter, link)
        message = EmailMessage()
        message["From"] = sender
        message["To"] = address.address
        message["Subject"] = parts.subject
        message["Date"] = format_datetime(parcel.now)
        host = parseaddr(sender)[1].rpartition("@")[2]
        message["Message-ID"] = f"<{parcel.delivery_id}@{host}>"
        message["Auto-Submitted"] = "auto-generated"
        if link is not None:
            message["List-Unsubscribe"] = f"<{link}>"
            if link.startswith("https://"):  # RFC 8058 asks for it
                message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(parts.text)
        message.add_alternative(parts.html, subtype="html")
        return message


async def _hand_over(server: MailServer, sender: str, message: EmailMessage) -> Outcome:
    """Connect, send and say goodbye."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        start_tls=None if not server.needs_tls or server.tls else True,
        username=server.username,
        password=server.password,
        timeout=TIMEOUT_SECONDS,
    )
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        client.close()
        return Again("MAIL_SERVER", f"the mail server: {_words(error)}")
    try:
        await client.send_message(message, sender=parseaddr(sender)[1])
    except (aiosmtplib.SMTPException, OSError) as error:
        return _judged(error)
    finally:
        client.close()
    return Sent()


def _judged(error: Exception) -> Outcome:
    """Return what follows from a failure after the connection was made."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    words = f"the mail server: {_words(error)}"
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Refused("MAIL_REFUSED", words)
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        # It may have taken the mail before it fell silent.
        return Unknown("NO_ANSWER", words)
    if error.code < _PERMANENT:
        return Again("MAIL_DEFERRED", words)
    return Refused("MAIL_REFUSED", words, disables=error.code in _MAILBOX)


def _words(error: Exception) -> str:
    """Return what went wrong in one short line."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return " ".join(f"{error.code} {error.message}".split())[:200]
    return " ".join((str(error) or type(error).__name__).split())[:200]
