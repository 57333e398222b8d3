-- A key that is opened too often is told at once, at most once a day.

CREATE VIEW notifier.sweep_key_alarm AS
    SELECT DISTINCT account_id, source, connection_id, fact
    FROM (SELECT *, 'key_openings:' || connection_id || ':'
                 || (hour AT TIME ZONE 'UTC')::date AS fact
          FROM gateway.v1_sweep_key_alarm) alarm
    WHERE EXISTS (SELECT FROM notifier.alert_setting s
                  WHERE s.account_id = alarm.account_id)
      AND NOT EXISTS (SELECT FROM notifier.told
                      WHERE told.account_id = alarm.account_id
                        AND told.fact = alarm.fact);
GRANT SELECT ON notifier.sweep_key_alarm TO opseer_notifier;
