-- Who is known: sessions, sign-ups that wait for their first sign-in, and devices that signed in before.
-- Redis only caches sessions. All secrets are kept as hashes: what is read here opens nothing.

CREATE TABLE sessions (
    -- SHA-256 of the cookie's value.
    id_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    -- Brought up to date once a day at most, not with every request.
    last_seen_at timestamptz NOT NULL,
    -- An ended session stays until Redis has forgotten it: the previous release's key would bring it back otherwise.
    ended_at timestamptz
);
CREATE INDEX sessions_account_idx ON sessions (account_id);
CREATE INDEX sessions_created_idx ON sessions (created_at);
CREATE INDEX sessions_last_seen_idx ON sessions (last_seen_at);
CREATE INDEX sessions_ended_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- The first sign-in with the password makes the account: of the visitor, where there was one.
CREATE TABLE sign_ups (
    email text PRIMARY KEY,
    password_hash text NOT NULL,
    visitor_id uuid REFERENCES accounts (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX sign_ups_visitor_idx ON sign_ups (visitor_id);
CREATE INDEX sign_ups_created_idx ON sign_ups (created_at);

-- A browser signed in to this account before (docs/decisions/0015-sign-in-under-attack.md).
CREATE TABLE devices (
    -- SHA-256 of the device cookie's value.
    id_hash bytea NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (id_hash, account_id)
);
CREATE INDEX devices_account_idx ON devices (account_id, used_at);
CREATE INDEX devices_used_idx ON devices (used_at);

-- The previous release signs a visitor up without knowing `sessions`. What knew the visitor before must not know the account.
CREATE FUNCTION accounts_end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sessions SET ended_at = now() WHERE account_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END;
$$;

CREATE TRIGGER accounts_signed_up AFTER UPDATE OF email ON accounts
    FOR EACH ROW WHEN (OLD.email IS NULL AND NEW.email IS NOT NULL) EXECUTE FUNCTION accounts_end_sessions();
