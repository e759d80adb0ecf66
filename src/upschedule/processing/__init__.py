"""Jobs: taken in, read once, never lost. PostgreSQL holds the truth, everything else only makes it quicker."""
