-- Documents that a newer printing replaces in a calendar (docs/decisions/0032-the-year-and-newer-documents.md).
-- `calendar_jobs` does not name an older document of which nothing remains, so that a release which does not know this
-- table shows the same.
CREATE TABLE calendar_replacements (
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    replaced_by uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (calendar_id, job_id, replaced_by)
);
-- Deleting a document looks for its rows.
CREATE INDEX calendar_replacements_job_idx ON calendar_replacements (job_id);
CREATE INDEX calendar_replacements_replaced_by_idx ON calendar_replacements (replaced_by);
