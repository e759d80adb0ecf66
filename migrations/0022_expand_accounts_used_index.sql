-- no-transaction
DROP INDEX CONCURRENTLY IF EXISTS accounts_used_idx;
-- next statement
-- squawk-ignore ban-concurrent-index-creation-in-transaction
CREATE INDEX CONCURRENTLY accounts_used_idx ON accounts (used_at);
