-- Since when a collection is due that has not been published: the next daily round's
-- instant, or when the oldest run that is still open was asked for. A round that began
-- has its successor in next_run_at already, so its run is what tells that it is late.

CREATE OR REPLACE VIEW collector.v1_sweep_health AS
    SELECT account_id, source, connection_id, state, 'drift' = ANY (flags) AS drift,
           last_collected_at, least(next_run_at, open.since) AS due_at
    FROM collector.connection
    LEFT JOIN (
        SELECT account_id, source, connection_id, min(created_at) AS since
        FROM collector.run WHERE state IN ('queued', 'running')
        GROUP BY account_id, source, connection_id) open
        USING (account_id, source, connection_id);
