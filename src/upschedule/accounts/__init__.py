"""People: visitors without a password, accounts with one, the sessions that know them again."""
