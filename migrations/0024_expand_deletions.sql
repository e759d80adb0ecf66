-- What people deleted, so that a restore to an earlier moment deletes it again (docs/decisions/0042-replayed-deletions.md).

CREATE TABLE deletions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The table of the row. A share of a calendar has its nonce as `row_id`, the others their id.
    kind text NOT NULL,
    row_id uuid NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deletions_kind_check CHECK (kind IN ('accounts', 'jobs', 'calendars', 'calendar_shares'))
);
CREATE INDEX deletions_deleted_idx ON deletions (deleted_at);

-- With the owner's rights: no process writes the table itself. A migration connects as the owner, and what it deletes is
-- what one restores from, so it is not noted.
CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF session_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        INSERT INTO deletions (kind, row_id) VALUES (TG_TABLE_NAME, (to_jsonb(OLD) ->> TG_ARGV[0])::uuid);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER accounts_deleted AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION note_deletion('id');
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION note_deletion('id');
CREATE TRIGGER calendars_deleted AFTER DELETE ON calendars FOR EACH ROW EXECUTE FUNCTION note_deletion('id');
CREATE TRIGGER shares_deleted AFTER DELETE ON calendar_shares FOR EACH ROW EXECUTE FUNCTION note_deletion('nonce');
