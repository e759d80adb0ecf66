-- no-transaction
-- What the queue needs to know to be fair (docs/decisions/0014-fair-queue.md).
ALTER TABLE jobs
    -- Its first, short reading was not enough.
    ADD COLUMN IF NOT EXISTS slow boolean NOT NULL DEFAULT false,
    -- When a short reading last ended without a result, and when it had begun.
    ADD COLUMN IF NOT EXISTS demoted_at timestamptz,
    ADD COLUMN IF NOT EXISTS demoted_from timestamptz,
    -- Its owner had a document read before.
    ADD COLUMN IF NOT EXISTS established boolean NOT NULL DEFAULT false,
    -- A keyed hash; both are NULL once the address was forgotten.
    ADD COLUMN IF NOT EXISTS address_hash bytea,
    ADD COLUMN IF NOT EXISTS address_noted_at timestamptz;
-- next statement
-- Processor time that readings used, halved again and again as time passes. Not tied to accounts or jobs, because deleting
-- either must not make it forgotten.
CREATE TABLE IF NOT EXISTS visitor_shares (
    account_id uuid PRIMARY KEY,
    used_seconds double precision NOT NULL,
    used_at timestamptz NOT NULL
);
-- next statement
CREATE TABLE IF NOT EXISTS address_shares (
    address_hash bytea PRIMARY KEY,
    used_seconds double precision NOT NULL,
    used_at timestamptz NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);
-- next statement
-- Of a share without a row nothing was used.
CREATE OR REPLACE FUNCTION share_used(
    used_seconds double precision, used_at timestamptz, half_life_seconds double precision
) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        used_seconds * power(0.5, greatest(0, extract(epoch FROM now() - used_at)::float8) / half_life_seconds), 0
    )
$$;
-- next statement
DROP INDEX CONCURRENTLY IF EXISTS jobs_demoted_idx;
-- next statement
-- squawk-ignore ban-concurrent-index-creation-in-transaction
CREATE INDEX CONCURRENTLY jobs_demoted_idx ON jobs (demoted_at) WHERE demoted_at IS NOT NULL;
-- next statement
DROP INDEX CONCURRENTLY IF EXISTS jobs_completed_idx;
-- next statement
-- squawk-ignore ban-concurrent-index-creation-in-transaction
CREATE INDEX CONCURRENTLY jobs_completed_idx ON jobs (account_id) WHERE status = 'completed';
-- next statement
DROP INDEX CONCURRENTLY IF EXISTS jobs_address_noted_idx;
-- next statement
-- squawk-ignore ban-concurrent-index-creation-in-transaction
CREATE INDEX CONCURRENTLY jobs_address_noted_idx ON jobs (address_noted_at) WHERE address_noted_at IS NOT NULL;
