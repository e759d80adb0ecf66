-- no-transaction
DROP INDEX CONCURRENTLY IF EXISTS calendar_entries_cancelled_idx;
-- next statement
-- squawk-ignore ban-concurrent-index-creation-in-transaction
CREATE INDEX CONCURRENTLY calendar_entries_cancelled_idx ON calendar_entries (cancelled_at)
    WHERE cancelled_at IS NOT NULL;
