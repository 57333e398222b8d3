-- How each connection does, over all accounts, for who tells users what is wrong.

CREATE VIEW collector.v1_sweep_health AS
    SELECT account_id, source, connection_id, state, 'drift' = ANY (flags) AS drift,
           last_collected_at
    FROM collector.connection;
GRANT SELECT ON collector.v1_sweep_health TO opseer_notifier;
