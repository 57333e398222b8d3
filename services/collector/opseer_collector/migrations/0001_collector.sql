-- What the collector fetched, the figures per day that follow from it, and its runs.
-- Every row of a provider carries the connection it came by: rows of two keys never mix.

CREATE SCHEMA collector;
SELECT opseer.add_bus_tables('collector', 'opseer_collector');

-- One row per connection that the collector knows. `revision` counts what was published.
CREATE TABLE collector.connection (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'collecting'
        CHECK (state IN ('collecting', 'connected', 'auth_failed')),
    flags text[] NOT NULL DEFAULT '{}',
    settlement_currency text,
    permissions jsonb NOT NULL DEFAULT '{}',
    -- requests per 1,000 s that the provider's refusals left, by endpoint, '' for all
    pace jsonb NOT NULL DEFAULT '{}',
    revision bigint NOT NULL DEFAULT 0,
    -- fence of the newest run whose rows are published: the views show no later rows
    published_fence bigint NOT NULL DEFAULT 0,
    -- some live subscription could not be read
    subscriptions_unread boolean NOT NULL DEFAULT false,
    settings_revision int NOT NULL DEFAULT 0,
    first_day date,
    last_collected_at timestamptz,
    next_run_at timestamptz,
    last_error_code text,
    last_error_detail text,
    PRIMARY KEY (account_id, source));

-- A unit of collecting, driven under a lease. `fence` grows at each claim: a holder
-- whose fence is not the row's has lost the lease and its writes are refused.
CREATE TABLE collector.run (
    run_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('first', 'daily', 'refresh', 'recompute')),
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'failed')),
    stage text NOT NULL DEFAULT 'queued',
    done int NOT NULL DEFAULT 0,
    total int NOT NULL DEFAULT 0,
    tries int NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    leased_by text,
    leased_until timestamptz,
    not_before timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    error_code text);
CREATE INDEX run_open ON collector.run (not_before) WHERE state IN ('queued', 'running');
CREATE INDEX run_of ON collector.run (account_id, source, created_at DESC);

-- What an open run has read: every row of a list created in [since, until) is stored.
-- A run that broke off goes on from there. `until` names a part, whose `since` sinks.
CREATE TABLE collector.read_window (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    run_id uuid NOT NULL,
    endpoint text NOT NULL,
    since bigint NOT NULL,
    until bigint NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (run_id, fence, endpoint, until));

CREATE TABLE collector.balance_transaction (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    id text NOT NULL,
    created bigint NOT NULL,
    amount_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    net_minor bigint NOT NULL,
    currency text NOT NULL,
    exchange_rate numeric,
    category text NOT NULL,
    type text NOT NULL,
    source_id text,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, id));
CREATE INDEX balance_transaction_day
    ON collector.balance_transaction (account_id, source, connection_id, created);

CREATE TABLE collector.charge (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    id text NOT NULL,
    created bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    has_failure_balance_transaction boolean NOT NULL,
    failure_code text,
    customer text,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, id));
CREATE INDEX charge_day
    ON collector.charge (account_id, source, connection_id, created);

CREATE TABLE collector.dispute (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    id text NOT NULL,
    created bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    charge text,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, id));

-- `body`: contracts/subscription.py, Subscription and SubscriptionChange. A run adds rows
-- of its own fence beside those that are published; publishing deletes what they replace.
CREATE TABLE collector.subscription (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    id text NOT NULL,
    body jsonb NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, id, fence));

-- Subscriptions as they ended, of all time: who had one has paid before.
CREATE TABLE collector.ended_subscription (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    id text NOT NULL,
    customer text NOT NULL,
    body jsonb NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, id, fence));

CREATE TABLE collector.subscription_change (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    event_id text NOT NULL,
    at bigint NOT NULL,
    position int NOT NULL,
    body jsonb NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, event_id, fence));

-- What people call a customer or a product; `email` only where the key may read it.
CREATE TABLE collector.name (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('customer', 'product')),
    id text NOT NULL,
    name text,
    email text,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, kind, id));

-- One observed rate: minor units of `target` per minor unit of `origin`, as paid at `at`.
CREATE TABLE collector.fx_rate (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    origin text NOT NULL,
    target text NOT NULL,
    at bigint NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    sample_id text NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, origin, target, at));

CREATE TABLE collector.revenue_daily_cache (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    -- null: could not be read, `reason` says why
    net_revenue_minor bigint,
    charges_count int,
    charges_amount_minor bigint,
    refunds_count int,
    refunds_amount_minor bigint,
    failed_payments int,
    disputes int,
    unconverted jsonb NOT NULL DEFAULT '{}',
    timezone text NOT NULL,
    complete boolean NOT NULL,
    reason text,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day),
    CHECK (complete OR reason IS NOT NULL));

-- What a provider sent and we could not read: where and what kind, never the content.
CREATE TABLE collector.quarantine (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    endpoint text NOT NULL,
    object_id text NOT NULL,
    path text NOT NULL,
    sha256 bytea NOT NULL,
    -- created in [since, until), unix seconds; null: unknown
    since bigint,
    until bigint,
    at timestamptz NOT NULL,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, endpoint, object_id));

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['connection', 'run', 'balance_transaction', 'charge',
        'dispute', 'subscription', 'ended_subscription', 'subscription_change', 'name',
        'fx_rate', 'revenue_daily_cache', 'quarantine', 'read_window']
    LOOP
        PERFORM opseer.protect(('collector.' || own)::regclass, 'opseer_collector',
            'opseer_gateway', 'opseer_mrr', 'opseer_notifier');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON collector.%I
                        TO opseer_collector', own);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA collector TO opseer_gateway, opseer_mrr, opseer_notifier;

CREATE VIEW collector.v1_connection WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, state, flags, settlement_currency,
           permissions, revision, subscriptions_unread, settings_revision, first_day,
           last_collected_at, next_run_at, last_error_code, last_error_detail
    FROM collector.connection;
GRANT SELECT ON collector.connection TO opseer_gateway, opseer_mrr, opseer_notifier;

CREATE VIEW collector.v1_run WITH (security_invoker = true) AS
    SELECT run_id, account_id, source, connection_id, kind, state, stage, done, total,
           created_at, started_at, finished_at, error_code
    FROM collector.run;
GRANT SELECT (run_id, account_id, source, connection_id, kind, state, stage, done, total,
    created_at, started_at, finished_at, error_code) ON collector.run TO opseer_gateway;

CREATE VIEW collector.v1_revenue_daily WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, currency, net_revenue_minor,
           charges_count, charges_amount_minor, refunds_count, refunds_amount_minor,
           failed_payments, disputes, unconverted, timezone, complete, reason, as_of
    FROM collector.revenue_daily_cache;
GRANT SELECT ON collector.revenue_daily_cache TO opseer_gateway, opseer_notifier;

CREATE VIEW collector.v1_subscription WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, id, body
    FROM collector.subscription
    JOIN collector.connection USING (account_id, source, connection_id)
    WHERE fence <= published_fence;
GRANT SELECT ON collector.subscription TO opseer_mrr;

CREATE VIEW collector.v1_ended_subscription WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, id, customer, body
    FROM collector.ended_subscription
    JOIN collector.connection USING (account_id, source, connection_id)
    WHERE fence <= published_fence;
GRANT SELECT ON collector.ended_subscription TO opseer_mrr;

CREATE VIEW collector.v1_subscription_change WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, event_id, at, position, body
    FROM collector.subscription_change
    JOIN collector.connection USING (account_id, source, connection_id)
    WHERE fence <= published_fence;
GRANT SELECT ON collector.subscription_change TO opseer_mrr;

CREATE VIEW collector.v1_fx_rate WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, origin, target, at, rate, sample_id
    FROM collector.fx_rate;
GRANT SELECT ON collector.fx_rate TO opseer_gateway, opseer_mrr;

CREATE VIEW collector.v1_name WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, kind, id, name, email
    FROM collector.name;
GRANT SELECT (account_id, source, connection_id, kind, id, name, email)
    ON collector.name TO opseer_gateway;

-- What stands behind a day: each movement of the balance, failed charge and dispute.
-- `created` is unix seconds, `object_id` what the provider's dashboard shows. `original_`
-- is what was charged or disputed, before the provider converted it at `exchange_rate`.
-- A failed charge with `has_transaction` moved the balance as well.
CREATE VIEW collector.v1_entry WITH (security_invoker = true) AS
    SELECT t.account_id, t.source, t.connection_id, 'balance_transaction' AS kind, t.id,
           t.created, t.amount_minor, t.fee_minor, t.net_minor, t.currency,
           t.exchange_rate, t.category, t.type AS detail, t.source_id AS object_id,
           true AS has_transaction, c.customer,
           coalesce(d.amount_minor, c.amount_minor) AS original_minor,
           coalesce(d.currency, c.currency) AS original_currency
    FROM collector.balance_transaction t
    LEFT JOIN collector.dispute d
        ON (d.account_id, d.source, d.connection_id, d.id)
         = (t.account_id, t.source, t.connection_id, t.source_id)
    LEFT JOIN collector.charge c
        ON (c.account_id, c.source, c.connection_id, c.id)
         = (t.account_id, t.source, t.connection_id, coalesce(d.charge, t.source_id))
    UNION ALL
    SELECT account_id, source, connection_id, 'failed_charge', id,
           created, amount_minor, NULL, NULL, currency,
           NULL, status, failure_code, id,
           has_failure_balance_transaction, customer,
           NULL, NULL
    FROM collector.charge WHERE status = 'failed'
    UNION ALL
    SELECT d.account_id, d.source, d.connection_id, 'dispute', d.id,
           d.created, d.amount_minor, NULL, NULL, d.currency,
           NULL, d.status, d.reason, d.id,
           false, c.customer,
           NULL, NULL
    FROM collector.dispute d
    LEFT JOIN collector.charge c
        ON (c.account_id, c.source, c.connection_id, c.id)
         = (d.account_id, d.source, d.connection_id, d.charge);
GRANT SELECT (account_id, source, connection_id, id, created, amount_minor, fee_minor,
    net_minor, currency, exchange_rate, category, type, source_id)
    ON collector.balance_transaction TO opseer_gateway;
GRANT SELECT (account_id, source, connection_id, id, created, amount_minor, currency,
    status, failure_code, has_failure_balance_transaction, customer)
    ON collector.charge TO opseer_gateway;
GRANT SELECT (account_id, source, connection_id, id, created, amount_minor, currency,
    status, reason, charge) ON collector.dispute TO opseer_gateway;
GRANT SELECT ON collector.v1_name, collector.v1_entry TO opseer_gateway;

GRANT SELECT ON collector.v1_connection TO opseer_gateway, opseer_mrr, opseer_notifier;
GRANT SELECT ON collector.v1_run TO opseer_gateway;
GRANT SELECT ON collector.v1_revenue_daily TO opseer_gateway, opseer_notifier;
GRANT SELECT ON collector.v1_fx_rate TO opseer_gateway, opseer_mrr;
GRANT SELECT ON collector.v1_subscription, collector.v1_ended_subscription,
    collector.v1_subscription_change TO opseer_mrr;

-- Sweeps over all accounts: what is due, and what was published.
CREATE VIEW collector.sweep_run AS
    SELECT run_id, account_id, source, created_at, state, not_before, leased_until
    FROM collector.run WHERE state IN ('queued', 'running');
CREATE VIEW collector.sweep_connection AS
    SELECT account_id, source, connection_id, next_run_at, settings_revision,
           last_collected_at, state = 'connected' AND NOT 'stale' = ANY(flags) AS fresh
    FROM collector.connection;
GRANT SELECT ON collector.sweep_run, collector.sweep_connection TO opseer_collector;
CREATE VIEW collector.v1_sweep_revision AS
    SELECT account_id, source, connection_id, revision FROM collector.connection;
GRANT SELECT ON collector.v1_sweep_revision TO opseer_mrr, opseer_notifier;
