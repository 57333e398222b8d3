"""Where messages go, as it is sealed: the gateway writes it, the notifier opens it."""

from __future__ import annotations

from typing import Literal

import msgspec

DestinationKind = Literal["slack", "discord", "telegram", "email", "webhook", "apprise"]


class SlackAddress(msgspec.Struct, frozen=True, tag_field="kind", tag="slack"):
    """An incoming webhook of a Slack channel; whoever has the URL may post."""

    url: str


class DiscordAddress(msgspec.Struct, frozen=True, tag_field="kind", tag="discord"):
    """A webhook of a Discord channel; whoever has the URL may post."""

    url: str


class TelegramAddress(msgspec.Struct, frozen=True, tag_field="kind", tag="telegram"):
    """A chat that a bot of the user's writes to; `thread_id` is a topic in it."""

    bot_token: str
    chat_id: str
    thread_id: int | None = None


class EmailAddress(msgspec.Struct, frozen=True, tag_field="kind", tag="email"):
    """A mailbox. Whoever has the `unsubscribe` token may end it without signing in."""

    address: str
    unsubscribe: str


class WebhookAddress(msgspec.Struct, frozen=True, tag_field="kind", tag="webhook"):
    """A URL that takes signed JSON; `secret` is `whsec_…` (Standard Webhooks)."""

    url: str
    secret: str


class AppriseAddress(msgspec.Struct, frozen=True, tag_field="kind", tag="apprise"):
    """A URL in Apprise's own notation."""

    url: str


Address = (
    SlackAddress
    | DiscordAddress
    | TelegramAddress
    | EmailAddress
    | WebhookAddress
    | AppriseAddress
)


def encode(address: Address) -> str:
    """Return the text that is sealed."""
    return msgspec.json.encode(address).decode()


def decode(text: str) -> Address:
    """Return the address in an opened record. msgspec.ValidationError for another."""
    found: Address = msgspec.json.decode(text, type=Address)
    return found
