"""Backs up the cluster's PostgreSQL by pgBackRest, and restores each backup before it counts (decision 34)."""
