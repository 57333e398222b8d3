"""What may be known of sealed keys without opening one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from opseer_common.database import Connection


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One sealed key; `opened_at`: when the collector opened it last, in UTC."""

    account_id: UUID
    source: str
    environment: str
    key_hint: str
    key_version: int
    sealing_key: int
    """Its id; 0 where a backup without keys was restored."""
    connected_at: datetime
    opened_at: datetime | None

    def words(self, known: Collection[int]) -> str:
        """Return a line about it; `known` are the ids of the sealing keys here."""
        if self.sealing_key == 0:
            sealed = "not restored: connect again"
        elif self.sealing_key in known:
            sealed = f"sealed to key {self.sealing_key}"
        else:
            sealed = f"sealed to key {self.sealing_key}, which is not here"
        opened = (
            f"opened {self.opened_at:%Y-%m-%d %H:%M} UTC"
            if self.opened_at
            else "never opened"
        )
        return (
            f"{self.account_id}  {self.source:<10}  {self.environment}  "
            f"{self.key_hint}  version {self.key_version}  {sealed}  "
            f"connected {self.connected_at:%Y-%m-%d}  {opened}"
        )


async def stored_keys(connection: Connection) -> list[StoredKey]:
    """Return every stored key as the administrator of the database."""
    rows = await connection.fetch(
        """
        SELECT i.account_id, i.source, i.environment, i.key_hint, i.key_version,
            ('x' || encode(substr(i.config, 2, 4), 'hex'))::bit(32)::bigint
                AS sealing_key,
            i.connected_at,
            (SELECT max(l.at) FROM gateway.key_access_log l
             WHERE (l.account_id, l.source, l.key_version)
                   = (i.account_id, i.source, i.key_version)) AS opened_at
        FROM gateway.opseer_user_integration i
        ORDER BY i.account_id, i.source
        """
    )
    return [StoredKey(**dict(row)) for row in rows]
