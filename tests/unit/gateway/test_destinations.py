"""Which destinations are taken, judged by their form."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from opseer_common.contracts.destination import (
    DiscordAddress,
    EmailAddress,
    SlackAddress,
    TelegramAddress,
    WebhookAddress,
)
from opseer_common.errors import RefusedError
from opseer_gateway.domain.destinations import NewDestination, judge

SLACK = "https://hooks.slack.com/" + "services/T00000000/B00000000/XXXX"
DISCORD = "https://discord.com/api/webhooks/1234567890/abc-DEF_1"
TOKEN = "123456:" + "a" * 35
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def test_what_fits_is_masked() -> None:
    """The hint says which one it is, and nothing that opens it."""
    cases: list[tuple[dict[str, Any], object, str]] = [
        ({"kind": "slack", "url": f" {SLACK} "}, SlackAddress(SLACK), "…/B0…/****"),
        (
            {"kind": "discord", "url": DISCORD},
            DiscordAddress(DISCORD),
            "…7890/****",
        ),
        (
            {"kind": "telegram", "bot_token": TOKEN, "chat_id": -100123},
            TelegramAddress(TOKEN, "-100123"),
            "bot 123456, chat …0123",
        ),
        (
            {"kind": "webhook", "url": "https://a.example:8443/x?y", "secret": SECRET},
            WebhookAddress("https://a.example:8443/x?y", SECRET),
            "https://a.example:8443/…",
        ),
    ]
    for fields, address, hint in cases:
        found = judge(NewDestination(**fields), allow_private=False)
        assert (found.address, found.hint, found.secret) == (address, hint, None)
        assert "XXXX" not in repr(found)


def test_a_mailbox_gets_a_token_to_leave_by() -> None:
    """It stands in the sealed address and nowhere else but hashed."""
    new = NewDestination(kind="email", address="me@example.com", name="  Me  ")
    found = judge(new, allow_private=False)
    assert isinstance(found.address, EmailAddress)
    assert found.address.unsubscribe == found.unsubscribe
    assert (found.hint, found.name) == ("m…@example.com", "Me")
    assert str(found.unsubscribe) not in repr(found)


def test_a_secret_is_made_where_none_is_given() -> None:
    """32 random bytes, shown to the one who adds it."""
    new = NewDestination(kind="webhook", url="https://a.example/")
    first, second = (judge(new, allow_private=False) for _ in range(2))
    assert first.secret is not None
    assert len(base64.b64decode(first.secret.removeprefix("whsec_"))) == 32
    assert first.secret != second.secret


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "slack", "url": DISCORD},
        {"kind": "slack", "url": SLACK.replace("https", "http")},
        {"kind": "slack", "url": SLACK.replace("hooks.slack.com", "hooks.slack.co")},
        {"kind": "slack", "url": SLACK.replace(".com/", ".com.evil.example/")},
        {"kind": "slack", "url": SLACK.replace("https://", "https://u@")},
        {"kind": "discord", "url": SLACK},
        {"kind": "discord", "url": DISCORD + "#x"},
        {"kind": "telegram", "bot_token": TOKEN, "chat_id": "me"},
        {"kind": "telegram", "bot_token": TOKEN + "/", "chat_id": "1"},
        {"kind": "telegram", "bot_token": TOKEN, "chat_id": "1", "thread_id": 0},
        {"kind": "webhook", "url": "https://a.example/", "secret": "whsec_c2hvcnQ="},
        {"kind": "webhook", "url": "https://a.example/", "secret": SECRET[6:]},
        {"kind": "webhook", "url": "https://a.example/" + "x" * 700},
        {"kind": "webhook", "url": "https://a.example/\u200b"},
        {"kind": "webhook", "url": "https://a.example/ x"},
        {"kind": "webhook", "url": "https://localhost/"},
        {"kind": "webhook", "url": "https://a.example:99999/"},
        {"kind": "email", "address": "ä@c.example"},
        {"kind": "apprise", "url": "ntfy://topic"},
        {"kind": "slack", "url": SLACK, "name": "x" * 61},
        {"kind": "slack", "url": SLACK, "name": "a\nb"},
    ],
)
def test_what_does_not_fit(fields: dict[str, Any]) -> None:
    """Another service's address, a private one, or one that is none."""
    with pytest.raises(RefusedError) as caught:
        judge(NewDestination(**fields), allow_private=False)
    assert caught.value.code == "INVALID_DESTINATION"
    for value in fields.values():
        if isinstance(value, str) and len(value) > 12:
            assert value not in caught.value.detail


def test_where_private_ones_are_allowed() -> None:
    """Own servers that speak as Slack and Discord do, http, and Apprise."""
    private: tuple[dict[str, Any], ...] = (
        {"kind": "slack", "url": "http://127.0.0.1:8065/hooks/abc"},
        {"kind": "discord", "url": "http://localhost/hook"},
        {"kind": "webhook", "url": "http://10.0.0.7/hook"},
        {"kind": "apprise", "url": "ntfy://host/topic"},
    )
    for fields in private:
        found = judge(NewDestination(**fields), allow_private=True)
        assert found.kind == fields["kind"]
