-- Who wants to be told what, where and when; and how each message got there.

-- One row per user: what the daily report shows and when it is sent. `next_fire_at`:
-- when something is due; null until the notifier has worked it out anew. `weekdays` are
-- 1 (Monday) to 7. The threshold is in minor units of the channel's currency; null: off.
CREATE TABLE notifier.alert_setting (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    user_id uuid PRIMARY KEY REFERENCES gateway.app_user ON DELETE CASCADE,
    sources text[] NOT NULL,
    send_at time NOT NULL,
    timezone text NOT NULL,
    weekdays smallint[] NOT NULL,
    weekly_digest boolean NOT NULL,
    movement_threshold_minor bigint CHECK (movement_threshold_minor >= 0),
    next_fire_at timestamptz,
    updated_at timestamptz NOT NULL);
CREATE INDEX alert_setting_due ON notifier.alert_setting (next_fire_at);

-- `sealed` opens with the notifier's key alone: address and secrets. `hint` may be shown.
-- `moved_to`: the chat's new id, where Telegram said one.
CREATE TABLE notifier.destination (
    destination_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES gateway.app_user ON DELETE CASCADE,
    kind text NOT NULL
        CHECK (kind IN ('slack', 'discord', 'telegram', 'email', 'webhook', 'apprise')),
    name text NOT NULL,
    hint text NOT NULL,
    sealed bytea NOT NULL
        CHECK (octet_length(sealed) = 1080 AND get_byte(sealed, 0) = 2),
    unsubscribe_hash bytea UNIQUE CHECK (octet_length(unsubscribe_hash) = 32),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    error_code text,
    error_detail text,
    error_at timestamptz,
    moved_to text,
    created_at timestamptz NOT NULL);
CREATE INDEX destination_of ON notifier.destination (user_id);

-- One message to one destination: the same id over all its attempts. `fact` tells apart
-- what else can happen twice a day. `sending`: an attempt is under way, or was when its
-- process died. `fence` grows at each claim: an attempt writes its end under its own.
CREATE TABLE notifier.delivery (
    delivery_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES gateway.app_user ON DELETE CASCADE,
    destination_id uuid NOT NULL,
    channel text NOT NULL,
    hint text NOT NULL,
    kind text NOT NULL
        CHECK (kind IN ('daily', 'weekly', 'movement', 'notice', 'test')),
    day date NOT NULL,
    fact text NOT NULL DEFAULT '',
    source text,
    connection_id uuid,
    body jsonb,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN
        ('pending', 'sent', 'retrying', 'failed', 'disabled', 'perhaps_sent')),
    attempts int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    -- for how long it waits for the day's figures
    wait_until timestamptz,
    leased_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    sending boolean NOT NULL DEFAULT false,
    -- by hand: also to a destination that is disabled
    asked boolean NOT NULL DEFAULT false,
    error_code text,
    error_detail text,
    sent_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (user_id, destination_id, day, kind, fact));
CREATE INDEX delivery_open ON notifier.delivery (not_before)
    WHERE state IN ('pending', 'retrying');
CREATE INDEX delivery_of ON notifier.delivery (account_id, created_at DESC);

-- What went wrong with a connection and was told: not told again.
CREATE TABLE notifier.told (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    fact text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account_id, fact));

-- Connections whose movements are watched for alerts, and the changes seen so far.
CREATE TABLE notifier.movement_watch (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    PRIMARY KEY (account_id, source, connection_id));
CREATE TABLE notifier.seen_change (
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    source text NOT NULL,
    connection_id uuid NOT NULL,
    day date NOT NULL,
    subscription_id text NOT NULL,
    position int NOT NULL,
    PRIMARY KEY (account_id, source, connection_id, day, subscription_id, position));

DO $$
DECLARE
    own text;
BEGIN
    FOREACH own IN ARRAY ARRAY['alert_setting', 'destination', 'delivery', 'told',
        'movement_watch', 'seen_change']
    LOOP
        PERFORM opseer.protect(('notifier.' || own)::regclass, 'opseer_notifier',
                               'opseer_gateway');
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON notifier.%I
                        TO opseer_notifier', own);
    END LOOP;
END $$;

CREATE VIEW notifier.v1_alert_setting WITH (security_invoker = true) AS
    SELECT account_id, user_id, sources, send_at, timezone, weekdays, weekly_digest,
           movement_threshold_minor, updated_at
    FROM notifier.alert_setting;
GRANT SELECT (account_id, user_id, sources, send_at, timezone, weekdays, weekly_digest,
    movement_threshold_minor, updated_at) ON notifier.alert_setting TO opseer_gateway;
GRANT SELECT ON notifier.v1_alert_setting TO opseer_gateway;

CREATE VIEW notifier.v1_destination WITH (security_invoker = true) AS
    SELECT destination_id, account_id, user_id, kind, name, hint, state, error_code,
           error_detail, error_at, created_at
    FROM notifier.destination;
GRANT SELECT (destination_id, account_id, user_id, kind, name, hint, state, error_code,
    error_detail, error_at, created_at) ON notifier.destination TO opseer_gateway;
GRANT SELECT ON notifier.v1_destination TO opseer_gateway;

CREATE VIEW notifier.v1_delivery WITH (security_invoker = true) AS
    SELECT delivery_id, account_id, user_id, destination_id, channel, hint, kind, day,
           source, state, attempts, due_at, not_before, error_code, error_detail,
           sent_at, created_at
    FROM notifier.delivery;
GRANT SELECT (delivery_id, account_id, user_id, destination_id, channel, hint, kind, day,
    source, state, attempts, due_at, not_before, error_code, error_detail, sent_at,
    created_at) ON notifier.delivery TO opseer_gateway;
GRANT SELECT ON notifier.v1_delivery TO opseer_gateway;

-- The notifier looks over all accounts and sees no more than what is due.
CREATE VIEW notifier.sweep_alert_setting AS
    SELECT account_id, user_id, next_fire_at FROM notifier.alert_setting;
CREATE VIEW notifier.sweep_delivery AS
    SELECT delivery_id, account_id, not_before, leased_until FROM notifier.delivery
    WHERE state IN ('pending', 'retrying');
CREATE VIEW notifier.sweep_trouble AS
    SELECT t.account_id, t.source, t.connection_id, t.problem, t.fact, t.since
    FROM (
        SELECT account_id, source, connection_id, 'AUTH_FAILED' AS problem,
               'auth_failed:' || connection_id AS fact, '-infinity'::timestamptz AS since
        FROM collector.v1_sweep_health WHERE state = 'auth_failed'
        UNION ALL
        SELECT account_id, source, connection_id, 'DRIFT',
               'drift:' || connection_id || ':' || last_collected_at::date,
               '-infinity'::timestamptz
        FROM collector.v1_sweep_health WHERE drift
        UNION ALL
        SELECT account_id, source, connection_id, 'STALE',
               'stale:' || connection_id || ':'
                   || coalesce(h.last_collected_at, i.connected_at),
               coalesce(h.last_collected_at, i.connected_at)
        FROM gateway.v1_sweep_integration i
        LEFT JOIN collector.v1_sweep_health h
            USING (account_id, source, connection_id)
        WHERE coalesce(h.state, '') <> 'auth_failed') t
    JOIN gateway.v1_sweep_integration USING (account_id, source, connection_id)
    WHERE EXISTS (SELECT FROM notifier.alert_setting s
                  WHERE s.account_id = t.account_id)
      AND NOT EXISTS (SELECT FROM notifier.told
                      WHERE told.account_id = t.account_id AND told.fact = t.fact);
GRANT SELECT ON notifier.sweep_alert_setting, notifier.sweep_delivery,
    notifier.sweep_trouble TO opseer_notifier;

-- How the gateway writes: for the account that its transaction works for, and no other.
GRANT CREATE ON SCHEMA notifier TO opseer_notifier;

CREATE FUNCTION notifier.check_account(p_account uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_account IS NULL OR p_account IS DISTINCT FROM opseer.me() THEN
        RAISE EXCEPTION 'not the account of this transaction'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

CREATE FUNCTION notifier.put_alert_settings(
        p_account uuid, p_user uuid, p_sources text[], p_send_at time, p_timezone text,
        p_weekdays smallint[], p_weekly_digest boolean, p_threshold bigint,
        p_now timestamptz)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM notifier.check_account(p_account);
    INSERT INTO notifier.alert_setting AS s (account_id, user_id, sources, send_at,
        timezone, weekdays, weekly_digest, movement_threshold_minor, updated_at)
    VALUES (p_account, p_user, p_sources, p_send_at, p_timezone, p_weekdays,
        p_weekly_digest, p_threshold, p_now)
    ON CONFLICT (user_id) DO UPDATE
    SET sources = excluded.sources, send_at = excluded.send_at,
        timezone = excluded.timezone, weekdays = excluded.weekdays,
        weekly_digest = excluded.weekly_digest,
        movement_threshold_minor = excluded.movement_threshold_minor,
        next_fire_at = CASE
            WHEN (s.send_at, s.timezone, s.weekdays, s.weekly_digest)
                = (excluded.send_at, excluded.timezone, excluded.weekdays,
                   excluded.weekly_digest) THEN s.next_fire_at END,
        updated_at = excluded.updated_at;
    IF p_threshold IS NOT NULL THEN
        -- What is there by now is not news.
        WITH watched AS (
            INSERT INTO notifier.movement_watch (account_id, source, connection_id)
            SELECT account_id, source, connection_id
            FROM gateway.v1_integration
            JOIN mrr.v1_computed USING (account_id, source, connection_id)
            WHERE account_id = p_account
            ON CONFLICT DO NOTHING RETURNING account_id, source, connection_id)
        INSERT INTO notifier.seen_change
            (account_id, source, connection_id, day, subscription_id, position)
        SELECT account_id, source, connection_id, day, subscription_id, position
        FROM mrr.v1_movement_change JOIN watched USING (account_id, source, connection_id)
        WHERE day > (p_now - interval '10 days')::date
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

CREATE FUNCTION notifier.put_destination(
        p_account uuid, p_user uuid, p_destination uuid, p_kind text, p_name text,
        p_hint text, p_sealed bytea, p_unsubscribe_hash bytea, p_now timestamptz)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM notifier.check_account(p_account);
    INSERT INTO notifier.destination (destination_id, account_id, user_id, kind, name,
        hint, sealed, unsubscribe_hash, created_at)
    VALUES (p_destination, p_account, p_user, p_kind, p_name, p_hint, p_sealed,
        p_unsubscribe_hash, p_now);
END $$;

CREATE FUNCTION notifier.delete_destination(
        p_account uuid, p_user uuid, p_destination uuid)
    RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM notifier.check_account(p_account);
    DELETE FROM notifier.destination
    WHERE destination_id = p_destination AND user_id = p_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM notifier.delivery
    WHERE destination_id = p_destination AND state IN ('pending', 'retrying');
    RETURN true;
END $$;

-- A test is a new delivery to the destination `p_of`; a resend opens the delivery `p_of`
-- again. Returns the delivery's id, null where there is no such thing.
CREATE FUNCTION notifier.ask_delivery(
        p_account uuid, p_user uuid, p_kind text, p_of uuid, p_delivery uuid,
        p_now timestamptz)
    RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found_id uuid;
BEGIN
    PERFORM notifier.check_account(p_account);
    IF p_kind = 'test' THEN
        INSERT INTO notifier.delivery (delivery_id, account_id, user_id,
            destination_id, channel, hint, kind, day, fact, due_at, not_before,
            asked, created_at)
        SELECT p_delivery, p_account, p_user, d.destination_id, d.kind, d.hint, 'test',
            (p_now AT TIME ZONE 'UTC')::date, p_delivery::text, p_now, p_now, true,
            p_now
        FROM notifier.destination d
        WHERE d.destination_id = p_of AND d.user_id = p_user
        RETURNING delivery_id INTO found_id;
    ELSIF p_kind = 'resend' THEN
        UPDATE notifier.delivery v
        SET state = 'pending', asked = true, attempts = 0, not_before = p_now,
            wait_until = NULL,
            sending = coalesce(v.sending AND v.leased_until > p_now, false),
            error_code = NULL, error_detail = NULL
        WHERE v.delivery_id = p_of AND v.user_id = p_user
          AND EXISTS (SELECT FROM notifier.destination d
                      WHERE d.destination_id = v.destination_id)
        RETURNING v.delivery_id INTO found_id;
    END IF;
    RETURN found_id;
END $$;

ALTER FUNCTION notifier.check_account(uuid) OWNER TO opseer_notifier;
ALTER FUNCTION notifier.put_alert_settings(uuid, uuid, text[], time, text, smallint[],
    boolean, bigint, timestamptz) OWNER TO opseer_notifier;
ALTER FUNCTION notifier.put_destination(uuid, uuid, uuid, text, text, text, bytea, bytea,
    timestamptz) OWNER TO opseer_notifier;
ALTER FUNCTION notifier.delete_destination(uuid, uuid, uuid) OWNER TO opseer_notifier;
ALTER FUNCTION notifier.ask_delivery(uuid, uuid, text, uuid, uuid, timestamptz)
    OWNER TO opseer_notifier;
REVOKE CREATE ON SCHEMA notifier FROM opseer_notifier;

-- Whoever holds the token of a mail's link ends that destination: no sign-in, so the
-- account is found by the token.
CREATE FUNCTION notifier.unsubscribe(p_hash bytea, p_now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE notifier.destination
    SET state = 'disabled', error_code = 'UNSUBSCRIBED',
        error_detail = 'Unsubscribed by the link in the mail.', error_at = p_now
    WHERE unsubscribe_hash = p_hash;
    RETURN FOUND;
END $$;

REVOKE ALL ON FUNCTION notifier.check_account(uuid),
    notifier.put_alert_settings(uuid, uuid, text[], time, text, smallint[], boolean,
        bigint, timestamptz),
    notifier.put_destination(uuid, uuid, uuid, text, text, text, bytea, bytea,
        timestamptz),
    notifier.delete_destination(uuid, uuid, uuid),
    notifier.ask_delivery(uuid, uuid, text, uuid, uuid, timestamptz),
    notifier.unsubscribe(bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    notifier.put_alert_settings(uuid, uuid, text[], time, text, smallint[], boolean,
        bigint, timestamptz),
    notifier.put_destination(uuid, uuid, uuid, text, text, text, bytea, bytea,
        timestamptz),
    notifier.delete_destination(uuid, uuid, uuid),
    notifier.ask_delivery(uuid, uuid, text, uuid, uuid, timestamptz),
    notifier.unsubscribe(bytea, timestamptz) TO opseer_gateway;
