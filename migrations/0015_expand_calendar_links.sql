-- Links of calendars (docs/decisions/0038-links-of-a-calendar.md).
-- `modules`: all that the calendar has ever had, so that a link to one of them stays valid once it has no entry left.
-- `feed_open`: false once the owner has ended the feed without making another.
ALTER TABLE calendars
    ADD COLUMN modules text [] NOT NULL DEFAULT '{}',
    ADD COLUMN feed_open boolean NOT NULL DEFAULT true;

-- The read-only page of a calendar for other people: at most one, until its owner ends it. The link is derived from
-- `nonce`, so that a link that was ended never comes back.
CREATE TABLE calendar_shares (
    calendar_id uuid PRIMARY KEY REFERENCES calendars (id) ON DELETE CASCADE,
    nonce uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    busy_only boolean NOT NULL
);
