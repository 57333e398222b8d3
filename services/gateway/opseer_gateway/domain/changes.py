"""Changing a connection's settings."""

from __future__ import annotations

from typing import Final, get_args

import msgspec

from opseer_common.channels import CHANNELS
from opseer_common.contracts import Source
from opseer_common.days import zone
from opseer_common.errors import RefusedError
from opseer_gateway.domain import currencies
from opseer_gateway.domain.integrations import Connection, Policy, Preset

_VERSION: Final = Policy().version
_OWN: Final = {
    "policy": "INVALID_POLICY",
    "projects": "INVALID_PROJECT",
    "excluded_stores": "INVALID_STORE",
}
"""Settings that not every channel has, and how they are refused."""


class PolicyChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as it is asked for: one that is known, or it is refused."""

    preset: str
    version: int = _VERSION


class SettingsChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What should change; what is left out stays.

    `settlement_currency` null means the one that the provider settles in. `policy`
    is a preset's name or a whole policy. `projects` are ids, null for all of them;
    `excluded_stores` are left out of the figures.
    """

    timezone: str | msgspec.UnsetType = msgspec.UNSET
    settlement_currency: str | msgspec.UnsetType | None = msgspec.UNSET
    policy: str | PolicyChoice | msgspec.UnsetType = msgspec.UNSET
    projects: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    excluded_stores: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    def check(self) -> None:
        """Refuse a change that is empty or says something impossible.

        RefusedError: REQUIRED, INVALID_TIMEZONE, INVALID_CURRENCY, INVALID_POLICY.
        """
        if not self._given():
            raise RefusedError("REQUIRED", "Say what should change.")
        if isinstance(self.timezone, str):
            zone(self.timezone)
        currency = self.settlement_currency
        if isinstance(currency, str) and currency not in currencies.KNOWN:
            raise RefusedError(
                "INVALID_CURRENCY",
                "A currency is one of ISO 4217, as a lower-case three-letter code.",
            )
        if self.policy is not msgspec.UNSET:
            _policy(self.policy)

    def check_for(self, source: Source) -> None:
        """Refuse what the source's provider decides.

        RefusedError: INVALID_TIMEZONE, INVALID_CURRENCY, INVALID_POLICY,
        INVALID_PROJECT, INVALID_STORE.
        """
        channel = CHANNELS[source]
        zone_name, currency = self.timezone, self.settlement_currency
        if isinstance(zone_name, str) and channel.fixed_zone not in (None, zone_name):
            raise RefusedError(
                "INVALID_TIMEZONE", f"{channel.name}'s days are {channel.fixed_zone}."
            )
        if (
            isinstance(currency, str)
            and channel.currencies is not None
            and currency not in channel.currencies
        ):
            raise RefusedError(
                "INVALID_CURRENCY",
                f"{channel.name} shows money in {', '.join(channel.currencies)}.",
            )
        for field, code in _OWN.items():
            if field in self._given() - channel.settings:
                raise RefusedError(code, f"{channel.name} has no {field} to choose.")

    def _given(self) -> frozenset[str]:
        """Return the names of the fields that are there."""
        return frozenset(
            name
            for name in self.__struct_fields__
            if getattr(self, name) is not msgspec.UNSET
        )

    def apply_to(self, connection: Connection) -> Connection:
        """Return the connection with its new settings.

        RefusedError: INVALID_PROJECT, INVALID_STORE.
        """
        changes: dict[str, object] = {}
        if self.timezone is not msgspec.UNSET:
            changes["timezone"] = self.timezone
        if self.settlement_currency is not msgspec.UNSET:
            changes["settlement_currency"] = self.settlement_currency
        if self.policy is not msgspec.UNSET:
            changes["policy"] = _policy(self.policy)
        channel = connection.channel
        if not isinstance(self.projects, msgspec.UnsetType):
            channel = channel.with_projects(self.projects)
        if not isinstance(self.excluded_stores, msgspec.UnsetType):
            channel = channel.with_excluded(self.excluded_stores)
        return msgspec.structs.replace(connection, channel=channel, **changes)


def _policy(chosen: str | PolicyChoice) -> Policy:
    """Return the policy that was chosen. RefusedError(INVALID_POLICY)."""
    choice = PolicyChoice(chosen) if isinstance(chosen, str) else chosen
    presets: tuple[Preset, ...] = get_args(Preset)
    for preset in presets:
        if (preset, _VERSION) == (choice.preset, choice.version):
            return Policy(preset)
    raise RefusedError(
        "INVALID_POLICY",
        f"A policy is one of {', '.join(presets)}, of version {_VERSION}.",
    )
