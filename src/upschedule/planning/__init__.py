"""Chooses groups: which of a module's groups a student attends, so that as little as possible clashes. Pure, no I/O."""
