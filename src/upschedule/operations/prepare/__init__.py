"""What happens before the first instance of a release starts: backup, migrations, mark (R12.1, R12.5)."""
