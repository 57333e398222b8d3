-- What is known and chosen of a channel that reports its own figures: the projects (or
-- organizations) that the key saw when it was connected, those of them to sum (null:
-- all), and the stores to leave out.

ALTER TABLE gateway.opseer_user_integration
    ADD COLUMN channel jsonb NOT NULL DEFAULT '{}';

CREATE OR REPLACE VIEW gateway.v1_integration WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, run_id, key_version, environment,
           livemode, timezone, policy, settlement_currency, settings_revision,
           connected_at, channel
    FROM gateway.opseer_user_integration;
GRANT SELECT (channel) ON gateway.opseer_user_integration
    TO opseer_gateway, opseer_collector, opseer_mrr, opseer_notifier;
