-- What every schema stands on: the tenant of a transaction, and two helpers that
-- migrations use so that no table is born without its protection.

CREATE SCHEMA opseer;
GRANT USAGE ON SCHEMA opseer
    TO opseer_gateway, opseer_collector, opseer_mrr, opseer_notifier, opseer_service_role;

-- The account that the running transaction works for. Unset: no rows; garbage: an error.
CREATE FUNCTION opseer.me() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.account_id', true), '')::uuid $$;

-- Row-level security on a tenant table: each role sees the rows of opseer.me() alone.
-- The owner (the migrating administrator, whom no service logs in as) sees all; the
-- narrow views for sweeps and sign-in run with the owner's rights.
CREATE FUNCTION opseer.protect(tbl regclass, VARIADIC roles text[]) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tbl);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tbl);
    EXECUTE format('CREATE POLICY owner ON %s TO %I USING (true) WITH CHECK (true)',
                   tbl, current_user);
    EXECUTE format('CREATE POLICY tenant ON %s TO %s
                    USING (account_id = opseer.me()) WITH CHECK (account_id = opseer.me())',
                   tbl, (SELECT string_agg(quote_ident(r), ', ') FROM unnest(roles) r));
END $$;
REVOKE ALL ON FUNCTION opseer.protect(regclass, text[]) FROM PUBLIC;

CREATE FUNCTION opseer.wake_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_outbox', '');
    RETURN NULL;
END $$;

-- The tables by which a service speaks and listens. They hold ids and pointers only:
-- outbox (said, not yet on the bus), inbox (handled), attempt (handler faults so far),
-- dead_letter (given up, visible).
CREATE FUNCTION opseer.add_bus_tables(schema_name text, role_name text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($q$
        CREATE TABLE %1$I.outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            message_id uuid NOT NULL UNIQUE,
            subject text NOT NULL,
            payload bytea NOT NULL,
            said_at timestamptz NOT NULL DEFAULT now());
        CREATE TRIGGER wake_relay AFTER INSERT ON %1$I.outbox
            FOR EACH STATEMENT EXECUTE FUNCTION opseer.wake_relay();
        CREATE TABLE %1$I.inbox (
            durable text NOT NULL,
            message_id uuid NOT NULL,
            handled_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (durable, message_id));
        CREATE TABLE %1$I.attempt (
            durable text NOT NULL,
            message_key text NOT NULL,
            attempts int NOT NULL,
            last_error text NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (durable, message_key));
        CREATE TABLE %1$I.dead_letter (
            durable text NOT NULL,
            message_key text NOT NULL,
            attempts int NOT NULL,
            error text NOT NULL,
            payload bytea NOT NULL,
            parked_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (durable, message_key));
        GRANT USAGE ON SCHEMA %1$I TO %2$I;
        GRANT SELECT, INSERT, DELETE ON %1$I.outbox TO %2$I;
        GRANT SELECT, INSERT, DELETE ON %1$I.inbox TO %2$I;
        GRANT SELECT, INSERT, UPDATE, DELETE ON %1$I.attempt TO %2$I;
        GRANT SELECT, INSERT, UPDATE ON %1$I.dead_letter TO %2$I;
    $q$, schema_name, role_name);
END $$;
REVOKE ALL ON FUNCTION opseer.add_bus_tables(text, text) FROM PUBLIC;
