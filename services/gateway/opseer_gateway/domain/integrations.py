"""The integration as users see it, put together from what two services know.

The gateway owns the connection (key, settings), the collector owns how collecting
goes. A connection the collector has not heard of yet is one that waits in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

import msgspec

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_common.errors import RefusedError
from opseer_gateway.domain.channel import (
    ChannelSettings,
    Notice,
    ProviderProjectRow,
    notices,
    project_rows,
)

SOURCES: Final[tuple[Source, ...]] = tuple(CHANNELS)
SOURCE_NAMES: Mapping[Source, str] = MappingProxyType(
    {source: channel.name for source, channel in CHANNELS.items()}
)

Preset = Literal["opseer", "stripe", "stripe_all_discounts", "committed"]
State = Literal["collecting", "connected", "auth_failed", "disconnected"]
Environment = Literal["live", "test", "demo"]
RunKind = Literal["first", "refresh", "recompute"]

# MRR and report follow a collection within a second; a service that is down is not
# waited for, and its figures say for themselves how old they are.
DERIVED_WITHIN: Final = timedelta(seconds=60)
_STALE_AFTER = timedelta(hours=26)
_OPEN = frozenset({"queued", "running"})


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules MRR follows: a named preset and the version of its meaning."""

    preset: Preset = "opseer"
    version: Literal[1] = 1


class Connection(msgspec.Struct, frozen=True):
    """The gateway's row: one per account and source. Never holds the key."""

    source: Source
    connection_id: UUID
    run_id: UUID
    run_kind: RunKind
    key_hint: str
    environment: Environment
    livemode: bool
    timezone: str
    policy: Policy
    settlement_currency: str | None
    connected_at: datetime
    channel: ChannelSettings = ChannelSettings()


class Collecting(msgspec.Struct, frozen=True):
    """The collector's row of the same connection."""

    state: Literal["collecting", "connected", "auth_failed"]
    flags: tuple[str, ...]
    settlement_currency: str | None
    permissions: Mapping[str, str]
    last_collected_at: datetime | None
    next_run_at: datetime | None
    last_error_code: str | None
    last_error_detail: str | None
    derived_after: datetime | None = None
    """End of the newest run while MRR and report do not follow from it yet."""
    notices: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True):
    """A run of the connection; `done` of `total` steps of `stage`."""

    run_id: UUID
    kind: str
    state: str
    stage: str
    done: int
    total: int
    started_at: datetime | None


class LastError(msgspec.Struct, frozen=True):
    """What went wrong last. Codes: docs/ERRORS.md."""

    code: str
    detail: str


class Progress(msgspec.Struct, frozen=True):
    """How far the open run is; `eta_s` in seconds, null while nobody can know."""

    stage: str
    done: int
    total: int
    eta_s: int | None


class Integration(msgspec.Struct, frozen=True, omit_defaults=True):
    """One payment channel, connected or not. Instants are UTC.

    `policy` is null where the provider computes MRR itself. `projects`,
    `excluded_stores` and `notices` are there where a channel has some.
    """

    source: Source
    state: State
    flags: tuple[str, ...]
    environment: Environment | None
    livemode: bool | None
    key_hint: str | None
    settlement_currency: str | None
    timezone: str | None
    policy: Policy | None
    connected_at: datetime | None
    last_collected_at: datetime | None
    next_collection_at: datetime | None
    last_error: LastError | None
    permissions: dict[str, str]
    progress: Progress | None
    run_id: UUID | None
    projects: tuple[ProviderProjectRow, ...] = ()
    excluded_stores: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


class Known(msgspec.Struct, frozen=True):
    """Everything stored about one source of an account, read at one instant."""

    source: Source
    connection: Connection | None = None
    collecting: Collecting | None = None
    runs: tuple[Run, ...] = ()
    """The connection's open runs and the one that the gateway asked for last."""
    connected: frozenset[Source] = frozenset()
    """The sources that the account has connected."""
    openings: int | None = None
    """Of the key, in the busiest hour of the last day; None while all is usual."""

    @property
    def state(self) -> State:
        """The state in one word; errors that are retried do not change it."""
        if self.connection is None:
            return "disconnected"
        return "collecting" if self.collecting is None else self.collecting.state

    @property
    def currency(self) -> str | None:
        """The settlement currency: the one chosen, else the one observed.

        Of a channel that converts itself the one it came in: it may not have the other.
        """
        chosen = self.connection.settlement_currency if self.connection else None
        observed = self.collecting.settlement_currency if self.collecting else None
        if CHANNELS[self.source].currencies is not None:
            return observed or chosen
        return chosen or observed

    @property
    def timezone(self) -> str:
        """The zone of the source's days; UTC where nothing is connected."""
        return self.connection.timezone if self.connection else "UTC"

    def permission(self, name: str) -> str:
        """Return ok, missing or unknown."""
        return (
            self.collecting.permissions.get(name, "unknown")
            if (self.collecting)
            else "unknown"
        )


def describe(known: Known, now: datetime) -> Integration:
    """Return the row of the API for what is `known`."""
    connection, collecting = known.connection, known.collecting
    permissions = CHANNELS[known.source].permissions
    settings = connection.channel if connection else ChannelSettings()
    computed = CHANNELS[known.source].computed
    run_id, progress = _progress(known, now)
    return Integration(
        source=known.source,
        state=known.state,
        flags=_flags(collecting, now),
        environment=connection.environment if connection else None,
        livemode=connection.livemode if connection else None,
        key_hint=connection.key_hint if connection else None,
        settlement_currency=known.currency,
        timezone=connection.timezone if connection else None,
        policy=connection.policy if connection and computed else None,
        connected_at=connection.connected_at if connection else None,
        last_collected_at=collecting.last_collected_at if collecting else None,
        next_collection_at=collecting.next_run_at if collecting else None,
        last_error=_last_error(collecting),
        permissions={name: known.permission(name) for name in permissions},
        progress=progress,
        run_id=run_id,
        projects=project_rows(settings),
        excluded_stores=settings.excluded_stores,
        notices=notices(
            known.source,
            settings,
            collecting.notices if collecting else (),
            known.connected,
            known.openings,
        ),
    )


def _flags(collecting: Collecting | None, now: datetime) -> tuple[str, ...]:
    """Return the collector's flags, and `stale` where it fell silent."""
    if collecting is None:
        return ()
    flags = set(collecting.flags)
    last = collecting.last_collected_at
    if last is not None and now - last > _STALE_AFTER:
        flags.add("stale")
    return tuple(sorted(flags))


def _last_error(collecting: Collecting | None) -> LastError | None:
    """Return the collector's last error in words."""
    if collecting is None or collecting.last_error_code is None:
        return None
    return LastError(collecting.last_error_code, collecting.last_error_detail or "")


def _progress(known: Known, now: datetime) -> tuple[UUID | None, Progress | None]:
    """Return the run to speak of, and how far it is unless it is over."""
    if known.connection is None:
        return None, None
    asked = known.connection.run_id
    runs = {run.run_id: run for run in known.runs}
    if known.collecting is None or asked not in runs:
        return asked, Progress("queued", 0, 0, None)
    still_open = [run for run in known.runs if run.state in _OPEN]
    if runs[asked] in still_open:
        return asked, how_far(runs[asked], now)
    if still_open:
        return still_open[0].run_id, how_far(still_open[0], now)
    ended = known.collecting.derived_after
    if ended is not None and now - ended < DERIVED_WITHIN:
        return asked, Progress("computing", runs[asked].total, runs[asked].total, 0)
    return asked, None


def how_far(run: Run, now: datetime) -> Progress:
    """Return the progress with the time left, if it goes on as it went."""
    left = None
    if run.started_at is not None and 0 < run.done <= run.total:
        elapsed = now - run.started_at
        left = elapsed * (run.total - run.done) // run.done // timedelta(seconds=1)
    return Progress(run.stage, run.done, run.total, left)


def check_fits(
    environment: Environment, existing: Connection | None, *, replace: bool
) -> None:
    """Refuse a key that would put an end to figures of another kind.

    MODE_MISMATCH for a key of the other mode than the connected one, and for one over
    demo data, unless `replace` allows it; ALREADY_CONNECTED for demo data over a key.
    """
    if existing is None:
        return
    if environment == "demo" and existing.environment != "demo":
        raise RefusedError(
            "ALREADY_CONNECTED",
            "A key of yours is connected. Disconnect it before you look at demo data.",
        )
    if replace:
        return
    if existing.environment == "demo" != environment:
        raise RefusedError(
            "MODE_MISMATCH",
            "Demo data is connected. It would be removed: send "
            '{"replace": true} if you want that.',
        )
    if existing.environment != environment:
        raise RefusedError(
            "MODE_MISMATCH",
            "A key of the other mode (live or test) is connected. Its figures would "
            'be replaced: send {"replace": true} if you want that.',
        )


def report_zone(all_known: Sequence[Known]) -> str:
    """Return the zone of the report's day: Stripe's, else the first connected's."""
    connected = [known for known in all_known if known.connection is not None]
    for known in connected:
        if known.source == "stripe":
            return known.timezone
    return connected[0].timezone if connected else "UTC"
