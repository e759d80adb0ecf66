"""Applies the SQL files of `migrations/` to the database (R12.1). See docs/decisions/0002-migrations.md."""
