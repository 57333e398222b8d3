-- The daily report: one per account and day, rebuilt when its inputs have news.

CREATE SCHEMA notifier;
SELECT opseer.add_bus_tables('notifier', 'opseer_notifier');

-- `body`: what GET /api/v1/reports/daily answers. `revision` grows when it changes.
CREATE TABLE notifier.report (
    account_id uuid NOT NULL,
    day date NOT NULL,
    timezone text NOT NULL,
    revision int NOT NULL,
    body jsonb NOT NULL,
    built_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, day));

-- The revisions that the newest reports were built from: how lost news is noticed. At
-- `next_day_at` another day of the report's zone is over.
CREATE TABLE notifier.built_from (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    collected_revision bigint NOT NULL,
    mrr_revision bigint NOT NULL,
    next_day_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, source));

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['report', 'built_from']
    LOOP
        PERFORM opseer.protect(('notifier.' || own)::regclass, 'opseer_notifier',
                               'opseer_gateway');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON notifier.%I
                        TO opseer_notifier', own);
    END LOOP;
END $$;

CREATE VIEW notifier.v1_report WITH (security_invoker = true) AS
    SELECT account_id, day, timezone, revision, body, built_at FROM notifier.report;
GRANT USAGE ON SCHEMA notifier TO opseer_gateway;
GRANT SELECT ON notifier.report TO opseer_gateway;
GRANT SELECT ON notifier.v1_report TO opseer_gateway;

CREATE VIEW notifier.v1_built_from WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, collected_revision, mrr_revision
    FROM notifier.built_from;
GRANT SELECT (account_id, source, connection_id, collected_revision, mrr_revision)
    ON notifier.built_from TO opseer_gateway;
GRANT SELECT ON notifier.v1_built_from TO opseer_gateway;

CREATE VIEW notifier.sweep_built_from AS
    SELECT account_id, source, connection_id, collected_revision, mrr_revision,
           next_day_at
    FROM notifier.built_from;
GRANT SELECT ON notifier.sweep_built_from TO opseer_notifier;
