"""`opseer doctor`'s look at the mail server: it is greeted, and nothing is sent."""

from __future__ import annotations

import aiosmtplib

from opseer_common.mail_server import MailServer

_SECONDS = 10


async def why_not(server: MailServer) -> str | None:
    """Connect, encrypt and sign in as a report's sending does; None where all works.

    Returns in words what went wrong otherwise.
    """
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        start_tls=True if server.needs_tls and not server.tls else None,
        username=server.username,
        password=server.password,
        timeout=_SECONDS,
    )
    try:
        await client.connect()
        await client.quit()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return " ".join((str(error) or type(error).__name__).split())[:200]
    finally:
        client.close()
    return None
