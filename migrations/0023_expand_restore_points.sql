-- A restore point in the write-ahead log before each release and each change of its settings or secrets (R12.5). Only the
-- owner writes here. Where this table is missing, `upschedule prepare` dumps the database instead.

CREATE TABLE restore_points (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- By which the database is restored to it.
    name text NOT NULL UNIQUE,
    -- Release, settings and secrets that were about to start.
    deployment text NOT NULL,
    version text NOT NULL,
    made_at timestamptz NOT NULL,
    -- The verified backup from which it can be restored.
    backup text NOT NULL
);

-- A run renews it while it goes on, by the clock of PostgreSQL. One whose time is over was killed.
ALTER TABLE backup_runs ADD COLUMN alive_until timestamptz;
