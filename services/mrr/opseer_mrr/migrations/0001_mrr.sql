-- Snapshots of recurring revenue and what moved them, computed from the collector's rows.

CREATE SCHEMA mrr;
SELECT opseer.add_bus_tables('mrr', 'opseer_mrr');

-- What was computed last for a connection: from which of the collector's revisions and
-- under which of the gateway's settings.
CREATE TABLE mrr.computed (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    revision bigint NOT NULL,
    settings_revision int NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, source));

-- The live figures as of the newest collection. Minor units of `currency`; mrr and its
-- parts are null where Subscriptions could not be read.
CREATE TABLE mrr.snapshot (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    mrr_minor bigint,
    active_subscriptions int,
    usage_mrr_minor bigint,
    at_risk_mrr_minor bigint,
    trial_mrr_minor bigint,
    committed_mrr_minor bigint,
    mrr_stripe_comparable_minor bigint,
    unconverted jsonb NOT NULL DEFAULT '{}',
    policy jsonb NOT NULL,
    policy_version int NOT NULL,
    timezone text NOT NULL,
    complete boolean NOT NULL,
    reason text,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day),
    CHECK (complete OR reason IS NOT NULL));

-- What moved a day. All but `snapshot_minor` are null where Events could not be read.
CREATE TABLE mrr.movement (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    grain text NOT NULL CHECK (grain IN ('subscription', 'customer')),
    currency text NOT NULL,
    new_minor bigint,
    expansion_minor bigint,
    contraction_minor bigint CHECK (contraction_minor <= 0),
    churned_minor bigint CHECK (churned_minor <= 0),
    net_minor bigint
        CHECK (net_minor = new_minor + expansion_minor + contraction_minor + churned_minor),
    of_which_reactivation_minor bigint,
    fx_minor bigint,
    snapshot_minor bigint NOT NULL,
    new_subs int,
    churned_subs int,
    timezone text NOT NULL,
    complete boolean NOT NULL,
    reason text,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day, grain),
    CHECK (complete OR reason IS NOT NULL));

-- The subscriptions behind a day. Before and after in the subscription's own currency
-- and in the settlement currency (null without a rate); `arithmetic` says in words how
-- each came about, `plans` the prices that it is or was on. The changes sum to the day's
-- row per subscription by `category` and `reactivation`, and to the one per customer by
-- the two that begin with customer.
CREATE TABLE mrr.movement_change (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    subscription_id text NOT NULL,
    position int NOT NULL,
    customer_id text NOT NULL,
    category text NOT NULL,
    reason text NOT NULL,
    currency text NOT NULL,
    before_minor bigint NOT NULL,
    after_minor bigint NOT NULL,
    settlement_minor bigint,
    event_ids text[] NOT NULL,
    arithmetic jsonb NOT NULL,
    plans jsonb NOT NULL,
    reactivation boolean NOT NULL,
    customer_category text NOT NULL,
    customer_reactivation boolean NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day, subscription_id, position));

-- What each price adds to the newest snapshot, in its own and in the settlement currency
-- (null without a rate). `subscriptions` have it and are worth something.
CREATE TABLE mrr.plan (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    price_id text NOT NULL,
    product_id text,
    nickname text,
    interval text NOT NULL,
    interval_count int NOT NULL,
    currency text NOT NULL,
    native_minor bigint NOT NULL,
    settlement_minor bigint,
    subscriptions int NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, price_id, currency));

-- One row per computation after the first: the snapshot that earlier rows lead to, with
-- the movements since, against the full computation, which is what is then shown.
CREATE TABLE mrr.reconciliation (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    revision bigint NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    carried_from date NOT NULL,
    carried_minor bigint NOT NULL,
    recomputed_minor bigint NOT NULL,
    difference_minor bigint NOT NULL
        CHECK (difference_minor = recomputed_minor - carried_minor),
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, revision));

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['computed', 'snapshot', 'movement', 'movement_change',
        'plan', 'reconciliation']
    LOOP
        PERFORM opseer.protect(('mrr.' || own)::regclass, 'opseer_mrr', 'opseer_gateway',
                               'opseer_notifier');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON mrr.%I TO opseer_mrr', own);
        EXECUTE format('GRANT SELECT ON mrr.%I TO opseer_gateway, opseer_notifier', own);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA mrr TO opseer_gateway, opseer_notifier;

CREATE VIEW mrr.v1_computed WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, revision, first_day, last_day, at
    FROM mrr.computed;
CREATE VIEW mrr.v1_snapshot WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, currency, mrr_minor,
           active_subscriptions, usage_mrr_minor, at_risk_mrr_minor, trial_mrr_minor,
           committed_mrr_minor, mrr_stripe_comparable_minor, unconverted, policy,
           policy_version, timezone, complete, reason, as_of
    FROM mrr.snapshot;
CREATE VIEW mrr.v1_movement WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, grain, currency, new_minor,
           expansion_minor, contraction_minor, churned_minor, net_minor,
           of_which_reactivation_minor, fx_minor, snapshot_minor, new_subs, churned_subs,
           timezone, complete, reason, as_of
    FROM mrr.movement;
CREATE VIEW mrr.v1_movement_change WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, subscription_id, position, customer_id,
           category, reason, currency, before_minor, after_minor, settlement_minor,
           event_ids, arithmetic, plans, reactivation, customer_category,
           customer_reactivation
    FROM mrr.movement_change;
CREATE VIEW mrr.v1_plan WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, price_id, product_id, nickname, interval,
           interval_count, currency, native_minor, settlement_minor, subscriptions
    FROM mrr.plan;
CREATE VIEW mrr.v1_reconciliation WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, revision, day, currency, carried_from,
           carried_minor, recomputed_minor, difference_minor, at
    FROM mrr.reconciliation;
GRANT SELECT ON mrr.v1_computed, mrr.v1_snapshot, mrr.v1_movement, mrr.v1_movement_change,
    mrr.v1_plan, mrr.v1_reconciliation TO opseer_gateway, opseer_notifier;

CREATE VIEW mrr.sweep_computed AS
    SELECT account_id, source, connection_id, revision FROM mrr.computed;
GRANT SELECT ON mrr.sweep_computed TO opseer_mrr;
CREATE VIEW mrr.v1_sweep_revision AS
    SELECT account_id, source, connection_id, revision FROM mrr.computed;
GRANT SELECT ON mrr.v1_sweep_revision TO opseer_notifier;
