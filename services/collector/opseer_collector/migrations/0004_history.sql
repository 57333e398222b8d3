-- Older history: lines of subscriptions' invoices, read on request by runs of a kind of
-- their own.

ALTER TABLE collector.run DROP CONSTRAINT run_kind_check;
ALTER TABLE collector.run ADD CONSTRAINT run_kind_check
    CHECK (kind IN ('first', 'daily', 'refresh', 'recompute', 'history'));

-- The newest history that was read: of which run, and of invoices created in
-- [since, until), unix seconds. `reason` says why there is none, or what it lacks.
CREATE TABLE collector.history (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    run_id uuid NOT NULL,
    revision bigint NOT NULL,
    since bigint NOT NULL,
    until bigint NOT NULL,
    reason text,
    PRIMARY KEY (account_id, source));

-- A line of a finalised invoice: what `item_id` cost from `starts` to before `ends`,
-- billed at `billed` (unix seconds), per `interval_count` intervals. Amounts are without
-- taxes; the three `off_` are what discounts of each duration take off `amount_minor`.
-- A line of usage is of the period before it was billed; `ends` is earlier than its
-- period's where the invoice was given up. Rows of a run that is not over stand beside
-- those of the one that `history` names.
CREATE TABLE collector.invoice_line (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    run_id uuid NOT NULL,
    id text NOT NULL,
    invoice_id text NOT NULL,
    subscription_id text NOT NULL,
    item_id text NOT NULL,
    customer_id text NOT NULL,
    price_id text,
    product_id text,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    off_forever_minor bigint NOT NULL,
    off_repeating_minor bigint NOT NULL,
    off_once_minor bigint NOT NULL,
    billed bigint NOT NULL,
    starts bigint NOT NULL,
    ends bigint NOT NULL,
    interval text NOT NULL,
    interval_count int NOT NULL,
    usage boolean NOT NULL,
    proration boolean NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, run_id, id));
CREATE INDEX invoice_line_of ON collector.invoice_line
    (account_id, source, connection_id, run_id, subscription_id, item_id, starts);

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['history', 'invoice_line']
    LOOP
        PERFORM opseer.protect(('collector.' || own)::regclass, 'opseer_collector',
            'opseer_gateway', 'opseer_mrr');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON collector.%I
                        TO opseer_collector', own);
    END LOOP;
END $$;

CREATE VIEW collector.v1_history WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, run_id, revision, since, until, reason
    FROM collector.history;
CREATE VIEW collector.v1_invoice_line WITH (security_invoker = true) AS
    SELECT l.account_id, l.source, l.connection_id, l.id, l.invoice_id, l.subscription_id,
           l.item_id, l.customer_id, l.price_id, l.product_id, l.currency, l.amount_minor,
           l.off_forever_minor, l.off_repeating_minor, l.off_once_minor, l.billed,
           l.starts, l.ends, l.interval, l.interval_count, l.usage, l.proration
    FROM collector.invoice_line l
    JOIN collector.history USING (account_id, source, connection_id, run_id);
GRANT SELECT ON collector.history TO opseer_gateway, opseer_mrr;
GRANT SELECT ON collector.invoice_line TO opseer_mrr;
GRANT SELECT ON collector.v1_history TO opseer_gateway, opseer_mrr;
GRANT SELECT ON collector.v1_invoice_line TO opseer_mrr;
