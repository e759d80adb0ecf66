-- The wishes by which an owner chooses groups, and the clashes that were dismissed (docs/decisions/0037-exact-group-choice.md).
-- Not in `choices`: a release before this one refuses fields there that it does not know.
ALTER TABLE calendars ADD COLUMN planning jsonb NOT NULL DEFAULT '{}';
