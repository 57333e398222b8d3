"""Rows in every table of every service, with values that are easy to get wrong.

Tabs, line ends, backslashes and what COPY writes for null in texts; nulls, arrays,
numbers with trailing zeros, JSON with escapes, infinite and microsecond times.
"""

from __future__ import annotations

from uuid import UUID

import asyncpg

ACCOUNT = UUID("00000000-0000-4000-8000-000000000001")
USER = UUID("00000000-0000-4000-8000-000000000002")
CONNECTION = UUID("00000000-0000-4000-8000-000000000003")

_FILL = r"""
CREATE TEMP TABLE odd AS
SELECT n, text FROM unnest(ARRAY[
    'plain', '', E'\t tab', E'line\nline', E'line\r\nline', E'\\N', E'\\.',
    E'back\\slash', '"quoted", ''twice''', 'é ß 漢 🌱', E'\u200B', '{}'
]) WITH ORDINALITY AS t(text, n);

INSERT INTO gateway.account
    SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'max', n = 2,
           '2026-01-01 00:00:00.000001+00'
    FROM generate_series(1, 2) n;
INSERT INTO gateway.app_user
    SELECT CASE n WHEN 1 THEN :user ELSE gen_random_uuid() END, :account,
           n || '@opseer.example', text FROM odd;
INSERT INTO gateway.session VALUES (sha256('session'), :account, :user);
INSERT INTO gateway.api_token
    VALUES (gen_random_uuid(), :account, sha256('token'), 'name', 'hint');
INSERT INTO gateway.invitation
    VALUES (gen_random_uuid(), :account, sha256('invitation'), 'new@opseer.example',
            'member', now(), 'infinity');
INSERT INTO gateway.project
    SELECT gen_random_uuid(), :account, text FROM odd WHERE n > 2;
INSERT INTO gateway.sign_in_link VALUES (sha256('link'), :account, :user, 'infinity');
INSERT INTO gateway.opseer_user_integration (account_id, source, connection_id,
        run_id, key_version, key_hint, environment, livemode, policy, config)
    VALUES (:account, 'stripe', :connection, gen_random_uuid(), 7, 'rk_…', 'test',
            false, '{"preset": "opseer", "version": 1}',
            decode('0100000001' || repeat('ab', 305), 'hex'));
INSERT INTO gateway.key_counter VALUES (:account, 'stripe', 7), (:account, 'polar', 2);
INSERT INTO gateway.audit (account_id, source, what)
    SELECT :account, NULL, text FROM odd;
INSERT INTO gateway.sealing_key (key_id, check_value)
    SELECT n, repeat('0f', 32) FROM odd;
INSERT INTO gateway.key_access_log (who, account_id, source, key_version)
    VALUES ('opseer_collector', :account, 'stripe', 7);

INSERT INTO collector.connection (account_id, source, connection_id, state, flags,
        permissions, revision, first_day, last_collected_at, next_run_at,
        last_error_detail)
    SELECT :account, 's' || n, :connection, 'connected', ARRAY[text, NULL, 'stale'],
           jsonb_build_object(text, n), 1::bigint << 40, '2028-02-29', 'infinity',
           '2026-11-01 00:00:00+02', nullif(text, '')
    FROM odd;
INSERT INTO collector.run (run_id, account_id, source, connection_id, kind, state,
        fence, leased_until, not_before, created_at)
    SELECT gen_random_uuid(), :account, 'stripe', :connection, 'daily', state, n,
           '2026-11-01 00:00:00.123456+00', '-infinity', '2026-11-01'
    FROM unnest(ARRAY['queued', 'running', 'done', 'failed'])
        WITH ORDINALITY AS s(state, n);
INSERT INTO collector.balance_transaction
    SELECT :account, 'stripe', :connection, 'txn_' || n, n, -n, 0,
           (1::bigint << 62) - n, 'usd',
           CASE WHEN n > 1 THEN 0.900 + n * 0.0000000001 END, text, text,
           nullif(text, ''), n
    FROM odd;
INSERT INTO collector.charge
    SELECT :account, 'stripe', :connection, text, n, n, 'krw', 'failed', n > 3,
           nullif(text, ''), NULL, n
    FROM odd;
INSERT INTO collector.dispute
    SELECT :account, 'stripe', :connection, text, n, n, 'kwd', text, text, NULL, n
    FROM odd;
INSERT INTO collector.refund
    SELECT :account, 'stripe', :connection, text, n, n, 'krw', nullif(text, ''), n
    FROM odd;
INSERT INTO collector.subscription
    SELECT :account, 'stripe', :connection, text,
           jsonb_build_object(text, text, 'number', 1.50, 'nothing', NULL), n
    FROM odd;
INSERT INTO collector.subscription_change
    SELECT :account, 'stripe', :connection, text, n, n, to_jsonb(text), n FROM odd;
INSERT INTO collector.name
    SELECT :account, 'stripe', :connection, kind, text, text, nullif(text, ''),
           n
    FROM odd, unnest(ARRAY['customer', 'product']) kind;
INSERT INTO collector.fx_rate
    SELECT :account, 'stripe', :connection, 'eur', 'usd', n, 1.10 + n, text FROM odd;
INSERT INTO collector.revenue_daily_cache (account_id, source, connection_id, day,
        currency, net_revenue_minor, unconverted, timezone, complete, reason, as_of)
    SELECT :account, 'stripe', :connection, '2026-11-01'::date + n::int, 'usd',
           nullif(n, 2), '{"krw": 990}', 'Europe/Berlin', n <> 2,
           CASE n WHEN 2 THEN 'NO_RATE' END, 'infinity'
    FROM odd;
INSERT INTO collector.project_metric
    SELECT :account, 'polar', :connection, text, '2026-11-01', text, 'usd',
           nullif(n, 2), n > 2, n
    FROM odd;
INSERT INTO collector.metric_daily
    SELECT :account, 'polar', :connection, '2026-11-01'::date + n::int, text,
           CASE WHEN n > 3 THEN 'usd' END, nullif(n, 2), 'Asia/Seoul', n <> 2,
           CASE n WHEN 2 THEN 'ARRIVES_TOMORROW' END, 'infinity'
    FROM odd;
INSERT INTO collector.quarantine
    SELECT :account, 'stripe', :connection, text, text, text, sha256(text::bytea), NULL,
           n, now(), n
    FROM (SELECT n, replace(text, E'\\', '/') AS text FROM odd) o;

INSERT INTO mrr.computed
    SELECT :account, 's' || n, :connection, n, 1, '2026-11-01', '2026-11-30', now()
    FROM odd;
INSERT INTO mrr.snapshot (account_id, source, connection_id, day, currency, mrr_minor,
        policy, policy_version, timezone, complete, reason, as_of)
    SELECT :account, 'stripe', :connection, '2026-11-01'::date + n::int, 'usd',
           nullif(n, 2), to_jsonb(text), 1, text, false, text, now()
    FROM odd;
INSERT INTO mrr.movement (account_id, source, connection_id, day, grain, currency,
        new_minor, expansion_minor, contraction_minor, churned_minor, net_minor,
        snapshot_minor, timezone, complete, reason, as_of)
    SELECT :account, 'stripe', :connection, '2026-11-01', grain, 'usd', 5, 4, -3, -2, 4,
           9, 'UTC', true, NULL, now()
    FROM unnest(ARRAY['subscription', 'customer']) grain;
INSERT INTO mrr.movement_change
    SELECT :account, 'stripe', :connection, '2026-11-01', text, n, text, text, text,
           'usd', n, -n, NULL, ARRAY[text, text], to_jsonb(ARRAY[text]),
           to_jsonb(text), n > 2, text, n > 3
    FROM odd;
INSERT INTO mrr.plan
    SELECT :account, 'stripe', :connection, text, NULL, text, 'month', n, 'usd', n,
           NULL, n
    FROM odd;
INSERT INTO mrr.estimate
    SELECT :account, 'stripe', :connection, '2026-01-01'::date + n::int, text, 5, 4, -3,
           -2, 4, 0, 9, n
    FROM odd;
INSERT INTO mrr.reconciliation
    SELECT :account, 'stripe', :connection, n, '2026-11-01', 'usd', '2026-10-31', 5, 3,
           -2, now(), text
    FROM odd;

INSERT INTO notifier.report
    SELECT :account, '2026-11-01'::date + n::int, text, n,
           jsonb_build_object('t', text), now()
    FROM odd;
INSERT INTO notifier.built_from
    SELECT :account, 's' || n, :connection, n, n, now() FROM odd;
INSERT INTO notifier.alert_setting
    VALUES (:account, :user, ARRAY['stripe', NULL], '09:30', 'Asia/Seoul', '{1,7}',
            true, NULL, 'infinity', '2026-11-01 00:00:00.000001+00');
INSERT INTO notifier.destination (destination_id, account_id, user_id, kind, name, hint,
        sealed, error_detail, created_at)
    SELECT gen_random_uuid(), :account, :user, 'slack', text, text,
           decode('0200000001' || repeat('cd', 1075), 'hex'), nullif(text, ''), now()
    FROM odd;
INSERT INTO notifier.delivery (delivery_id, account_id, user_id, destination_id,
        channel, hint, kind, day, fact, body, state, due_at, not_before, created_at)
    SELECT gen_random_uuid(), :account, :user, gen_random_uuid(), 'slack', text,
           'daily', '2028-02-29', text, jsonb_build_object(text, 1.50), 'sent', now(),
           'infinity', now()
    FROM odd;
"""


_COLUMNS = """
    SELECT n.nspname || '.' || c.relname AS name, array_agg(a.attname::text) AS columns,
           array_agg(format_type(a.atttypid, NULL)) AS types
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname IN ('gateway', 'collector', 'mrr', 'notifier') AND c.relkind = 'r'
      AND c.relname NOT IN ('outbox', 'inbox', 'attempt', 'dead_letter')
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = ''
    GROUP BY 1 ORDER BY 1
    """
_ANY = {
    "bigint": "1",
    "boolean": "true",
    "bytea": "sha256('any')",
    "date": "'2026-11-01'",
    "integer": "1",
    "jsonb": "'{}'",
    "numeric": "1.10",
    "smallint[]": "'{1}'",
    "text": "'any'",
    "text[]": "'{any}'",
    "time without time zone": "'09:30'",
    "timestamp with time zone": "now()",
    "uuid": f"'{ACCOUNT}'",
}
"""A value of each type, for a table that is not among the above."""


async def fill(admin_url: str) -> None:
    """Insert the rows as the administrator; tables of the bus stay empty."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(
            _FILL.replace(":account", f"'{ACCOUNT}'::uuid")
            .replace(":user", f"'{USER}'::uuid")
            .replace(":connection", f"'{CONNECTION}'::uuid")
        )
        for row in await connection.fetch(_COLUMNS):
            columns = ", ".join(row["columns"])
            values = ", ".join(_ANY[kind] for kind in row["types"])
            await connection.execute(
                f"""
                INSERT INTO {row["name"]} ({columns}) SELECT {values}
                WHERE NOT EXISTS (SELECT FROM {row["name"]})
                """  # noqa: S608 - catalogue
            )
    finally:
        await connection.close()
