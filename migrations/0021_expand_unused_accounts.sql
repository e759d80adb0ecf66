-- When an account was last used, by a visit or by its feed, and the deletion of those that are unused for long
-- (docs/decisions/0047-unused-accounts.md). For accounts that exist, the time begins now.
ALTER TABLE accounts ADD COLUMN used_at timestamptz NOT NULL DEFAULT now();

-- With the rights of the owner: the scheduler may delete no account. Whatever the caller asks, accounts
-- that were used within the last 30 days stay.
CREATE FUNCTION delete_unused_accounts(unused_since timestamptz, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM public.accounts WHERE id IN (
        SELECT id FROM public.accounts WHERE used_at < least(unused_since, now() - interval '30 days')
        ORDER BY used_at LIMIT rows_max FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END;
$$;
REVOKE ALL ON FUNCTION delete_unused_accounts(timestamptz, integer) FROM PUBLIC;
