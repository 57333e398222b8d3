-- A second user, invitations, projects, and what an API token may do.

ALTER TABLE gateway.app_user
    ADD COLUMN role text NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'member'));

ALTER TABLE gateway.api_token
    ADD COLUMN scope text NOT NULL DEFAULT 'write' CHECK (scope IN ('read', 'write'));

CREATE TABLE gateway.invitation (
    invitation_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'member')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL);

-- Projects share the account's connections: none of them has one of its own.
CREATE TABLE gateway.project (
    project_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES gateway.account ON DELETE CASCADE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX project_name ON gateway.project (account_id, lower(name));

-- Which project a browser looks at; unset: the account's first.
ALTER TABLE gateway.session
    ADD COLUMN project_id uuid REFERENCES gateway.project ON DELETE SET NULL;

SELECT opseer.protect('gateway.invitation', 'opseer_gateway');
SELECT opseer.protect('gateway.project', 'opseer_gateway');
GRANT SELECT, INSERT, DELETE ON gateway.invitation TO opseer_gateway;
GRANT SELECT, INSERT, UPDATE (name) ON gateway.project TO opseer_gateway;
GRANT UPDATE (project_id) ON gateway.session TO opseer_gateway;

-- How an invited visitor is recognised before the account is known.
CREATE VIEW gateway.door_invitation AS
    SELECT token_hash, account_id FROM gateway.invitation;
GRANT SELECT ON gateway.door_invitation TO opseer_gateway;
