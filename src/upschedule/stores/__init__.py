"""Plumbing for PostgreSQL, Redis and the S3 store: connections, deadlines, errors. No feature's SQL or keys."""
