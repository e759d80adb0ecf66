-- Each drill: everything that was archived is restored into a scratch server, beside the live one (R9.2). Written by the
-- backup role and shown by schedulers as metrics. One row a week, which nothing removes.

CREATE TABLE restore_drills (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- A process that was killed leaves `running`.
    outcome text NOT NULL DEFAULT 'running',
    -- Why the outcome is `failed`.
    reason text,
    CONSTRAINT restore_drills_outcome_check CHECK (outcome IN ('running', 'passed', 'failed'))
);
