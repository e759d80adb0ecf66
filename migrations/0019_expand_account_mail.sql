-- Mail to people who sign up or have forgotten their password (docs/decisions/0039-accounts-on-pages.md).

-- The link of the message that was sent to the address opens the sign-up with this hash. NULL: no mail is sent here, and
-- the first sign-in makes the account.
ALTER TABLE sign_ups ADD COLUMN token_hash bytea;
-- The table holds the sign-ups of one day.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX sign_ups_token_hash_key ON sign_ups (token_hash);

-- A link by which the owner of the address sets a new password, once.
CREATE TABLE password_resets (
    token_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL
);
CREATE INDEX password_resets_account_idx ON password_resets (account_id);
CREATE INDEX password_resets_created_idx ON password_resets (created_at);

-- Messages that have not reached the mail server yet. The link in a message is derived from the id when it is sent, so
-- that no row opens anything.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    email text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    CONSTRAINT mails_kind_check CHECK (kind IN ('sign-up', 'reset'))
);
CREATE INDEX mails_due_idx ON mails (due_at);
CREATE INDEX mails_created_idx ON mails (created_at);
CREATE INDEX mails_email_idx ON mails (email);
