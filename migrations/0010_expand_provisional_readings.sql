-- no-transaction
-- Readings of a release that is not confirmed yet (docs/decisions/0020-provisional-readings.md).
ALTER TABLE jobs
    -- Release of the worker that claimed the latest run.
    ADD COLUMN IF NOT EXISTS run_release text,
    -- Release whose result this is while that release is not confirmed. Of a job that waits or is read: its earlier result,
    -- which the new reading replaces.
    ADD COLUMN IF NOT EXISTS provisional_release text;
-- next statement
-- Releases whose workers read documents.
CREATE TABLE IF NOT EXISTS worker_releases (
    release text PRIMARY KEY,
    -- Its workers and its leading scheduler renew this while they run.
    renewed_at timestamptz NOT NULL,
    -- When a scheduler of this release began to lead.
    live_since timestamptz,
    -- Since then its readings are final.
    confirmed_at timestamptz
);
-- next statement
CREATE OR REPLACE FUNCTION release_confirmed(wanted text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM worker_releases WHERE release = wanted AND confirmed_at IS NOT NULL)
$$;
-- next statement
DROP INDEX CONCURRENTLY IF EXISTS jobs_provisional_idx;
-- next statement
-- squawk-ignore ban-concurrent-index-creation-in-transaction
CREATE INDEX CONCURRENTLY jobs_provisional_idx ON jobs (provisional_release, finished_at)
    WHERE provisional_release IS NOT NULL;
-- next statement
-- Without statistics of the new column PostgreSQL expects a mark on nearly every row, and does not use the index.
ANALYZE jobs;
