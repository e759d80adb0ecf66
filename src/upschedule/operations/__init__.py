"""Operator commands: run locally, migrate, prepare, pack releases, and declare privileges."""
