-- Which of several processes leads (docs/decisions/0019-leadership-by-lease.md).

CREATE TABLE leaderships (
    name text PRIMARY KEY,
    -- The fencing token: each leader has the next number, and only the latest can renew the lease.
    term bigint NOT NULL,
    held_until timestamptz NOT NULL
);
INSERT INTO leaderships (name, term, held_until) VALUES ('scheduler', 0, '-infinity');
