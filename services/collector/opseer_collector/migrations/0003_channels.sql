-- Channels that report their own figures per day, as RevenueCat and Polar do: what was
-- read of each project, and the figures of the connection that follow from it.

-- As the provider gave it. `value` is in minor units of `currency`, a count where that is
-- ''; null where the provider has none. `partial`: the period was not over for it.
CREATE TABLE collector.project_metric (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    project text NOT NULL,
    day date NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    value bigint,
    partial boolean NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, project, day, name, currency));

-- Published: the sum over the connection's projects, a row per day and name. Money is in
-- minor units of `currency`, which is null for a count.
CREATE TABLE collector.metric_daily (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    name text NOT NULL,
    currency text,
    value bigint,
    timezone text NOT NULL,
    complete boolean NOT NULL,
    reason text,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day, name),
    CHECK (complete = (reason IS NULL)),
    CHECK (NOT complete OR value IS NOT NULL));

-- What the provider told about the connection as a whole, such as `stripe_store`: it
-- has money that came through Stripe.
ALTER TABLE collector.connection ADD COLUMN notices text[] NOT NULL DEFAULT '{}';

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['project_metric', 'metric_daily']
    LOOP
        PERFORM opseer.protect(('collector.' || own)::regclass, 'opseer_collector',
            'opseer_gateway', 'opseer_mrr', 'opseer_notifier');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON collector.%I
                        TO opseer_collector', own);
    END LOOP;
END $$;

CREATE VIEW collector.v1_metric_daily WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, name, currency, value, timezone,
           complete, reason, as_of
    FROM collector.metric_daily;
GRANT SELECT ON collector.metric_daily TO opseer_gateway, opseer_mrr, opseer_notifier;
GRANT SELECT ON collector.v1_metric_daily TO opseer_gateway, opseer_mrr, opseer_notifier;

CREATE OR REPLACE VIEW collector.v1_connection WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, state, flags, settlement_currency,
           permissions, revision, subscriptions_unread, settings_revision, first_day,
           last_collected_at, next_run_at, last_error_code, last_error_detail, notices
    FROM collector.connection;
