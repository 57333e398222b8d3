-- Writes that came with an Idempotency-Key, for a day. Neither the key nor the token of
-- who sent it is here, and without both of them nobody opens `answer`.

CREATE TABLE gateway.idempotency_key (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    begun_at timestamptz NOT NULL,
    answer bytea,
    PRIMARY KEY (account_id, key_hash));

SELECT opseer.protect('gateway.idempotency_key', 'opseer_gateway');
GRANT SELECT, INSERT, UPDATE (begun_at, answer), DELETE
    ON gateway.idempotency_key TO opseer_gateway;
