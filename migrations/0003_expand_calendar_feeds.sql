-- Dates that a student changed for one calendar, and files that were made and read back already.

ALTER TABLE calendars ADD COLUMN dates jsonb NOT NULL DEFAULT '{}';
-- False: the year follows the dated entries of the documents, also of those that join later.
ALTER TABLE calendars ADD COLUMN year_chosen boolean NOT NULL DEFAULT false;

-- `basis` is the hash of everything that the file was made of: a row whose basis is another is out of date, whoever
-- changed what. `module` is empty for the whole calendar. The feed's own address is not in `body`.
CREATE TABLE calendar_feeds (
    calendar_id uuid NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    module text NOT NULL,
    basis bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (calendar_id, module)
);
