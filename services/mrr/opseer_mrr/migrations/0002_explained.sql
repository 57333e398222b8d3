-- What no event tells, and why a recomputation differs from what was there.

-- The part of the day's net that no event tells: not null where it is known.
ALTER TABLE mrr.movement ADD COLUMN missed_minor bigint;

-- `cause` is what explains most of the difference: usage_invoice, coupon_end, price_edit,
-- missed_event, exchange_rate, or unknown where nothing was kept to compare with. `parts`
-- are the largest ones: [{"cause", "subscription_id" or null, "difference_minor"}].
ALTER TABLE mrr.reconciliation
    ADD COLUMN cause text,
    ADD COLUMN parts jsonb NOT NULL DEFAULT '[]';
UPDATE mrr.reconciliation SET cause = 'unknown' WHERE difference_minor <> 0;
ALTER TABLE mrr.reconciliation
    ADD CONSTRAINT reconciliation_has_a_cause
        CHECK (difference_minor = 0 OR cause IS NOT NULL);

UPDATE mrr.movement_change SET reason = 'trial_extended' WHERE reason = 'trial_extension';

-- Each subscription's worth at the end of the newest day that is over, and what of:
-- the next collection is compared with it, one by one.
CREATE TABLE mrr.standing (
    account_id uuid NOT NULL,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    subscriptions jsonb NOT NULL,
    PRIMARY KEY (account_id, source, connection_id));
SELECT opseer.protect('mrr.standing', 'opseer_mrr');
GRANT SELECT, INSERT, UPDATE, DELETE ON mrr.standing TO opseer_mrr;

CREATE OR REPLACE VIEW mrr.v1_movement WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, day, grain, currency, new_minor,
           expansion_minor, contraction_minor, churned_minor, net_minor,
           of_which_reactivation_minor, fx_minor, snapshot_minor, new_subs, churned_subs,
           timezone, complete, reason, as_of, missed_minor
    FROM mrr.movement;
CREATE OR REPLACE VIEW mrr.v1_reconciliation WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, revision, day, currency, carried_from,
           carried_minor, recomputed_minor, difference_minor, at, cause, parts
    FROM mrr.reconciliation;
