"""What the revenue page says when not all is well, as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from opseer_common.channels import CHANNELS
from opseer_gateway.actions.board import Board
from opseer_gateway.domain.integrations import (
    SOURCE_NAMES,
    Integration,
    Progress,
)
from opseer_gateway.pages import formats
from opseer_gateway.pages.frame import ago

_DETAIL: Final = "further details"
LOST: Mapping[str, str] = MappingProxyType(
    {
        "balance": "connecting at all",
        "balance_transaction_source": "net revenue, charges and refunds",
        "charges_and_refunds": "failed payments",
        "customers": "customer names",
        "disputes": "dispute details",
        "events": "MRR movements and Yesterday MRR",
        "invoices": "usage-based MRR",
        "prices": "tiered prices in MRR",
        "products": "plan names",
        "subscriptions": "MRR and active subscriptions",
    }
)
"""What there is not without a permission."""
STAGES: Mapping[str, str] = MappingProxyType(
    {
        "queued": "Waiting for its turn",
        "computing": "Computing MRR and the report",
    }
)
"""The stages of a run that are not the name of what is read."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence on the page's state; `link` is an address and words, or None."""

    mood: Literal["info", "warn", "bad"]
    text: str
    note: str = ""
    link: tuple[str, str] | None = None


def progress_words(found: Progress) -> str:
    """Return how far an open run is, in words."""
    stage = STAGES.get(found.stage, found.stage.replace("_", " ").capitalize())
    if not found.total:
        return f"{stage}…"
    left = "" if found.eta_s is None else f", about {found.eta_s} s left"
    return f"{stage}: {found.done} of {found.total}{left}"


def notices(board: Board) -> list[Notice]:
    """Return what the user should know before reading the figures, worst first."""
    row = board.integration
    found = [*_refused(row), *_missing(row), *_flags(board)]
    found += [Notice("info", one.detail, link=_fix(row)) for one in row.notices]
    if row.last_error is not None and row.state != "auth_failed":
        found.append(
            Notice(
                "warn",
                f"{row.last_error.code} — {row.last_error.detail}",
                "It is tried again by itself.",
            )
        )
    return found


def _fix(row: Integration) -> tuple[str, str]:
    return f"/dashboard/integrations/{row.source}", "Fix"


def _refused(row: Integration) -> list[Notice]:
    """Say that the provider refuses the key."""
    if row.state != "auth_failed":
        return []
    name = SOURCE_NAMES[row.source]
    if row.source != "stripe":
        text = f"AUTH_FAILED — {name} refused this key."
        note = "It is expired or revoked, or its rights are missing."
        return [Notice("bad", text, note, _fix(row))]
    return [
        Notice(
            "bad",
            "AUTH_FAILED — The key is expired or the balance permission is missing.",
            "Stripe refused this key: expired, revoked, or Balance → Read is missing. "
            "Verify all 12 read permissions are checked, then issue a new key.",
            _fix(row),
        )
    ]


def _missing(row: Integration) -> list[Notice]:
    """Name the permissions that are missing, with what is lost without them."""
    names = [
        f"{label} → Read (no {LOST.get(name, _DETAIL)})"
        for name, label in CHANNELS[row.source].permissions.items()
        if row.permissions.get(name) == "missing"
    ]
    if not names:
        return []
    are = "is" if len(names) == 1 else "are"
    text = f"{', '.join(names)} {are} missing."
    return [Notice("warn", text, "Everything else goes on.", _fix(row))]


def _flags(board: Board) -> list[Notice]:
    """Explain each flag of the integration."""
    row, found = board.integration, []
    if "stale" in row.flags and row.last_collected_at is not None:
        words = ago(row.last_collected_at, board.now)
        found.append(
            Notice(
                "warn",
                f"Last collected {words}.",
                "The figures are as old as that. Next try: "
                + formats.instant(row.next_collection_at),
            )
        )
    texts: Mapping[str, tuple[str, str]] = {
        "quarantine": (
            "Some objects could not be read and are not counted.",
            "Their days and MRR are marked incomplete; the rest is right.",
        ),
        "drift": (
            "A second reading of closed days differed, or the balance did.",
            "Everything was read anew: the figures shown are those of that reading.",
        ),
        "partial": (
            "Some days are not complete yet.",
            "They are hatched, and the next collection completes them.",
        ),
    }
    found += [
        Notice("warn", text, note)
        for flag, (text, note) in texts.items()
        if flag in row.flags
    ]
    return found
