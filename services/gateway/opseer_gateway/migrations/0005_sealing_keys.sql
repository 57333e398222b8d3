-- Which sealing keys this database's records may be sealed to: no secret, but enough to
-- notice at the start that a key file is not the one that belongs to the database.

CREATE TABLE gateway.sealing_key (
    key_id bigint PRIMARY KEY CHECK (key_id > 0),
    check_value text NOT NULL CHECK (check_value ~ '^[0-9a-f]{64}$'),
    noted_at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT ON gateway.sealing_key TO opseer_gateway;

CREATE VIEW gateway.v1_sealing_key WITH (security_invoker = true) AS
    SELECT key_id, check_value FROM gateway.sealing_key;
GRANT SELECT (key_id, check_value) ON gateway.sealing_key TO opseer_collector;
GRANT SELECT ON gateway.v1_sealing_key TO opseer_collector;
