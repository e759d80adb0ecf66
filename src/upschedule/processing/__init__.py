"""Jobs: accepted, read once, never lost. PostgreSQL holds their state; Redis only makes things faster."""
