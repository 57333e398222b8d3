"""Which provider keys are taken: judged by their form alone, before anything else.

A refused key is not stored, logged or sent anywhere, and never repeated in an answer.
Rules: docs/decisions and the key forms that Stripe, RevenueCat and Polar publish.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NoReturn

from opseer_common.contracts import Source
from opseer_common.errors import RefusedError

_OUTER_SPACE: Final = " \t\n\r\v\f"
_SHOWN = 4
_QUOTES = frozenset("\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb")


@dataclass(frozen=True, slots=True)
class _Family:
    """The keys that one source takes, and those of others that people paste."""

    accepted: re.Pattern[str]
    heads: re.Pattern[str]
    """The head of an accepted key, without regard to case."""
    others: re.Pattern[str]
    """Heads of known other families, without regard to case."""
    wanted: str
    wrong_family: str


_FAMILIES: Mapping[Source, _Family] = MappingProxyType(
    {
        "stripe": _Family(
            accepted=re.compile(r"rk_(live|test)_[A-Za-z0-9]{16,247}", re.ASCII),
            heads=re.compile(r"rk_(?:live|test)_", re.ASCII | re.IGNORECASE),
            others=re.compile(
                r"(?:sk|pk|ek|rkcs|whsec|pss|atk|ops|polar|appl|goog)_",
                re.ASCII | re.IGNORECASE,
            ),
            wanted="a Restricted API Key (rk_live_… or rk_test_…)",
            wrong_family=(
                "Only Restricted Keys (rk_) are allowed. You entered a Standard key "
                "(pk_ or sk_) or a key for something else: take one that begins with "
                "rk_live_ or rk_test_, in lower case. Create it at "
                "dashboard.stripe.com/apikeys."
            ),
        ),
        "revenuecat": _Family(
            accepted=re.compile(r"(?:sk|atk)_[A-Za-z0-9]{16,247}", re.ASCII),
            heads=re.compile(r"(?:sk|atk)_", re.ASCII | re.IGNORECASE),
            others=re.compile(
                r"(?:sk_live|sk_test|rk|pk|ek|rkcs|whsec|pss|ops|polar|appl|goog|amzn"
                r"|strp|rcb|test)_",
                re.ASCII | re.IGNORECASE,
            ),
            wanted="a RevenueCat secret API key v2 (sk_… or atk_…)",
            wrong_family=(
                "Only RevenueCat secret API keys v2 (sk_… or atk_…) are allowed, in "
                "lower case. sk_live_ and sk_test_ are Stripe's; the app's public "
                "keys can't read charts."
            ),
        ),
        "polar": _Family(
            accepted=re.compile(r"polar_oat_[A-Za-z0-9_]{16,247}", re.ASCII),
            heads=re.compile(r"polar_oat_", re.ASCII | re.IGNORECASE),
            others=re.compile(
                r"(?:polar_(?!oat_)[a-z]+|sk|rk|pk|ek|rkcs|whsec|pss|atk|ops|appl|goog)_",
                re.ASCII | re.IGNORECASE,
            ),
            wanted="a Polar organization access token (polar_oat_…)",
            wrong_family=(
                "Only Polar organization access tokens (polar_oat_…) are allowed, in "
                "lower case."
            ),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class FittingKey:
    """A key of the right form. `hint` may be shown, `text` never."""

    source: Source
    text: str = field(repr=False)
    hint: str
    livemode: bool
    """What the key says of itself; True where its provider has no modes."""


def check(source: Source, pasted: str) -> FittingKey:
    """Return the key in `pasted`, without the ASCII space around it.

    Raises RefusedError: REQUIRED for nothing, INVALID_PREFIX for a key of a known
    other family (case counts), INVALID_FORMAT for anything else.
    """
    text = pasted.strip(_OUTER_SPACE)
    if not text:
        raise RefusedError("REQUIRED", "Paste the key: the field is empty.")
    family = _FAMILIES[source]
    found = family.accepted.fullmatch(text)
    if found is None:
        _refuse(family, text)
    head = family.heads.match(text)
    assert head is not None  # noqa: S101 - an accepted key begins with its head
    return FittingKey(
        source=source,
        text=text,
        hint=f"{head.group()}…{text[-_SHOWN:]}",
        livemode=not text.startswith("rk_test_"),
    )


def _refuse(family: _Family, text: str) -> NoReturn:
    """Say what is wrong with a key that does not fit."""
    if family.others.match(text) or _only_case_differs(family, text):
        raise RefusedError("INVALID_PREFIX", family.wrong_family)
    raise RefusedError("INVALID_FORMAT", f"This is not {family.wanted}: {_why(text)}")


def _only_case_differs(family: _Family, text: str) -> bool:
    """Return whether the head would be right in lower case."""
    head = family.heads.match(text)
    return head is not None and head.group() != head.group().lower()


def _why(text: str) -> str:
    """Return in words what probably went wrong, without repeating anything."""
    if text.lower().startswith(("bearer ", "authorization:", "basic ")):
        return "paste the key alone, without the word before it."
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return "paste it without quotation marks."
    if not text.isascii() or not text.isprintable():
        return "it contains hidden characters or letters that no key has."
    if " " in text:
        return "it contains a space."
    if text.endswith(":"):
        return "paste it without the colon at its end."
    return "it is cut off, too long, or holds characters that no key has."
