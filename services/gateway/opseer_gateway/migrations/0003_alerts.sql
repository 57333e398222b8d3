-- Since when a connection is there, for who looks whether anything comes of it.

CREATE OR REPLACE VIEW gateway.v1_sweep_integration AS
    SELECT account_id, source, connection_id, run_id, settings_revision, run_kind,
           connected_at
    FROM gateway.opseer_user_integration;
