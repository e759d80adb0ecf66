-- Which releases brought this database along. Only the owner writes here; by it everybody waits for his release.

CREATE TABLE releases (
    version text PRIMARY KEY,
    -- The highest number among the release's migrations: it was built to work without what those contract.
    migrations bigint NOT NULL CHECK (migrations > 0),
    -- Object in the bucket of backups: the database just before.
    backup text NOT NULL,
    prepared_at timestamptz NOT NULL DEFAULT now()
);
