"""Uses the service as a student does, and compares every field: the synthetic student."""
