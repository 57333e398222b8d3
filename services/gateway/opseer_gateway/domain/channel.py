"""What is special about a channel that reports its own figures: projects and stores."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_common.contracts.daily_report import Environment
from opseer_common.errors import RefusedError

STORES: Final = (
    *("app_store", "mac_app_store", "play_store", "amazon", "stripe"),
    *("rc_billing", "paddle", "roku", "promotional"),
)
"""Where RevenueCat knows sales from (source: its API v2, `store`)."""
_STRIPE_STORE: Final = "stripe_store"
_OLDER_CHARTS: Final = "charts_v2"
"""What the collector notes of a connection, in `collector.connection.notices`."""
_MOST_PROJECTS: Final = 50


class ProviderProject(msgspec.Struct, frozen=True):
    """A project or organization that a key sees."""

    id: str
    name: str


class Accepted(msgspec.Struct, frozen=True):
    """A key that the provider takes: where it works, and what it sees."""

    environment: Environment
    projects: tuple[ProviderProject, ...] = ()


class ChannelSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a channel. `chosen` are ids of projects to sum, None all."""

    projects: tuple[ProviderProject, ...] = ()
    chosen: tuple[str, ...] | None = None
    excluded_stores: tuple[str, ...] = ()

    def of_key(self, accepted: Accepted) -> ChannelSettings:
        """Return the settings for another key: a choice stays as far as it sees it."""
        seen = {project.id for project in accepted.projects}
        kept = tuple(one for one in self.chosen or () if one in seen)
        return ChannelSettings(
            projects=accepted.projects[:_MOST_PROJECTS],
            chosen=kept or None,
            excluded_stores=self.excluded_stores,
        )

    def with_projects(self, ids: Collection[str] | None) -> ChannelSettings:
        """Choose projects, None all. RefusedError(INVALID_PROJECT)."""
        known = {project.id for project in self.projects}
        if ids is not None and (not ids or not set(ids) <= known):
            raise RefusedError(
                "INVALID_PROJECT",
                "Choose among the projects that the key sees, or null for all of them.",
            )
        chosen = None if ids is None else tuple(dict.fromkeys(ids))
        return msgspec.structs.replace(self, chosen=chosen)

    def with_excluded(self, stores: Collection[str]) -> ChannelSettings:
        """Leave stores out. RefusedError(INVALID_STORE)."""
        if not set(stores) <= set(STORES):
            raise RefusedError(
                "INVALID_STORE", f"A store is one of {', '.join(STORES)}."
            )
        return msgspec.structs.replace(
            self, excluded_stores=tuple(dict.fromkeys(stores))
        )


class ProviderProjectRow(msgspec.Struct, frozen=True):
    """A project of a connection, and whether its figures are in the sum."""

    id: str
    name: str
    included: bool


class Notice(msgspec.Struct, frozen=True):
    """Something about the connection that the user should decide on."""

    code: str
    detail: str


def project_rows(settings: ChannelSettings) -> tuple[ProviderProjectRow, ...]:
    """Return every project and whether it is included."""
    return tuple(
        ProviderProjectRow(
            project.id,
            project.name,
            settings.chosen is None or project.id in settings.chosen,
        )
        for project in settings.projects
    )


def notices(
    source: Source,
    settings: ChannelSettings,
    told: Collection[str],
    connected: Collection[Source],
    openings: int | None,
) -> tuple[Notice, ...]:
    """Return what to say about a source, given what the provider `told`.

    `connected` are the account's other sources; `openings` of the key in an hour of
    the last day, where they were too many.
    """
    name = CHANNELS[source].name
    found = []
    twice = "stripe" in connected and "stripe" not in settings.excluded_stores
    if _STRIPE_STORE in told and twice:
        found.append(
            Notice(
                "COUNTED_TWICE",
                f"{name} has sales that came through Stripe, which is connected as "
                "well: they are in both channels. Leave them out here with "
                '{"excluded_stores": ["stripe"]}.',
            )
        )
    if _OLDER_CHARTS in told:
        found.append(
            Notice(
                "OLDER_CHARTS",
                f"{name} answered with its older charts: a refund is taken off the day "
                "of the purchase, so that days which are over may change.",
            )
        )
    if openings is not None:
        found.append(
            Notice(
                "KEY_OPENINGS",
                f"The stored key was opened {openings} times within an hour; once per "
                "collection is usual. If nobody refreshes that often, revoke it at "
                f"{name} and ask who runs this Opseer to look at it.",
            )
        )
    return tuple(found)
