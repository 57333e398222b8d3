"""What an account's answers rest on, as one short text: the revisions of its rows."""

from __future__ import annotations

from uuid import UUID

from opseer_common.database import Database


class FreshnessStore:
    """Reads the revisions that other services publish."""

    def __init__(self, database: Database) -> None:
        """Read through `database`."""
        self._database = database

    async def tag(self, account_id: UUID) -> str:
        """Return a text that differs whenever the account's stored figures do."""
        async with self._database.snapshot(account_id) as transaction:
            return str(
                await transaction.fetchval(
                    """
                    SELECT md5(coalesce(string_agg(words, ' ' ORDER BY words), ''))
                    FROM (
                      SELECT concat_ws('/', 'i', source, connection_id, run_id,
                        settings_revision, timezone, policy, settlement_currency)
                        AS words
                      FROM gateway.opseer_user_integration WHERE account_id = $1
                      UNION ALL
                      SELECT concat_ws('/', 'c', connection_id, state, flags,
                        permissions, revision, last_collected_at, next_run_at,
                        last_error_code, settlement_currency)
                      FROM collector.v1_connection WHERE account_id = $1
                      UNION ALL
                      SELECT concat_ws('/', 'r', run_id, state, stage, done, total)
                      FROM collector.v1_run WHERE account_id = $1
                        AND (state IN ('queued', 'running') OR run_id IN (
                          SELECT run_id FROM gateway.opseer_user_integration
                          WHERE account_id = $1))
                      UNION ALL
                      SELECT concat_ws('/', 'm', connection_id, revision, at)
                      FROM mrr.v1_computed WHERE account_id = $1
                      UNION ALL
                      SELECT concat_ws('/', 'b', connection_id, collected_revision,
                        mrr_revision)
                      FROM notifier.v1_built_from WHERE account_id = $1
                    ) AS parts
                    """,
                    account_id,
                )
            )
