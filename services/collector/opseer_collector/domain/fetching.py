"""What a run needs from a payment channel: the port that every provider fits.

A new channel is one new folder under providers/ whose class fits `Provider`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from opseer_collector.domain.records import Batch, Fetched, Window
from opseer_common.contracts.collection import RunKind
from opseer_common.errors import OpseerError

Environment = Literal["live", "test", "demo"]

STAGES: Final = (
    "connecting",
    "balance_transactions",
    "charges",
    "disputes",
    "subscriptions",
    "events",
    "projects",
    "charts",
    "overview",
    "metrics",
    "refunds",
    "invoices",
    "computing",
    "done",
)
"""The words of `collector.run.stage`, in the order in which they are shown."""


class Key(Protocol):
    """A provider key in memory (opseer_common.sealing.Secret)."""

    def reveal(self) -> str:
        """Return the key itself: for the Authorization header alone."""
        ...


class KeyRefusedError(OpseerError):
    """The provider does not accept the key (any more). Not tried again."""

    def __init__(self, detail: str, code: str = "AUTH_FAILED") -> None:
        """Keep the public code (docs/ERRORS.md) and words without the key."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


class ProviderAwayError(OpseerError):
    """The provider does not answer, or not sensibly, after all tries. Tried later."""


class Overtaken(OpseerError):  # noqa: N818 - no fault: somebody else is in charge
    """The run is not ours any more: its lease was lost or its connection ended."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the user wants figures that a provider makes itself.

    Days are of `timezone`, money is in `currency` where the provider can (None: its
    own). `projects` are the ids to sum, empty for all that the key sees.
    `excluded_stores` are those whose sales another source has already.
    """

    timezone: str = "UTC"
    currency: str | None = None
    projects: tuple[str, ...] = ()
    excluded_stores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What to fetch: everything created in [since, until), unix seconds.

    `events_since` is where the events begin; `now` is the instant of the run. What was
    created from `newest` on is wanted first. `read` are windows that the run stored
    before it broke off; `pace` is the last `Batch.pace` of the connection. What was
    created before `fresh` was read by an earlier run. `wanted` is for providers that
    report their own figures.
    """

    kind: RunKind
    environment: Environment
    key: Key
    since: int
    until: int
    events_since: int
    now: datetime
    newest: int | None = None
    read: Sequence[Window] = ()
    pace: Mapping[str, int] = field(default_factory=dict)
    fresh: int = 0
    wanted: Wanted = field(default_factory=Wanted)


class Intake(Protocol):
    """Where a provider puts what it read."""

    async def store(self, batch: Batch) -> None:
        """Store rows; again is the same once. Raises Overtaken."""
        ...

    def began(self, currencies: frozenset[str]) -> None:
        """Tell the currencies of the balance, before the first row."""
        ...

    async def covered(self, listing: str, since: int) -> None:
        """Tell that all rows of a list created from `since` on were stored.

        Not told where the key may not read the list. Raises Overtaken.
        """
        ...

    async def progress(self, done: Mapping[str, int], total: int) -> None:
        """Tell how far each stage is, out of `total` each. Raises Overtaken."""
        ...


class Provider(Protocol):
    """A payment channel's API.

    `reports`: its figures are its own, so that changed settings need fetching.
    """

    reports: bool

    async def fetch(self, request: Request, intake: Intake) -> Fetched:
        """Read everything that is asked for into `intake`.

        Raises KeyRefusedError, ProviderAwayError, and what the intake raises.
        """
        ...
