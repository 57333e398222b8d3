"""Reading OPSEER_SMTP_URL and OPSEER_SMTP_FROM."""

from __future__ import annotations

import pytest

from opseer_common.mail_server import MailServer, mail_address, mail_server


def test_what_is_read() -> None:
    """Ports by scheme, a password in percent, TLS where it must be."""
    found = mail_server("smtp://me%40x:p%3Aw@mail.example.com")
    assert found == MailServer("mail.example.com", 587, False, "me@x", "p:w")  # noqa: FBT003
    assert found.needs_tls
    assert mail_server("smtps://mail.example.com").port == 465
    assert mail_server("smtps://mail.example.com").tls
    assert not mail_server("smtp://localhost:2525").needs_tls
    assert "p:w" not in repr(found)


@pytest.mark.parametrize(
    "url", ["mail.example.com", "http://x", "smtp://", "smtp://user@x", "smtp://x/path"]
)
def test_what_is_none(url: str) -> None:
    """Anything else is refused at the start."""
    with pytest.raises(ValueError, match="a mail server"):
        mail_server(url)


@pytest.mark.parametrize("text", ["me", "@x", "a@b c", "a@"])
def test_an_address_that_is_none(text: str) -> None:
    """A sender has an address."""
    with pytest.raises(ValueError, match="an address"):
        mail_address(text)
