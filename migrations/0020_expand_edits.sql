-- What an owner changed of single entries, entries of their own, and the last such change, to be undone
-- (docs/decisions/0045-edits-by-entry.md).
-- Not in `choices`: a release before this one refuses fields there that it does not know.
ALTER TABLE calendars ADD COLUMN edits jsonb NOT NULL DEFAULT '{}';
ALTER TABLE calendars ADD COLUMN last_edit jsonb;
