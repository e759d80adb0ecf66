"""Implements the operator commands: run locally, back up, migrate, prepare, pack releases, declare privileges."""
