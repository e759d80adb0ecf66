-- True: terms of which nothing is known are estimated from the dates of other years
-- (docs/decisions/0032-the-year-and-newer-documents.md).
ALTER TABLE calendars ADD COLUMN estimate_dates boolean NOT NULL DEFAULT false;
