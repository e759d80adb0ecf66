"""Accepts jobs, reads each once and loses none. PostgreSQL holds their state; Redis is a cache and a queue."""
