-- What the daily round checks the stored rows against, and whom refunds went to.

-- Which of the provider's balances a transaction moved; one is checked.
ALTER TABLE collector.balance_transaction
    ADD COLUMN balance_type text NOT NULL DEFAULT 'payments';

-- The balance as it was read, and what its transactions left unexplained
-- (domain/balance.py, Checked).
ALTER TABLE collector.connection ADD COLUMN balance jsonb NOT NULL DEFAULT '{}';

CREATE TABLE collector.refund (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    id text NOT NULL,
    created bigint NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    charge text,
    fence bigint NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, id));
SELECT opseer.protect('collector.refund'::regclass, 'opseer_collector',
    'opseer_gateway', 'opseer_mrr', 'opseer_notifier');
GRANT SELECT, INSERT, UPDATE, DELETE ON collector.refund TO opseer_collector;
GRANT SELECT (account_id, source, connection_id, id, amount_minor, currency, charge)
    ON collector.refund TO opseer_gateway;

-- As before, with the charge of a refund.
CREATE OR REPLACE VIEW collector.v1_entry WITH (security_invoker = true) AS
    SELECT t.account_id, t.source, t.connection_id, 'balance_transaction' AS kind, t.id,
           t.created, t.amount_minor, t.fee_minor, t.net_minor, t.currency,
           t.exchange_rate, t.category, t.type AS detail, t.source_id AS object_id,
           true AS has_transaction, c.customer,
           coalesce(d.amount_minor, r.amount_minor, c.amount_minor) AS original_minor,
           coalesce(d.currency, r.currency, c.currency) AS original_currency
    FROM collector.balance_transaction t
    LEFT JOIN collector.dispute d
        ON (d.account_id, d.source, d.connection_id, d.id)
         = (t.account_id, t.source, t.connection_id, t.source_id)
    LEFT JOIN collector.refund r
        ON (r.account_id, r.source, r.connection_id, r.id)
         = (t.account_id, t.source, t.connection_id, t.source_id)
    LEFT JOIN collector.charge c
        ON (c.account_id, c.source, c.connection_id, c.id)
         = (t.account_id, t.source, t.connection_id,
            coalesce(d.charge, r.charge, t.source_id))
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
