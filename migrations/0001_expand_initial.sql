-- Accounts, jobs and the entries read from documents, calendars and the academic year.
-- Valid on PostgreSQL 15 to 18.

CREATE TABLE accounts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- A visitor without a password is an account, too; the address arrives with signing up.
    email text UNIQUE,
    password_hash text,
    stored_bytes bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_stored_bytes_check CHECK (stored_bytes >= 0),
    CONSTRAINT accounts_credentials_check CHECK ((email IS NULL) = (password_hash IS NULL))
);

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    sha256 bytea NOT NULL,
    file_name text NOT NULL,
    size_bytes bigint NOT NULL,
    -- Both NULL once the file was deleted (R11.5); the entries stay.
    object_key text,
    stored_at timestamptz,
    status text NOT NULL DEFAULT 'queued',
    -- Runs begun since the job was last queued by a person.
    attempt integer NOT NULL DEFAULT 0,
    -- Runs begun ever: the fencing token. `attempt` starts again after a person's retry, this never does.
    run bigint NOT NULL DEFAULT 0,
    pages integer,
    pages_read integer NOT NULL DEFAULT 0,
    run_after timestamptz NOT NULL DEFAULT now(),
    rung_at timestamptz,
    lease_until timestamptz,
    error jsonb,
    warnings jsonb NOT NULL DEFAULT '[]',
    reader_version text,
    request_id text,
    -- Grows with every change that a reader can see: ETag and cache guard.
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT jobs_status_check CHECK (status IN ('queued', 'processing', 'completed', 'failed')),
    CONSTRAINT jobs_lease_check CHECK ((status = 'processing') = (lease_until IS NOT NULL)),
    CONSTRAINT jobs_finished_check CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT jobs_error_check CHECK ((status = 'failed') = (error IS NOT NULL)),
    CONSTRAINT jobs_stored_check CHECK ((object_key IS NULL) = (stored_at IS NULL))
);

-- The same bytes of the same owner are one job.
CREATE UNIQUE INDEX jobs_account_sha256_key ON jobs (account_id, sha256);
CREATE INDEX jobs_account_created_idx ON jobs (account_id, created_at DESC, id DESC);
CREATE INDEX jobs_queued_idx ON jobs (run_after, id) WHERE status = 'queued';
CREATE INDEX jobs_lease_idx ON jobs (lease_until) WHERE status = 'processing';
CREATE INDEX jobs_finished_idx ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_stored_idx ON jobs (stored_at) WHERE object_key IS NOT NULL;

CREATE UNIQUE INDEX jobs_object_key_key ON jobs (object_key) WHERE object_key IS NOT NULL;

-- The moves of processing/job.py, held by the database too: a move that is not listed is a bug in whoever tries it.
CREATE FUNCTION jobs_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('queued', 'processing'),
        ('processing', 'completed'),
        ('processing', 'queued'),
        ('processing', 'failed'),
        ('failed', 'queued'),
        ('completed', 'queued')
    ) THEN
        RAISE EXCEPTION 'job % may not move from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER jobs_move BEFORE UPDATE OF status ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_check_move();

-- A permanent failure with its traceback, for the people who debug it (R2.5).
CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt integer NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    traceback text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_job_idx ON dead_letters (job_id);
CREATE INDEX dead_letters_failed_idx ON dead_letters (failed_at);

-- Written by processing, read by calendars; `body` is one struct of timetable/event.py.
CREATE TABLE events (
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    ordinal integer NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (job_id, ordinal)
);

CREATE TABLE academic_years (
    year integer PRIMARY KEY,
    body jsonb NOT NULL,
    source text NOT NULL,
    confirmed boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE calendars (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name text NOT NULL,
    -- Only the hash: a stolen dump opens no feed. The address is derived again from a secret (R8.2).
    token_hash bytea NOT NULL,
    token_generation integer NOT NULL DEFAULT 1,
    academic_year integer NOT NULL,
    choices jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX calendars_token_hash_key ON calendars (token_hash);
CREATE INDEX calendars_account_idx ON calendars (account_id, created_at DESC);

CREATE TABLE calendar_jobs (
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (calendar_id, job_id)
);
CREATE INDEX calendar_jobs_job_idx ON calendar_jobs (job_id);

-- What each feed last said of an entry: SEQUENCE and LAST-MODIFIED change only when the content does.
CREATE TABLE calendar_entries (
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    uid text NOT NULL,
    sequence integer NOT NULL DEFAULT 0,
    content_hash bytea NOT NULL,
    body jsonb NOT NULL,
    modified_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    PRIMARY KEY (calendar_id, uid)
);
