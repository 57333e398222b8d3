"""Where a user's messages may go: judged by form, before anything is sealed or stored.

A refused address is not stored or logged and never repeated in an answer.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

import msgspec

from opseer_common.addresses import is_address, is_public
from opseer_common.contracts.destination import (
    Address,
    AppriseAddress,
    DestinationKind,
    DiscordAddress,
    EmailAddress,
    SlackAddress,
    TelegramAddress,
    WebhookAddress,
)
from opseer_common.errors import RefusedError
from opseer_gateway.domain.credentials import check_email

MOST: Final = 20
"""How many destinations a user may have."""
_LONGEST_URL: Final = 700
_LONGEST_NAME: Final = 60
_SLACK_HOSTS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_DISCORD_HOSTS: Final = frozenset(
    {"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"}
)
_SLACK: Final = re.compile(r"/services/\w+/\w+/\w+", re.ASCII)
_DISCORD: Final = re.compile(r"/api(?:/v\d+)?/webhooks/\d+/[\w-]+", re.ASCII)
_BOT: Final = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{3,100}", re.ASCII)
_CHAT: Final = re.compile(r"-?\d{1,20}|@[A-Za-z]\w{3,31}", re.ASCII)
_APPRISE: Final = re.compile(r"[a-z][a-z0-9+]{1,20}://\S+", re.ASCII)
_SECRET_SIZES: Final = range(24, 65)
_FREE_PORTS: Final = range(1024, 65536)
_NAMES: Mapping[DestinationKind, str] = MappingProxyType(
    {
        "slack": "Slack",
        "discord": "Discord",
        "telegram": "Telegram",
        "email": "E-mail",
        "webhook": "Webhook",
        "apprise": "Apprise",
    }
)


class NewDestination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A destination to add; which fields it needs depends on `kind`.

    slack, discord, webhook and apprise take `url`; a webhook may bring its own `secret`
    (`whsec_…`), else one is made. telegram takes `bot_token`, `chat_id` and perhaps
    `thread_id`; email takes `address`. In a list, `destination_id` alone stands for one
    that is there already and stays.
    """

    kind: DestinationKind | None = None
    destination_id: UUID | None = None
    name: str = ""
    url: str = ""
    secret: str = ""
    bot_token: str = ""
    chat_id: str | int = ""
    thread_id: int | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A destination that may be stored. `hint` may be shown, `address` never.

    `secret` is shown once where it was made here; `unsubscribe` is the token of a
    mail's link.
    """

    kind: DestinationKind
    name: str
    hint: str
    address: Address = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    unsubscribe: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Given:
    """What is judged, and by which rule."""

    new: NewDestination
    name: str
    allow_private: bool


def judge(new: NewDestination, *, allow_private: bool) -> Judged:
    """Return the destination.

    RefusedError: REQUIRED, INVALID_DESTINATION, INVALID_EMAIL.
    """
    if new.kind is None:
        raise RefusedError("REQUIRED", "The field kind is missing.")
    name = new.name.strip() or _NAMES[new.kind]
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise _refused(f"a name has at most {_LONGEST_NAME} printable characters")
    return _JUDGES[new.kind](_Given(new, name, allow_private))


def _slack(given: _Given) -> Judged:
    new, name = given.new, given.name
    url = _url(new.url, allow_private=given.allow_private)
    own = url.hostname in _SLACK_HOSTS and _SLACK.fullmatch(url.path)
    if not own and not given.allow_private:
        raise _refused(
            "an incoming webhook of Slack looks like "
            "https://hooks.slack.com/services/T…/B…/…"
        )
    parts = url.path.split("/")
    bot = parts[-2][:2] if len(parts) > 2 else ""  # noqa: PLR2004 - /services/T/B/secret
    return Judged("slack", name, f"…/{bot}…/****", SlackAddress(url.geturl()))


def _discord(given: _Given) -> Judged:
    new, name = given.new, given.name
    url = _url(new.url, allow_private=given.allow_private)
    own = url.hostname in _DISCORD_HOSTS and _DISCORD.fullmatch(url.path)
    if not own and not given.allow_private:
        raise _refused(
            "a webhook of Discord looks like https://discord.com/api/webhooks/…/…"
        )
    parts = url.path.split("/")
    number = parts[-2][-4:] if len(parts) > 2 else ""  # noqa: PLR2004 - …/id/secret
    return Judged("discord", name, f"…{number}/****", DiscordAddress(url.geturl()))


def _telegram(given: _Given) -> Judged:
    new, name = given.new, given.name
    token, chat = new.bot_token.strip(), str(new.chat_id).strip()
    if not _BOT.fullmatch(token):
        raise _refused("a bot's token looks like 123456:ABC…, from @BotFather")
    if not _CHAT.fullmatch(chat):
        raise _refused("a chat is a number such as -1001234567890, or @channel")
    if new.thread_id is not None and new.thread_id <= 0:
        raise _refused("a topic is a number above zero")
    hint = f"bot {token.partition(':')[0]}, chat …{chat[-4:]}"
    return Judged("telegram", name, hint, TelegramAddress(token, chat, new.thread_id))


def _email(given: _Given) -> Judged:
    new, name = given.new, given.name
    address = check_email(new.address)
    if not address.isascii():
        raise _refused("that is not a plain e-mail address")
    token = secrets.token_urlsafe(32)
    local, _, host = address.rpartition("@")
    return Judged(
        kind="email",
        name=name,
        hint=f"{local[0]}…@{host}",
        address=EmailAddress(address, token),
        unsubscribe=token,
    )


def _webhook(given: _Given) -> Judged:
    new, name = given.new, given.name
    url = _url(new.url, allow_private=given.allow_private)
    made = None
    secret = new.secret.strip()
    if not secret:
        secret = made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    elif not _is_secret(secret):
        raise _refused("a secret is whsec_ and 24 to 64 bytes in base64")
    hint = f"{url.scheme}://{url.netloc}/…"
    return Judged(
        "webhook", name, hint[:80], WebhookAddress(url.geturl(), secret), made
    )


def _apprise(given: _Given) -> Judged:
    new, name = given.new, given.name
    url = new.url.strip()
    if not given.allow_private:
        raise _refused(
            "services of Apprise need OPSEER_ALLOW_PRIVATE_DESTINATIONS=1: they open "
            "connections that Opseer can't guard"
        )
    if len(url) > _LONGEST_URL or not _APPRISE.fullmatch(url):
        raise _refused("a URL of Apprise looks like service://token")
    hint = f"{url.partition(':')[0]}://****"
    return Judged("apprise", name, hint, AppriseAddress(url))


_JUDGES: Mapping[DestinationKind, Callable[[_Given], Judged]] = MappingProxyType(
    {
        "slack": _slack,
        "discord": _discord,
        "telegram": _telegram,
        "email": _email,
        "webhook": _webhook,
        "apprise": _apprise,
    }
)


def _url(text: str, *, allow_private: bool) -> SplitResult:
    """Return an address that may be posted to, as far as its form tells."""
    found = text.strip()
    try:
        parts = urlsplit(found)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise _refused("that is not an address") from None
    plain = found.isascii() and found.isprintable() and " " not in found
    if not plain or len(found) > _LONGEST_URL or parts.fragment:
        raise _refused("that is not an address")
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise _refused("an address begins with https:// and holds no login")
    if allow_private:
        return parts
    if parts.scheme != "https" or not (port in (None, 443) or port in _FREE_PORTS):
        raise _refused("an address begins with https://")
    if host == "localhost" or (is_address(host) and not is_public(host)):
        raise _refused("a private address is not taken here")
    return parts


def _is_secret(text: str) -> bool:
    """Return whether a text is a secret of Standard Webhooks."""
    head, _, body = text.partition("_")
    try:
        raw = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return False
    return head == "whsec" and len(raw) in _SECRET_SIZES


def _refused(words: str) -> RefusedError:
    return RefusedError("INVALID_DESTINATION", f"This can't be added: {words}.")
