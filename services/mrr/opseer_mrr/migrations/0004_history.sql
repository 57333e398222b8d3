-- What each day's figures rest on, and MRR from before the events: an estimate from
-- invoice lines, in tables of its own, so that it never stands among exact rows.

-- The policy and zone that a day was computed under, and who paid at its end. A day's
-- gains and losses are null where Events could not be read.
CREATE TABLE mrr.day_basis (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    policy jsonb NOT NULL,
    timezone text NOT NULL,
    customers int NOT NULL,
    new_customers int,
    lost_customers int,
    subscriptions int NOT NULL,
    new_subscriptions int,
    lost_subscriptions int,
    PRIMARY KEY (account_id, source, connection_id, day));

-- What the estimate was made from and under; `reason` says what it lacks.
CREATE TABLE mrr.estimated (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    history_revision bigint NOT NULL,
    settings_revision int NOT NULL,
    currency text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    policy jsonb NOT NULL,
    timezone text NOT NULL,
    reason text,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (account_id, source));

-- A day as invoices tell it; also of days that have exact rows, to be held against them.
CREATE TABLE mrr.estimate (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    new_minor bigint NOT NULL,
    expansion_minor bigint NOT NULL,
    contraction_minor bigint NOT NULL CHECK (contraction_minor <= 0),
    churned_minor bigint NOT NULL CHECK (churned_minor <= 0),
    net_minor bigint NOT NULL
        CHECK (net_minor = new_minor + expansion_minor + contraction_minor + churned_minor),
    fx_minor bigint NOT NULL,
    snapshot_minor bigint NOT NULL,
    subscriptions int NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day));

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['day_basis', 'estimated', 'estimate']
    LOOP
        PERFORM opseer.protect(('mrr.' || own)::regclass, 'opseer_mrr', 'opseer_gateway');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON mrr.%I TO opseer_mrr', own);
        EXECUTE format('GRANT SELECT ON mrr.%I TO opseer_gateway', own);
    END LOOP;
END $$;

CREATE VIEW mrr.v1_day_basis WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, policy, timezone, customers,
           new_customers, lost_customers, subscriptions, new_subscriptions,
           lost_subscriptions
    FROM mrr.day_basis;
CREATE VIEW mrr.v1_estimated WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, history_revision, currency, first_day,
           last_day, policy, timezone, reason, as_of
    FROM mrr.estimated;
CREATE VIEW mrr.v1_estimate WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, currency, new_minor, expansion_minor,
           contraction_minor, churned_minor, net_minor, fx_minor, snapshot_minor,
           subscriptions
    FROM mrr.estimate;
GRANT SELECT ON mrr.v1_day_basis, mrr.v1_estimated, mrr.v1_estimate TO opseer_gateway;
