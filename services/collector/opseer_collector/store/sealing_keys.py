"""Which sealing keys this database's records are sealed to."""

from __future__ import annotations

from opseer_common.database import Database
from opseer_common.errors import ConfigError
from opseer_common.sealing import KeyRing


async def check(database: Database, ring: KeyRing) -> None:
    """Return if `ring` opens what this database holds.

    ConfigError where a key is missing, or is another one of the same id.
    """
    async with database.transaction() as connection:
        rows = await connection.fetch(
            "SELECT key_id, check_value FROM gateway.v1_sealing_key ORDER BY key_id"
        )
    ours = {key.key_id: key.check_value for key in ring.publics()}
    for row in rows:
        found = ours.get(row["key_id"])
        if found != row["check_value"]:
            words = "is missing from" if found is None else "is another one in"
            raise ConfigError(
                f"sealing key {row['key_id']} {words} the key file: put the file of "
                "this database back, or see `opseer keys lost`"
            )
