"""Calendars of completed jobs: their owners' use cases, their feeds and the dates of academic years."""
