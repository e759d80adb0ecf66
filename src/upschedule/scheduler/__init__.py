"""The scheduler process, which recovers lost jobs and removes old data."""
