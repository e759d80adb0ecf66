-- What the browser of a session called itself at the sign-in, in short ("Firefox on Android"): its owner sees it in the
-- list of sessions, and ends those that are not theirs.
ALTER TABLE sessions ADD COLUMN browser text NOT NULL DEFAULT '';
