-- Accounts and how people come in, and the sealed keys of their connections.

CREATE SCHEMA gateway;
SELECT opseer.add_bus_tables('gateway', 'opseer_gateway');

CREATE TABLE gateway.account (
    account_id uuid PRIMARY KEY,
    plan text NOT NULL CHECK (plan IN ('free', 'starter', 'plus', 'max')),
    demo boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE gateway.app_user (
    user_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    email text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX app_user_email ON gateway.app_user (lower(email));

CREATE TABLE gateway.session (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES gateway.app_user ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE gateway.api_token (
    token_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    name text NOT NULL,
    hint text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz);

CREATE TABLE gateway.sign_in_link (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES gateway.app_user ON DELETE CASCADE,
    expires_at timestamptz NOT NULL);

CREATE TABLE gateway.opseer_user_integration (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    source text NOT NULL CHECK (source IN ('stripe', 'revenuecat', 'polar')),
    connection_id uuid NOT NULL UNIQUE,
    run_id uuid NOT NULL,
    run_kind text NOT NULL DEFAULT 'first'
        CHECK (run_kind IN ('first', 'refresh', 'recompute')),
    key_version int NOT NULL CHECK (key_version > 0),
    key_hint text NOT NULL CHECK (octet_length(key_hint) <= 20),
    environment text NOT NULL CHECK (environment IN ('live', 'test', 'demo')),
    livemode boolean NOT NULL,
    timezone text NOT NULL DEFAULT 'UTC',
    policy jsonb NOT NULL,
    settlement_currency text CHECK (settlement_currency ~ '^[a-z]{3}$'),
    settings_revision int NOT NULL DEFAULT 1,
    config bytea NOT NULL
        CHECK (octet_length(config) = 310 AND get_byte(config, 0) = 1),
    connected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, source));

-- Outlives a connection, so that a version is never used twice for one source.
CREATE TABLE gateway.key_counter (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    source text NOT NULL,
    last_version int NOT NULL,
    PRIMARY KEY (account_id, source));

CREATE TABLE gateway.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid NOT NULL,
    source text,
    what text NOT NULL,
    at timestamptz NOT NULL DEFAULT now());

CREATE TABLE gateway.key_access_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    who text NOT NULL,
    account_id uuid NOT NULL,
    source text NOT NULL,
    key_version int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());

SELECT opseer.protect('gateway.account', 'opseer_gateway', 'opseer_notifier');
SELECT opseer.protect('gateway.app_user', 'opseer_gateway');
SELECT opseer.protect('gateway.session', 'opseer_gateway');
SELECT opseer.protect('gateway.api_token', 'opseer_gateway');
SELECT opseer.protect('gateway.sign_in_link', 'opseer_gateway');
SELECT opseer.protect('gateway.opseer_user_integration', 'opseer_gateway',
    'opseer_collector', 'opseer_mrr', 'opseer_notifier', 'opseer_service_role');
SELECT opseer.protect('gateway.key_counter', 'opseer_gateway');
SELECT opseer.protect('gateway.audit', 'opseer_gateway');
SELECT opseer.protect('gateway.key_access_log', 'opseer_service_role');

GRANT SELECT, INSERT ON gateway.account TO opseer_gateway;
GRANT SELECT, INSERT, UPDATE (password_hash), DELETE ON gateway.app_user TO opseer_gateway;
GRANT SELECT, INSERT, UPDATE (seen_at), DELETE ON gateway.session TO opseer_gateway;
GRANT SELECT, INSERT, UPDATE (last_used_at), DELETE ON gateway.api_token TO opseer_gateway;
GRANT SELECT, DELETE ON gateway.sign_in_link TO opseer_gateway;
GRANT SELECT, INSERT, UPDATE ON gateway.key_counter TO opseer_gateway;
GRANT SELECT, INSERT ON gateway.audit TO opseer_gateway;

-- The gateway writes `config` and can never read it back.
GRANT SELECT (account_id, source, connection_id, run_id, run_kind, key_version,
        key_hint, environment, livemode, timezone, policy, settlement_currency,
        settings_revision, connected_at),
    INSERT, UPDATE, DELETE
    ON gateway.opseer_user_integration TO opseer_gateway;

-- What the other services may know of a connection.
CREATE VIEW gateway.v1_integration WITH (security_invoker = true) AS
    SELECT account_id, source, connection_id, run_id, key_version, environment,
           livemode, timezone, policy, settlement_currency, settings_revision,
           connected_at
    FROM gateway.opseer_user_integration;
GRANT USAGE ON SCHEMA gateway TO opseer_collector, opseer_mrr, opseer_notifier;
GRANT SELECT (account_id, source, connection_id, run_id, key_version, environment,
        livemode, timezone, policy, settlement_currency, settings_revision, connected_at)
    ON gateway.opseer_user_integration TO opseer_collector, opseer_mrr, opseer_notifier;
GRANT SELECT ON gateway.v1_integration TO opseer_collector, opseer_mrr, opseer_notifier;

CREATE VIEW gateway.v1_account WITH (security_invoker = true) AS
    SELECT account_id, plan, demo FROM gateway.account;
GRANT SELECT (account_id, plan, demo) ON gateway.account TO opseer_notifier;
GRANT SELECT ON gateway.v1_account TO opseer_notifier, opseer_gateway;

-- Sweeps run over all accounts and see no more than they need to find lost news.
CREATE VIEW gateway.v1_sweep_integration AS
    SELECT account_id, source, connection_id, run_id, settings_revision, run_kind
    FROM gateway.opseer_user_integration;
GRANT SELECT ON gateway.v1_sweep_integration
    TO opseer_collector, opseer_mrr, opseer_notifier;

-- How a visitor is recognised before the account is known.
CREATE VIEW gateway.door_user AS
    SELECT lower(email) AS email, user_id, account_id, password_hash FROM gateway.app_user;
CREATE VIEW gateway.door_session AS
    SELECT token_hash, account_id, user_id, created_at, seen_at FROM gateway.session;
CREATE VIEW gateway.door_token AS
    SELECT token_hash, token_id, account_id FROM gateway.api_token;
CREATE VIEW gateway.door_link AS
    SELECT token_hash, account_id, user_id, expires_at FROM gateway.sign_in_link;
CREATE VIEW gateway.door_account AS
    SELECT count(*) FILTER (WHERE NOT demo) AS accounts FROM gateway.account;
GRANT SELECT ON gateway.door_user, gateway.door_session, gateway.door_token,
    gateway.door_link, gateway.door_account TO opseer_gateway;

-- The one door to a sealed key. It runs as opseer_service_role, under row-level
-- security, and writes down every opening under the caller's own login.
GRANT USAGE, CREATE ON SCHEMA gateway TO opseer_service_role;
GRANT SELECT (account_id, source, connection_id, key_version, config),
    UPDATE (key_version, config)
    ON gateway.opseer_user_integration TO opseer_service_role;
GRANT INSERT ON gateway.key_access_log TO opseer_service_role;

CREATE FUNCTION gateway.read_sealed_key(
        p_account uuid, p_source text, p_connection uuid)
    RETURNS TABLE (key_version int, config bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM set_config('app.account_id', p_account::text, true);
    RETURN QUERY
        WITH found AS (
            SELECT i.key_version AS v, i.config AS c
            FROM gateway.opseer_user_integration i
            WHERE i.account_id = p_account AND i.source = p_source
              AND i.connection_id = p_connection),
        logged AS (
            INSERT INTO gateway.key_access_log (who, account_id, source, key_version)
            SELECT session_user, p_account, p_source, v FROM found)
        SELECT v, c FROM found;
END $$;

-- Rotation: puts a record that was sealed anew in place, if nobody else did meanwhile.
CREATE FUNCTION gateway.replace_sealed_key(
        p_account uuid, p_source text, p_expected int, p_version int, p_config bytea)
    RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM set_config('app.account_id', p_account::text, true);
    UPDATE gateway.opseer_user_integration i
    SET config = p_config, key_version = p_version
    WHERE i.account_id = p_account AND i.source = p_source
      AND i.key_version = p_expected;
    RETURN FOUND;
END $$;

ALTER FUNCTION gateway.read_sealed_key(uuid, text, uuid) OWNER TO opseer_service_role;
ALTER FUNCTION gateway.replace_sealed_key(uuid, text, int, int, bytea)
    OWNER TO opseer_service_role;
REVOKE CREATE ON SCHEMA gateway FROM opseer_service_role;
REVOKE ALL ON FUNCTION gateway.read_sealed_key(uuid, text, uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION gateway.replace_sealed_key(uuid, text, int, int, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway.read_sealed_key(uuid, text, uuid) TO opseer_collector;
GRANT EXECUTE ON FUNCTION gateway.replace_sealed_key(uuid, text, int, int, bytea)
    TO opseer_collector;
