"""Prepares a release before its first instance starts: backup, migrations, mark (R12.1, R12.5)."""
