-- A document that is deleted leaves the files made of it at once; the worker then publishes the calendar anew.
CREATE FUNCTION calendar_jobs_forget_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM calendar_feeds WHERE calendar_id = OLD.calendar_id;
    RETURN NULL;
END;
$$;

CREATE TRIGGER calendar_jobs_removed AFTER DELETE ON calendar_jobs
    FOR EACH ROW EXECUTE FUNCTION calendar_jobs_forget_files();
