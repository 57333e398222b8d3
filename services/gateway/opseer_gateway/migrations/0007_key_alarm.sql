-- Connections whose key is opened more often than collecting explains. A run opens it
-- once per try, and tries are 1, 5, 15 and 60 minutes apart: more than 30 openings in an
-- hour are a collector that misbehaves, or somebody who refreshes all the time.

CREATE INDEX key_access_log_at ON gateway.key_access_log (at);
CREATE INDEX key_access_log_key
    ON gateway.key_access_log (account_id, source, key_version, at);

CREATE VIEW gateway.v1_sweep_key_alarm AS
    SELECT account_id, source, connection_id, date_trunc('hour', at, 'UTC') AS hour,
           count(*) AS openings
    FROM gateway.opseer_user_integration
    JOIN gateway.key_access_log USING (account_id, source, key_version)
    WHERE at > now() - interval '24 hours'
    GROUP BY account_id, source, connection_id, hour
    HAVING count(*) > 30;
GRANT SELECT ON gateway.v1_sweep_key_alarm TO opseer_notifier;

-- The running account's own, for its integration rows: the log itself stays closed.
CREATE VIEW gateway.door_key_alarm WITH (security_barrier = true) AS
    SELECT connection_id, hour, openings FROM gateway.v1_sweep_key_alarm
    WHERE account_id = opseer.me();
GRANT SELECT ON gateway.door_key_alarm TO opseer_gateway;

-- For /metrics, over all accounts and naming none.
CREATE VIEW gateway.door_key_opening AS
    SELECT (SELECT count(*) FROM gateway.opseer_user_integration) AS connections,
           (SELECT count(*) FROM gateway.key_access_log
            WHERE at > now() - interval '24 hours') AS openings,
           (SELECT count(DISTINCT connection_id)
            FROM gateway.v1_sweep_key_alarm) AS alarms;
GRANT SELECT ON gateway.door_key_opening TO opseer_gateway;
