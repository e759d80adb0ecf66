"""Clients of PostgreSQL, Redis, the S3 store and Consul: connections, deadlines, errors. SQL and keys are elsewhere."""
