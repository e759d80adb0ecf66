"""Programs that measure, each against an alternative or a requirement, and print figures with their command."""
