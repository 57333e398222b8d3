-- A source has fallen silent when its last collection is old and the next one is late:
-- on a day of 25 hours the next round is not due when the last is 24 hours old.

CREATE OR REPLACE VIEW notifier.sweep_trouble AS
    SELECT t.account_id, t.source, t.connection_id, t.problem, t.fact, t.since, t.due_at
    FROM (
        SELECT account_id, source, connection_id, 'AUTH_FAILED' AS problem,
               'auth_failed:' || connection_id AS fact,
               '-infinity'::timestamptz AS since, '-infinity'::timestamptz AS due_at
        FROM collector.v1_sweep_health WHERE state = 'auth_failed'
        UNION ALL
        SELECT account_id, source, connection_id, 'DRIFT',
               'drift:' || connection_id || ':' || last_collected_at::date,
               '-infinity', '-infinity'
        FROM collector.v1_sweep_health WHERE drift
        UNION ALL
        SELECT account_id, source, connection_id, 'STALE',
               'stale:' || connection_id || ':'
                   || coalesce(h.last_collected_at, i.connected_at),
               coalesce(h.last_collected_at, i.connected_at),
               coalesce(h.due_at, '-infinity')
        FROM gateway.v1_sweep_integration i
        LEFT JOIN collector.v1_sweep_health h
            USING (account_id, source, connection_id)
        WHERE coalesce(h.state, '') <> 'auth_failed') t
    JOIN gateway.v1_sweep_integration USING (account_id, source, connection_id)
    WHERE EXISTS (SELECT FROM notifier.alert_setting s
                  WHERE s.account_id = t.account_id)
      AND NOT EXISTS (SELECT FROM notifier.told
                      WHERE told.account_id = t.account_id AND told.fact = t.fact);
