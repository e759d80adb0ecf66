"""Queries and changes for operators through the scheduler's endpoint, which `upschedule ops` uses."""
