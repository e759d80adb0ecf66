-- Each run of `upschedule backup now`, written by the backup role and shown by schedulers as metrics: the process that
-- makes a backup ends before Prometheus can ask it. One row a day, which nothing removes.

CREATE TABLE backup_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- A process that was killed leaves `running`. A run can fail after its backup was verified.
    outcome text NOT NULL DEFAULT 'running',
    -- Why the outcome is not `verified`.
    reason text,
    -- pgBackRest's name of the backup, and what is known of it once it was made.
    label text UNIQUE,
    made_at timestamptz,
    backup_seconds double precision,
    size_bytes bigint,
    stored_bytes bigint,
    -- Of the last verification if it found no fault: only then the backup counts.
    verified_at timestamptz,
    verification_seconds double precision,
    CONSTRAINT backup_runs_outcome_check CHECK (outcome IN ('running', 'verified', 'not verified', 'failed'))
);
