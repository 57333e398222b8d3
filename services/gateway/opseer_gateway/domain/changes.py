"""Changing a connection's settings."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from opseer_common.days import zone
from opseer_common.errors import RefusedError
from opseer_gateway.domain.integrations import Connection, Policy, Preset

_CURRENCY = re.compile(r"[a-z]{3}", re.ASCII)


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What should change; what is left out stays.

    `settlement_currency` null means the one that the provider settles in. `policy`
    is a preset's name or a whole policy.
    """

    timezone: str | msgspec.UnsetType = msgspec.UNSET
    settlement_currency: str | msgspec.UnsetType | None = msgspec.UNSET
    policy: str | Policy | msgspec.UnsetType = msgspec.UNSET

    def check(self) -> None:
        """Refuse a change that is empty or says something impossible.

        RefusedError: REQUIRED, INVALID_TIMEZONE, INVALID_CURRENCY, INVALID_POLICY.
        """
        given = (self.timezone, self.settlement_currency, self.policy)
        if all(value is msgspec.UNSET for value in given):
            raise RefusedError("REQUIRED", "Say what should change.")
        if isinstance(self.timezone, str):
            zone(self.timezone)
        currency = self.settlement_currency
        if isinstance(currency, str) and not _CURRENCY.fullmatch(currency):
            raise RefusedError(
                "INVALID_CURRENCY", "A currency is a lower-case three-letter code."
            )
        if isinstance(self.policy, str):
            _preset(self.policy)

    def apply_to(self, connection: Connection) -> Connection:
        """Return the connection with its new settings."""
        changes: dict[str, object] = {}
        if self.timezone is not msgspec.UNSET:
            changes["timezone"] = self.timezone
        if self.settlement_currency is not msgspec.UNSET:
            changes["settlement_currency"] = self.settlement_currency
        if isinstance(self.policy, Policy):
            changes["policy"] = self.policy
        elif isinstance(self.policy, str):
            changes["policy"] = Policy(_preset(self.policy))
        return msgspec.structs.replace(connection, **changes)


def _preset(name: str) -> Preset:
    """Return the preset called `name`. RefusedError(INVALID_POLICY)."""
    names: tuple[Literal["opseer"], ...] = get_args(Preset)
    for preset in names:
        if preset == name:
            return preset
    raise RefusedError("INVALID_POLICY", f"A policy is one of {', '.join(names)}.")
