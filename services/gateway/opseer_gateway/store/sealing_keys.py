"""Which sealing key this database's records are sealed to."""

from __future__ import annotations

from opseer_common.database import Database
from opseer_common.errors import ConfigError
from opseer_common.sealing import PublicKey


async def note(database: Database, key: PublicKey) -> None:
    """Write down the check value of the key that is sealed to.

    ConfigError where another key of its id was written down before: what was sealed
    to that one would not open any more.
    """
    async with database.transaction() as connection:
        await connection.execute(
            """
            INSERT INTO gateway.sealing_key (key_id, check_value) VALUES ($1, $2)
            ON CONFLICT DO NOTHING
            """,
            key.key_id,
            key.check_value,
        )
        noted = await connection.fetchval(
            "SELECT check_value FROM gateway.sealing_key WHERE key_id = $1", key.key_id
        )
    if noted != key.check_value:
        raise ConfigError(
            f"sealing key {key.key_id} is not the one that this database's keys are "
            "sealed to: put its files back, or see `opseer keys lost`"
        )
